"""The preStop hook of a vLLM server: return when nothing is being answered any more.

The router drops a pod the moment Kubernetes marks it for deletion, which is also when this starts.
It waits for that word to have got round, then for the requests under way, and at most `LIMIT_S`;
vLLM's own shutdown timeout comes after it. Standard library only, like `warmup.py`.
"""

import os
import re
import sys
import time
import urllib.request

SETTLE_S = 5.0
"""Until the routers have heard of the deletion."""
LIMIT_S = 40.0
"""Longer than the gateway's deadline of 30 s: nothing that is still wanted takes longer."""
PERIOD_S = 0.5
_BUSY = re.compile(r"^vllm:num_requests_(?:running|waiting)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


def busy(base: str) -> int | None:
    """Return how many requests the server has, or None where it does not say; 0 once it is gone."""
    try:
        with urllib.request.urlopen(f"{base}/metrics", timeout=2) as reply:  # noqa: S310 # nosec B310
            page = reply.read().decode()
        counts = [float(value) for value in _BUSY.findall(page)]
    except OSError as exc:
        return 0 if isinstance(getattr(exc, "reason", exc), ConnectionRefusedError) else None
    except ValueError:
        return None
    return int(sum(counts)) if counts else None


def drain(
    base: str, settle_s: float = SETTLE_S, limit_s: float = LIMIT_S, period_s: float = PERIOD_S
) -> bool:
    """Wait until the server is idle; returns whether it got so within the limit."""
    time.sleep(settle_s)
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if busy(base) == 0:
            return True
        time.sleep(period_s)
    return False


def main() -> int:
    """Drain the server of this pod. Always 0: the pod stops in any case."""
    port = os.environ.get("INFERENCE_PORT") or "8101"
    if not drain(f"http://127.0.0.1:{port}"):
        print("drain: still busy, stopping all the same", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
