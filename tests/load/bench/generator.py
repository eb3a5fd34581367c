"""A load generator that costs little: HTTP/1.1 over raw asyncio sockets.

Requests are ready-made bytes, replies are looked at just enough to know that they are complete and
right. A connection carries one request at a time, the next as soon as the last reply has ended.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

Source = Callable[[], bytes | None]
"""Gives a connection's next request; None when it has asked enough."""
Keep = Callable[[bytes], None]
"""Takes a complete reply, headers included."""

STUCK_S = 60.0
"""A reply that takes longer means that something hangs."""
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED_END = b"0\r\n\r\n"
_OK = b"HTTP/1.1 200"
_DONE = b"data: [DONE]"
_CONTENT = re.compile(rb'"content": ?"[^"]')
_DEGRADED = re.compile(rb'"degraded": ?\[[^\]]')


@dataclass(slots=True)
class Volley:
    """What came of some connections asking for a while.

    Attributes:
        full_s: seconds of each complete and right reply.
        first_s: seconds to the first content of each that was streamed.
        events: server-sent events received in all.
        wrong: what was wrong with the others, counted.
        elapsed_s: from the first request to the last end.

    """

    full_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    events: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    elapsed_s: float = 0.0

    @property
    def failures(self) -> int:
        """How many replies were not complete and right."""
        return sum(self.wrong.values())


def flaw(reply: bytes, *, streamed: bool) -> str | None:
    """Return what is wrong with a complete reply, or None."""
    if not reply.startswith(_OK):
        return reply[:64].split(b"\r\n", 1)[0].decode("latin-1") or "nothing"
    if streamed and _DONE not in reply:
        return "stream without its end"
    if _CONTENT.search(reply) is None:
        return "no content"
    if _DEGRADED.search(reply) is not None:
        return "degraded answer"
    return None


def is_complete(reply: bytes | bytearray) -> bool:
    """Tell whether a reply has ended; one that says neither length nor chunks never does."""
    head = reply.find(_HEAD_END)
    if head < 0:
        return False
    length = _LENGTH.search(reply, 0, head)
    if length is not None:
        return len(reply) >= head + len(_HEAD_END) + int(length[1])
    return reply.endswith(_CHUNKED_END)


class _Connection(asyncio.Protocol):
    """Asks until its source is dry."""

    def __init__(
        self, source: Source, volley: Volley, ended: asyncio.Future[None], keep: Keep | None
    ) -> None:
        self._source = source
        self._volley = volley
        self._ended = ended
        self._keep = keep
        self._reply = bytearray()
        self._asked_s = 0.0
        self._first_s: float | None = None
        self._streamed = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's, they only act like it.
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._reply += data
        if self._streamed and self._first_s is None and _CONTENT.search(data):
            self._first_s = now - self._asked_s
        if is_complete(self._reply):
            self._note(now)
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._volley.wrong[f"connection lost ({type(exc).__name__})"] += 1
            self._ended.set_result(None)

    def _ask(self) -> None:
        request = self._source()
        assert self._transport is not None
        if request is None:
            self._ended.set_result(None)
            self._transport.close()
            return
        self._reply.clear()
        self._first_s = None
        self._streamed = b'"stream":true' in request
        self._asked_s = time.perf_counter()
        self._transport.write(request)

    def _note(self, now: float) -> None:
        reply = bytes(self._reply)
        wrong = flaw(reply, streamed=self._streamed)
        if wrong is not None:
            self._volley.wrong[wrong] += 1
            return
        self._volley.full_s.append(now - self._asked_s)
        if self._first_s is not None:
            self._volley.first_s.append(self._first_s)
            self._volley.events += reply.count(b"data: ")
        if self._keep is not None:
            self._keep(reply)


async def fire(address: tuple[str, int], sources: list[Source], keep: Keep | None = None) -> Volley:
    """Ask over one connection per source, side by side, until all sources are dry.

    Args:
        address: host and port.
        sources: one for each connection.
        keep: takes each reply that is complete and right.

    Raises:
        OSError: nothing listens there.
        TimeoutError: a reply does not end.

    """
    volley = Volley()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    ended: list[asyncio.Future[None]] = []
    transports = []
    for source in sources:
        future: asyncio.Future[None] = loop.create_future()
        transport, _ = await loop.create_connection(
            lambda source=source, future=future: _Connection(source, volley, future, keep),  # type: ignore[misc]
            *address,
        )
        ended.append(future)
        transports.append(transport)
    try:
        while waiting := [future for future in ended if not future.done()]:
            before = len(volley.full_s) + volley.failures
            done, _ = await asyncio.wait(waiting, timeout=STUCK_S)
            if not done and len(volley.full_s) + volley.failures == before:
                raise TimeoutError(f"no reply from {address[0]}:{address[1]} in {STUCK_S:.0f} s")
    finally:
        for transport in transports:
            transport.abort()
    volley.elapsed_s = time.perf_counter() - began
    return volley


def until(moment_s: float, source: Callable[[], bytes]) -> Source:
    """Let a source that never ends run dry at a moment of `time.perf_counter`."""

    def next_request() -> bytes | None:
        return source() if time.perf_counter() < moment_s else None

    return next_request


def post(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """Return the bytes of a POST; the connection stays open after it."""
    lines = [f"POST {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["content-type: application/json", f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
