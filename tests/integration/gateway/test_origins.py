"""Keys, origins and live changes over real HTTP: what a browser and a shop's server meet."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.gateway.conftest import Client, wait_ready
from tests.support.fake_model import FakeModel, say
from tests.support.gateway import (
    GatewayProcess,
    ServerThread,
    customer_token,
    gateway_server,
    headers,
    request,
)
from tests.support.shops import (
    ORIGINS,
    PUBLIC_KEYS,
    SHOP_KEYS,
    TOKEN_SECRETS,
    key_entry,
    shop_secrets,
    write_shop_files,
)
from tests.support.signing import eddsa, es256, jwks

HOME = ORIGINS["demo"][0]
CHAT = "/v1/chat/completions"
QUESTION = {"model": "xiaoer", "messages": [{"role": "user", "content": "hello"}]}


def ask(
    url: str, key: str, origin: str | None = None, token: str | None = None, **body: Any
) -> httpx2.Response:
    sent = {"authorization": f"Bearer {key}"}
    sent |= {} if origin is None else {"origin": origin}
    sent |= {} if token is None else {"x-customer-token": token}
    return request("POST", f"{url}{CHAT}", headers=sent, json={**QUESTION, **body})


def preflight(url: str, origin: str | None, path: str = CHAT, asked: str = "") -> httpx2.Response:
    sent = {"access-control-request-method": "POST"}
    sent |= {} if origin is None else {"origin": origin}
    sent |= {} if not asked else {"access-control-request-headers": asked}
    return request("OPTIONS", f"{url}{path}", headers=sent)


def cors_headers(response: httpx2.Response) -> dict[str, str]:
    return {k: v for k, v in response.headers.items() if k.startswith("access-control-")}


def until(what: Callable[[], bool], limit_s: float = 10) -> None:
    give_up = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.1)


@pytest.fixture
def url(gateway: ServerThread, model: FakeModel) -> str:
    model.always(say("ok"))
    return gateway.url


@pytest.mark.parametrize("stream", [False, True])
def test_a_page_of_the_shop_gets_an_answer_it_may_read(url: str, stream: bool) -> None:
    for origin in ORIGINS["demo"]:
        response = ask(url, PUBLIC_KEYS["demo"], origin, customer_token(), stream=stream)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == origin
        assert response.headers["vary"] == "Origin"
        exposed = response.headers["access-control-expose-headers"]
        assert {"x-request-id", "retry-after"} <= set(exposed.split(", "))
        assert "access-control-allow-credentials" not in response.headers
        assert "*" not in cors_headers(response).values()


@pytest.mark.parametrize(
    ("key", "origin", "code"),
    [
        (PUBLIC_KEYS["demo"], None, "origin_missing"),
        (PUBLIC_KEYS["demo"], "https://evil.example", "origin_not_allowed"),
        (SHOP_KEYS["demo"], HOME, "secret_key_in_browser"),
        (SHOP_KEYS["demo"], "https://evil.example", "secret_key_in_browser"),
    ],
)
def test_a_key_from_elsewhere_is_a_clear_403(
    url: str, key: str, origin: str | None, code: str
) -> None:
    response = ask(url, key, origin)
    assert response.status_code == 403
    error = response.json()["error"]
    assert (error["type"], error["code"]) == ("permission_error", code)
    for path in ("/v1/models", "/v1/sessions/s1"):
        sent = {"authorization": f"Bearer {key}"} | ({} if origin is None else {"origin": origin})
        assert request("GET", f"{url}{path}", headers=sent).status_code == 403


def test_errors_can_be_read_by_the_shops_pages_and_by_no_others(url: str) -> None:
    assert ask(url, "pk-xiaoer-x", HOME).headers["access-control-allow-origin"] == HOME
    missing = request("GET", f"{url}/v1/none", headers={"origin": HOME})
    assert missing.status_code == 404
    assert missing.headers["access-control-allow-origin"] == HOME
    for origin in ("https://evil.example", "null", f"{HOME}.evil.example", None):
        response = ask(url, "pk-xiaoer-x", origin)
        assert response.status_code == 401
        assert not cors_headers(response)
        assert response.headers["vary"] == "Origin"


@pytest.mark.parametrize("path", [CHAT, "/chat", "/v1/models", "/v1/sessions/s1"])
def test_a_preflight_is_answered_without_a_key(url: str, path: str) -> None:
    asked = "authorization, content-type, x-customer-token, X-Session-Id, x-stainless-lang"
    response = preflight(url, HOME, path, asked)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == HOME
    assert response.headers["vary"] == "Origin"
    allowed = set(response.headers["access-control-allow-headers"].split(", "))
    assert {name.strip().lower() for name in asked.split(",")} <= allowed
    assert "POST" in response.headers["access-control-allow-methods"]
    assert int(response.headers["access-control-max-age"]) > 0


def test_a_preflight_from_elsewhere_gets_no_leave(url: str) -> None:
    for origin in ("https://evil.example", "null", "https://SHOP.example", "http://shop.example"):
        assert not cors_headers(preflight(url, origin))
    assert not cors_headers(preflight(url, None))
    allowed = preflight(url, HOME, asked="x-evil, cookie").headers["access-control-allow-headers"]
    assert not {"x-evil", "cookie", "*"} & set(allowed.split(", "))


def test_what_operators_use_is_no_pages_business(url: str) -> None:
    for path in ("/metrics", "/health/ready"):
        assert not cors_headers(request("GET", f"{url}{path}", headers={"origin": HOME}))


def test_keys_and_secrets_change_while_the_gateway_runs(
    env: dict[str, str], model: FakeModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model.always(say("ok"))
    page, key, secrets = "https://new.example", "pk-xiaoer-new", shop_secrets()
    with GatewayProcess(env, LOG_LEVEL="warning") as process:
        wait_ready(process.url)

        def status(key: str, origin: str | None = None, token: str | None = None) -> int:
            return ask(process.url, key, origin, token).status_code

        assert not cors_headers(preflight(process.url, page))
        secrets["demo"]["keys"].append(key_entry(key, page))
        secrets["demo"]["customer_tokens"]["secrets"] = ["n" * 32, TOKEN_SECRETS["demo"]]
        write_shop_files(tmp_path, secrets)
        until(lambda: bool(cors_headers(preflight(process.url, page))))
        assert status(key, page, customer_token()) == 200

        capfd.readouterr()
        write_shop_files(tmp_path, "{broken")
        printed = ""

        def warned() -> bool:
            nonlocal printed
            printed += "".join(capfd.readouterr())
            return "shops_not_reloaded" in printed

        until(warned)
        assert status(key, page) == 200  # the last good copy
        time.sleep(2)
        warned()
        (warning,) = [line for line in printed.splitlines() if "shops_not_reloaded" in line]
        assert "not as it should be" in json.loads(warning)["cause"]
        assert json.loads(warning)["remedy"]

        # The key is revoked, and the secret before the current one is gone.
        secrets["demo"]["keys"].pop()
        secrets["demo"]["customer_tokens"]["secrets"].pop()
        write_shop_files(tmp_path, secrets)
        until(lambda: status(key, page) == 401)
        assert status(SHOP_KEYS["demo"]) == 200
        assert status(SHOP_KEYS["demo"], token=customer_token()) == 401
        assert not cors_headers(preflight(process.url, page))


class Publisher:
    """A shop's JWKS as an ASGI application."""

    def __init__(self) -> None:
        self.document: Any = {}
        self.is_away = False
        self.requests = 0

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.requests += 1
        status = 500 if self.is_away else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(self.document).encode()})


def test_a_shop_signs_with_keys_that_it_publishes(
    env: dict[str, str], model: FakeModel, tmp_path: Path
) -> None:
    model.always(say("ok"))
    old, new, forged = eddsa("old"), eddsa("new"), eddsa("new")
    shop = Publisher()
    shop.document = jwks(old, new)
    secrets = shop_secrets()
    with ServerThread(shop) as published:
        url = f"{published.url}/jwks.json"
        secrets["demo"]["customer_tokens"] = {"alg": "EdDSA", "jwks_url": url}
        write_shop_files(tmp_path, secrets)
        with gateway_server(env) as server:
            wait_ready(server.url)
            client = Client(server.url)
            claims = {"sub": "alice", "shop": "demo", "exp": int(time.time()) + 600}

            def status(token: str) -> int:
                sent = {**headers(), "x-customer-token": token}
                got = request("POST", f"{client.url}{CHAT}", headers=sent, json=QUESTION)
                return got.status_code

            assert status(old.token(claims)) == status(new.token(claims)) == 200
            assert status(forged.token(claims)) == 401
            assert status(es256("new").token(claims)) == 401
            assert status(customer_token()) == 401
            for number in range(20):
                assert status(old.token(claims, kid=f"guess-{number}")) == 401
            # One at the start; unknown ids have to wait for their half-minute.
            assert shop.requests == 1
            shop.is_away = True
            assert status(new.token(claims)) == 200


def test_while_keys_were_never_fetched_visitors_are_still_answered(
    env: dict[str, str], model: FakeModel, tmp_path: Path
) -> None:
    model.always(say("ok"))
    shop = Publisher()
    shop.is_away = True
    secrets = shop_secrets()
    signer = es256()
    with ServerThread(shop) as published:
        secrets["demo"]["customer_tokens"] = {"alg": "ES256", "jwks_url": published.url}
        write_shop_files(tmp_path, secrets)
        with gateway_server(env) as server:
            wait_ready(server.url)
            claims = {"sub": "alice", "shop": "demo", "exp": int(time.time()) + 600}
            response = ask(server.url, SHOP_KEYS["demo"], token=signer.token(claims))
            assert response.status_code == 503
            assert response.headers["retry-after"] == "5"
            assert response.json()["error"]["code"] == "customer_token_keys_unavailable"
            assert ask(server.url, SHOP_KEYS["demo"]).status_code == 200
