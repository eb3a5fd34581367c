"""A shop page's way of asking: one streamed question over HTTP, timed as the customer sees it.

Written on the standard library's blocking client, so that it works in a gevent greenlet (whose
sockets Locust makes cooperative) and in a plain thread. Each question has a connection of its own:
a server that closes an idle one must not look like a failure.
"""

import http.client
import json
import time
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from tests.load.figures import BUSY, Sample

CONNECT_TIMEOUT_S = 10.0
SLACK_S = 2.0
"""The gateway ends a request by its deadline; this long after it, nobody waits any more."""
_ERROR = 400


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and where.

    Attributes:
        url: the gateway's base URL.
        key: the shop's key.
        token: the customer's token; None asks as an anonymous visitor.
        deadline_s: an answer that ends later counts as failed.

    """

    url: str
    key: str
    token: str | None
    deadline_s: float


class BrokenStreamError(Exception):
    """A stream ended without its end mark, or with an error in it."""


@dataclass(slots=True)
class StreamedAnswer:
    """What a stream's events have come to so far."""

    text: str = ""
    done: bool = False
    finish: str | None = None
    about: dict[str, Any] | None = None

    def take(self, line: bytes) -> bool:
        """Fold one line in; tell whether it brought content.

        Raises:
            BrokenStreamError: the line reports an error or cannot be read.

        """
        if not line.startswith(b"data:"):
            return False
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = True
            return False
        try:
            chunk = json.loads(data)
        except ValueError as exc:
            raise BrokenStreamError("unreadable chunk") from exc
        if "error" in chunk:
            raise BrokenStreamError(f"error in stream: {chunk['error'].get('code')}")
        self.about = chunk.get("xiaoer", self.about)
        for choice in chunk.get("choices", [])[:1]:
            self.finish = choice.get("finish_reason") or self.finish
            content = choice.get("delta", {}).get("content")
            self.text += content or ""
            return bool(content)
        return False


def ask(caller: Caller, question: str, session: str | None, group: str = "") -> Sample:
    """Ask one question as a stream and return what came of it; never raises for a reply."""
    started = time.perf_counter()
    connection = _connection(caller)
    ttft_s: float | None = None
    status, retry_after_s, failure = 0, 0.0, None
    answer = StreamedAnswer()
    try:
        response = _send(connection, caller, question, session)
        status = response.status
        if status == BUSY:
            retry_after_s = retry_after(response.headers.get("retry-after"))
            response.read()
        elif status >= _ERROR:
            failure = f"HTTP {status}: {error_code(response.read())}"
        else:
            while line := response.readline():
                if answer.take(line) and ttft_s is None:
                    ttft_s = time.perf_counter() - started
    except TimeoutError:
        failure = "missed deadline"
    except BrokenStreamError as exc:
        failure = str(exc)
    except (OSError, http.client.HTTPException) as exc:
        failure = f"broken: {type(exc).__name__}"
    finally:
        connection.close()
    sample = Sample(
        group=group,
        status=status,
        started_s=started,
        ttft_s=ttft_s,
        full_s=time.perf_counter() - started,
        asked_s=time.perf_counter() - started,
        failure=failure,
        retry_after_s=retry_after_s,
    )
    return _judged(sample, answer, caller.deadline_s)


def retry_after(value: str | None) -> float:
    """Return the seconds of a `Retry-After` header; 1 where it is absent or unreadable."""
    try:
        return max(0.0, float(value or 1))
    except ValueError:
        return 1.0


def error_code(body: bytes) -> str:
    """Return the code in an OpenAI error body, or a word for its absence."""
    try:
        return str(json.loads(body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "no error object"


def _judged(sample: Sample, answer: StreamedAnswer, deadline_s: float) -> Sample:
    """Add what the stream said, and what is wrong with it."""
    if sample.busy:
        return sample
    failure = sample.failure
    if failure is None and not (answer.done and answer.finish):
        failure = "broken stream"
    if failure is None and not answer.text.strip():
        failure = "empty answer"
    if failure is None and sample.full_s > deadline_s:
        failure = "missed deadline"
    about = answer.about or {}
    return replace(
        sample,
        failure=failure,
        degraded=tuple(about.get("degraded", ())),
        tools=tuple(about.get("tools", ())),
        source=str(about.get("source", "")),
        text=answer.text,
    )


def _connection(caller: Caller) -> http.client.HTTPConnection:
    parts = urlsplit(caller.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=CONNECT_TIMEOUT_S)


def _send(
    connection: http.client.HTTPConnection, caller: Caller, question: str, session: str | None
) -> http.client.HTTPResponse:
    connection.connect()
    connection.sock.settimeout(caller.deadline_s + SLACK_S)
    headers = {
        "authorization": f"Bearer {caller.key}",
        "content-type": "application/json",
        "accept": "text/event-stream",
    }
    if caller.token is not None:
        headers["x-customer-token"] = caller.token
    if session is not None:
        headers["x-session-id"] = session
    body = {
        "model": "xiaoer",
        "messages": [{"role": "user", "content": question}],
        "stream": True,
    }
    path = urlsplit(caller.url).path.rstrip("/") + "/v1/chat/completions"
    connection.request("POST", path, json.dumps(body, ensure_ascii=False).encode(), headers)
    return connection.getresponse()
