"""A node for these tests: the scripted model, with the metrics of a real vLLM beside it.

The metrics are recorded (recorded/README.md). Counters and histograms stand where the recorded run
ended for each 32 requests served, and in proportion between; gauges are those under load while
requests come, and those of an idle vLLM when none came for a second.
"""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from tests.support.fake_model import FakeModel

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

RECORDED = Path(__file__).with_name("recorded")
RECORDED_REQUESTS = 32
BUSY_S = 1.0
_SAMPLE = re.compile(r"^(\S+?)(\{.*\})? (\S+)$")
_TYPE = re.compile(r"^# TYPE (\S+) (\w+)$")


class Recording:
    """vLLM's exposition, for any number of requests served."""

    def __init__(self) -> None:
        self._lines = _lines("idle")
        self._loaded, self._after = (_values(_lines(name)) for name in ("loaded", "after"))

    def page(self, served: int, *, busy: bool) -> str:
        """Return the exposition text."""
        made, gauge = [], False
        for line in self._lines:
            if (kind := _TYPE.match(line)) is not None:
                gauge = kind[2] == "gauge"
            if (sample := _SAMPLE.match(line)) is not None and not line.startswith("#"):
                name = f"{sample[1]}{sample[2] or ''}"
                value = float(sample[3])
                if not gauge:
                    value += (self._after[name] - value) * served / RECORDED_REQUESTS
                elif busy:
                    value = self._loaded[name]
                line = f"{name} {value}"
            made.append(line)
        return "\n".join(made) + "\n"


class Node:
    """The server's application.

    Args:
        model: answers; nodes may share one.
    """

    def __init__(self, model: FakeModel) -> None:
        self._model = model
        self._recording = Recording()
        self._served = 0
        self._last = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == "/metrics":
            busy = time.monotonic() - self._last < BUSY_S
            await _text(send, self._recording.page(self._served, busy=busy))
        elif path == "/health":
            await _text(send, "")
        else:
            if path.endswith("/chat/completions"):
                self._served += 1
                self._last = time.monotonic()
            await self._model(scope, receive, send)


def _lines(name: str) -> list[str]:
    return (RECORDED / f"vllm-{name}.prom").read_text("utf-8").splitlines()


def _values(lines: list[str]) -> dict[str, float]:
    samples = (_SAMPLE.match(line) for line in lines if not line.startswith("#"))
    return {f"{found[1]}{found[2] or ''}": float(found[3]) for found in samples if found}


async def _text(send: Send, text: str) -> None:
    headers = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
