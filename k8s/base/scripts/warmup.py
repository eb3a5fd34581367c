"""The startup probe of a vLLM server: exit 0 once it has answered a question with a tool call.

It asks what customers ask, the way the gateway asks it, so that weights, kernels, chat template
and tool parser have all been used before the first customer comes and before a rollout goes on.
Standard library only: it runs in the inference image, from a ConfigMap.
"""

import json
import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 25.0
"""Shorter than the probe's own timeout, so that the reason reaches the pod's events."""
QUESTION = {
    "messages": [
        {"role": "system", "content": "You are a shop's assistant. Look orders up with the tool."},
        {"role": "user", "content": "Where is my order XR20260001?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "query_order_status",
                "description": "Status of one order: carrier, tracking number, items.",
                "parameters": {
                    "type": "object",
                    "properties": {"order_id": {"type": "string"}},
                    "required": ["order_id"],
                },
            },
        }
    ],
    "tool_choice": "auto",
    "temperature": 0,
    "max_tokens": 96,
}


class NotWarmError(Exception):
    """The server is not ready for customers; `str()` says why."""


def warm_up(base: str, model: str, timeout_s: float = TIMEOUT_S) -> str:
    """Ask `model` at `base`; return the name of the tool it called.

    Raises:
        NotWarmError: no answer, an error, or an answer without a usable tool call.

    """
    request = urllib.request.Request(  # noqa: S310 - our own URL
        f"{base}/v1/chat/completions",
        json.dumps({"model": model, **QUESTION}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:  # noqa: S310 # nosec B310
            message = json.load(reply)["choices"][0]["message"]
    except urllib.error.HTTPError as exc:
        raise NotWarmError(f"HTTP {exc.code}") from exc
    except OSError as exc:
        raise NotWarmError(f"no answer yet ({exc})") from exc
    except (ValueError, KeyError, IndexError, TypeError) as exc:
        raise NotWarmError("the answer is no chat completion") from exc
    return _called(message)


def _called(message: object) -> str:
    try:
        function = message["tool_calls"][0]["function"]  # type: ignore[index]
        arguments = json.loads(function["arguments"])
        name, order = str(function["name"]), arguments["order_id"]
    except (ValueError, KeyError, IndexError, TypeError) as exc:
        raise NotWarmError(f"no usable tool call in {json.dumps(message)[:300]}") from exc
    if not order:
        raise NotWarmError(f"{name} was called without an order number")
    return name


def main() -> int:
    """Probe the server of this pod; one line to stderr when it is not warm."""
    port = os.environ.get("INFERENCE_PORT") or "8101"
    try:
        warm_up(f"http://127.0.0.1:{port}", os.environ.get("WARMUP_MODEL") or "xiaoer")
    except NotWarmError as exc:
        print(f"not warm: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
