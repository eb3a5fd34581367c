"""How the supervisor asks a service whether it is ready. Every question has a time limit."""

import asyncio

import httpx

TIMEOUT_S = 2.0


async def http_ok(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        # trust_env off: a proxy from the environment must not stand before 127.0.0.1.
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def redis_answers(host: str, port: int) -> bool:
    """Whether a Redis there answers PING (one that still loads its data answers otherwise)."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"PING\r\n")
            await writer.drain()
            return (await reader.readline()).startswith(b"+PONG")
    except (OSError, TimeoutError):
        return False
    finally:
        if writer is not None:
            writer.close()
