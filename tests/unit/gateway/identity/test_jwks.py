import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from services.gateway.errors import JwksError, TokenKeysAwayError
from services.gateway.identity import jwks as module
from services.gateway.identity.jwks import (
    FIRST_RETRY_S,
    FRESH_S,
    RETRY_S,
    KeySources,
    RemoteKeys,
    parse_jwks,
    read_limited,
)
from tests.support.logs import LogSpy
from tests.support.signing import eddsa, es256, jwks, p384, rs256

URL = "https://shop.example/jwks.json"


class Shop:
    """A shop's URL with a clock to turn."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.fetches = 0
        self.document: Any = None
        self.gate: asyncio.Event | None = None
        self.log = LogSpy()
        self.remote = RemoteKeys(URL, "ES256", self.fetch, self.log.warning, clock=lambda: self.now)

    async def fetch(self, url: str) -> bytes:
        assert url == URL
        self.fetches += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.document is None:
            raise JwksError("it answers with status 500")
        return (
            self.document
            if isinstance(self.document, bytes)
            else json.dumps(self.document).encode()
        )

    async def tick(self) -> None:
        self.remote.tick()
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_key_is_fetched_once_and_kept() -> None:
    shop, signer = Shop(), es256("a")
    shop.document = jwks(signer)
    for _ in range(3):
        assert await shop.remote.find("a") == signer.key.public_key()
    assert shop.fetches == 1


async def test_unknown_ids_cause_one_fetch_in_half_a_minute() -> None:
    shop = Shop()
    shop.document = jwks(es256("a"))
    for number in range(100):
        assert await shop.remote.find(f"guess-{number}") is None
    assert shop.fetches == 1
    fresh = es256("b")
    shop.document = jwks(fresh)
    shop.now += RETRY_S - 1
    assert await shop.remote.find("b") is None
    shop.now += 2
    assert await shop.remote.find("b") == fresh.key.public_key()
    assert await shop.remote.find("a") is None
    assert shop.fetches == 2


async def test_requests_share_a_fetch_and_one_that_hangs_up_does_not_end_it() -> None:
    shop, signer = Shop(), es256("a")
    shop.document, shop.gate = jwks(signer), asyncio.Event()
    waiting = [asyncio.create_task(shop.remote.find("a")) for _ in range(5)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    shop.gate.set()
    found = await asyncio.gather(*waiting[1:])
    assert found == [signer.key.public_key()] * 4
    assert shop.fetches == 1


async def test_the_last_good_copy_is_kept_while_the_url_is_away() -> None:
    shop, signer = Shop(), es256("a")
    shop.document = jwks(signer)
    await shop.remote.find("a")
    documents: list[Any] = [None, b"{", b"[" * 5000, {"keys": []}, jwks(eddsa("a"))]
    for broken in [*documents, b'"\xff"']:
        shop.document = broken
        shop.now += FRESH_S
        await shop.tick()
        assert await shop.remote.find("a") == signer.key.public_key()
        assert await shop.remote.find("b") is None
    assert shop.fetches == 7
    assert shop.log.events("warning") == ["jwks_away"]
    assert "status 500" in shop.log.lines[0][2]["cause"]


async def test_without_any_copy_nobody_is_recognised_and_the_background_tries_again() -> None:
    shop, signer = Shop(), es256("a")
    for _ in range(5):
        with pytest.raises(TokenKeysAwayError) as info:
            await shop.remote.find("a")
        assert info.value.status == 503
    assert shop.fetches == 1
    shop.document = jwks(signer)
    await shop.tick()
    assert shop.fetches == 1
    shop.now += FIRST_RETRY_S
    await shop.tick()
    assert await shop.remote.find("a") == signer.key.public_key()
    assert shop.fetches == 2


async def test_a_withdrawn_key_goes_when_the_set_is_old() -> None:
    shop, old, new = Shop(), es256("old"), es256("new")
    shop.document = jwks(old, new)
    assert await shop.remote.find("old") is not None
    shop.document = jwks(new)
    shop.now += FRESH_S - 1
    await shop.tick()
    assert await shop.remote.find("old") is not None
    shop.now += 2
    await shop.tick()
    assert await shop.remote.find("old") is None
    assert await shop.remote.find("new") is not None


async def test_a_url_that_hangs_costs_a_bounded_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_TIMEOUT_S", 0.02)
    shop = Shop()
    shop.gate = asyncio.Event()
    with pytest.raises(TokenKeysAwayError):
        await shop.remote.find("a")
    assert "no answer within" in shop.log.lines[0][2]["cause"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, "no JWKS"),
        ({"keys": {}}, "no JWKS"),
        ({"keys": []}, "no key for ES256"),
        ({"keys": [1, {}]}, "no key for ES256"),
        (jwks(p384()), "no key for ES256"),
        (jwks(rs256()), "no key for ES256"),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}, "no key for ES256"),
        ({"keys": [{**es256().jwk, "use": "enc"}]}, "no key for ES256"),
        ({"keys": [{**es256().jwk, "alg": "ES384"}]}, "no key for ES256"),
        ({"keys": [es256().private_jwk]}, "private key"),
        ({"keys": [{**es256().jwk, "kid": 1}]}, "kid must be"),
        ({"keys": [{**es256().jwk, "x": "AAAA"}]}, "damaged"),
        ({"keys": [{**es256().jwk, "x": 1}]}, "damaged"),
        (jwks(es256("a"), es256("a")), "same kid"),
        (jwks(es256("a"), es256(None)), "needs a kid"),
        (jwks(*(es256(str(n)) for n in range(17))), "more than 16"),
    ],
)
def test_sets_that_cannot_be_used(document: Any, says: str) -> None:
    with pytest.raises(JwksError, match=says):
        parse_jwks(document, "ES256")


def test_keys_for_other_uses_are_passed_over() -> None:
    signer = eddsa("a")
    found = parse_jwks(jwks(rs256("r"), es256("e"), signer), "EdDSA")
    assert found.keys == {"a": signer.key.public_key()}


async def large() -> AsyncIterator[bytes]:
    for _ in range(7):
        yield b"x" * 10_000


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda _: httpx2.Response(404), "status 404"),
        (
            lambda _: httpx2.Response(302, headers={"location": "https://evil.example"}),
            "status 302",
        ),
        (lambda _: httpx2.Response(200, content=large()), "larger than"),
    ],
)
async def test_only_a_small_plain_answer_is_read(
    answer: Callable[[httpx2.Request], httpx2.Response], says: str
) -> None:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        with pytest.raises(JwksError, match=says):
            await read_limited(http, URL)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/jwks", "https://[::1", "https://a..b/jwks"])
async def test_a_url_that_cannot_be_reached_is_an_error_of_ours(url: str) -> None:
    log = LogSpy()
    sources = KeySources(log.warning)
    with pytest.raises(TokenKeysAwayError):
        await sources.remote(url, "ES256").find("a")
    assert "cannot be reached" in log.lines[0][2]["cause"]
    await sources.close()


async def test_a_request_that_waits_for_a_set_that_is_dropped_is_answered() -> None:
    shop = Shop()
    shop.gate = asyncio.Event()
    waiting = asyncio.create_task(shop.remote.find("a"))
    await asyncio.sleep(0.01)
    await shop.remote.close()
    with pytest.raises(TokenKeysAwayError):
        await waiting


async def test_sets_survive_a_reload_and_go_when_nobody_uses_them() -> None:
    signer, fetched = eddsa("a"), []

    async def fetch(url: str) -> bytes:
        fetched.append(url)
        return json.dumps(jwks(signer)).encode()

    sources = KeySources(print, fetch)
    places = [(URL, "EdDSA")]
    task = asyncio.create_task(sources.keep_fresh(lambda: places))
    await asyncio.sleep(0.05)
    first = sources.remote(URL, "EdDSA")
    assert fetched == [URL]  # before anybody asked
    assert await first.find("a") == signer.key.public_key()
    assert sources.remote(URL, "EdDSA") is first
    places.clear()
    await asyncio.sleep(1.1)
    assert sources.remote(URL, "EdDSA") is not first
    task.cancel()
    await asyncio.wait({task})
    await sources.close()
