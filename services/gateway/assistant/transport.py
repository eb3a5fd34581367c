"""How the OpenAI client's requests travel to the model endpoint: over aiohttp.

`openai.AsyncOpenAI` takes any httpx2 transport. aiohttp parses and writes HTTP in C and costs half
the CPU of httpx2's own transport. The client's own adapter to aiohttp reports every lost connection
as one that was never made; here the two are kept apart, because only the second may be tried again.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import httpx2
from yarl import URL

CONNECT_TRIES = 2
"""A connection that was never made has carried nothing, so trying once more repeats nothing."""
_OWN_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that aiohttp must not add by itself: the OpenAI client decides."""


class ModelTransport(httpx2.AsyncBaseTransport):
    """Sends requests over pooled HTTP/1.1 connections.

    Args:
        connections: most connections at once.
        idle_s: how long a connection is kept for the next request.
    """

    def __init__(self, connections: int, idle_s: float) -> None:
        self._connections = connections
        self._idle_s = idle_s
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; the reply's body is read later, as it comes.

        Raises:
            httpx2.ConnectError, httpx2.ConnectTimeout: no connection was made, twice.
            httpx2.ReadTimeout: connected, but nothing came in time.
            httpx2.RequestError: the connection broke, or carried no HTTP.
        """
        session = self._session or self._open(tls=request.url.scheme == "https")
        body = await request.aread()
        limits = request.extensions.get("timeout", {})
        timeout = aiohttp.ClientTimeout(
            sock_connect=limits.get("connect"), sock_read=limits.get("read")
        )
        url = URL(str(request.url), encoded=True)
        tries = CONNECT_TRIES
        while True:
            try:
                with _errors_of_httpx2():
                    response = await session.request(
                        request.method,
                        url,
                        headers=request.headers.multi_items(),
                        data=body or None,
                        timeout=timeout,
                        allow_redirects=False,
                    )
                break
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                tries -= 1
                if tries == 0:
                    raise
        return httpx2.Response(
            response.status, headers=list(response.raw_headers), stream=_Body(response)
        )

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self, *, tls: bool) -> aiohttp.ClientSession:
        """Open the session: with the first request, since it belongs to the running loop.

        The endpoint is one, so what the first request needs is what all need. Certificates take
        tens of milliseconds to load, so without TLS they are not.
        """
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections,
                keepalive_timeout=self._idle_s,
                ssl=httpx2.create_ssl_context(trust_env=False) if tls else True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_OWN_HEADERS,
            trust_env=False,
        )
        return self._session


class _Body(httpx2.AsyncByteStream):
    """A reply's body. Closed before its end, it closes the connection: vLLM stops generating."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx2():
            async for piece in self._response.content.iter_any():
                yield piece

    async def aclose(self) -> None:
        # A complete reply has given its connection back already; any other is dropped with it.
        self._response.release()


@contextmanager
def _errors_of_httpx2() -> Iterator[None]:
    """Raise httpx2's errors for aiohttp's."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as exc:
        raise httpx2.ConnectTimeout(str(exc)) from exc
    except aiohttp.ClientConnectorError as exc:
        raise httpx2.ConnectError(str(exc)) from exc
    except TimeoutError as exc:
        # aiohttp's other time-outs are of reading; they are all subclasses.
        raise httpx2.ReadTimeout(str(exc)) from exc
    except aiohttp.InvalidURL as exc:
        raise httpx2.UnsupportedProtocol(str(exc)) from exc
    except aiohttp.ServerDisconnectedError as exc:
        raise httpx2.RemoteProtocolError(str(exc)) from exc
    except (aiohttp.ClientError, OSError) as exc:
        raise httpx2.ReadError(str(exc)) from exc
