"""Forged and borrowed credentials, guessed and fixed sessions."""

import base64
import json
import time
import warnings
from typing import Any

import httpx
import jwt
import pytest

from tests.integration.gateway.conftest import Client
from tests.security.complying_model import ComplyingModel
from tests.security.conftest import ATTACKER, FOREIGN
from tests.support.gateway import SERVICE_SECRET, customer_token, request
from tests.support.shops import AGENT_KEYS, SHOP_KEYS, TOKEN_SECRETS

NOW = int(time.time())
GOOD = {"sub": "alice", "shop": "demo", "exp": NOW + 6000}
ORDER = next(order for order in FOREIGN if order.customer == "alice" and len(order.marks) == 2)


def _coded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _signed(claims: dict[str, Any], secret: str = TOKEN_SECRETS["demo"], alg: str = "HS256") -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # An attacker does not mind a short key.
        return jwt.encode(claims, secret, algorithm=alg)


_GOOD_TOKEN = _signed(GOOD)
_HEAD, _BODY, _SIGN = _GOOD_TOKEN.split(".")
FORGED = {
    "nonsense": "nonsense",
    "no-parts": "..",
    "unsigned": jwt.encode(GOOD, "", algorithm="none"),
    "none-in-capitals": f"{_coded({'alg': 'NONE', 'typ': 'JWT'})}.{_BODY}.",
    "signature-cut-off": f"{_HEAD}.{_BODY}.",
    "body-swapped": f"{_HEAD}.{_coded({**GOOD, 'sub': 'carol'})}.{_SIGN}",
    "another-secret": _signed(GOOD, "another-secret-another-secret-0123456789"),
    "other-shops-secret": _signed(GOOD, TOKEN_SECRETS["other"]),
    "other-shops-token": _signed({**GOOD, "shop": "other"}, TOKEN_SECRETS["other"]),
    "shop-swapped": _signed({**GOOD, "shop": "other"}),
    "hs384": _signed(GOOD, alg="HS384"),
    "hs512": _signed(GOOD, alg="HS512"),
    "expired": _signed({**GOOD, "exp": NOW - 3600}),
    "never-expires": _signed({"sub": "alice", "shop": "demo"}),
    "lives-for-years": _signed({**GOOD, "exp": NOW + 400 * 86400}),
    "no-subject": _signed({"shop": "demo", "exp": NOW + 600}),
    "empty-subject": _signed({**GOOD, "sub": ""}),
    "subject-is-a-list": _signed({**GOOD, "sub": ["alice"]}),
    "subject-is-a-number": f"{_HEAD}.{_coded({**GOOD, 'sub': 1})}.{_SIGN}",
    "no-shop": _signed({"sub": "alice", "exp": NOW + 600}),
    "key-as-token": SHOP_KEYS["demo"],
    "agents-key-as-token": AGENT_KEYS["mei"],
    "service-token": jwt.encode(
        {"iss": "gateway", "aud": "tools", "shop": "demo", "sub": "alice", "exp": NOW + 55,
         "jti": "x"}, SERVICE_SECRET, algorithm="HS256",
    ),
    "jku-header": jwt.encode(GOOD, "x" * 40, algorithm="HS256",
                             headers={"jku": "http://127.0.0.1:9/k", "kid": "../../etc/passwd"}),
}  # fmt: skip


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
@pytest.mark.parametrize("address", ["/v1/chat/completions", "/chat", "/v1/customers/me"])
def test_a_forged_token_is_nobodys(
    client: Client, model: ComplyingModel, token: str, address: str
) -> None:
    sent = {"authorization": f"Bearer {SHOP_KEYS['demo']}", "x-customer-token": token}
    body: dict[str, Any] = {"messages": [{"role": "user", "content": ORDER.id}]}
    if address == "/chat":
        body = {"query": ORDER.id}
    method = "GET" if address.endswith("/me") else "POST"
    options = {} if method == "GET" else {"json": body}
    reply = request(method, f"{client.url}{address}", headers=sent, **options)
    assert reply.status_code == 401, reply.text
    assert model.seen == []
    assert not any(mark in reply.text for mark in ORDER.marks)


KEYS = {
    "none": None, "wrong": "Bearer sk-xiaoer-wrong", "empty": "Bearer", "basic": "Basic YTpi",
    "agents": f"Bearer {AGENT_KEYS['mei']}", "cut": f"Bearer {SHOP_KEYS['demo'][:-1]}",
    "token": f"Bearer {_GOOD_TOKEN}",
}  # fmt: skip


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_without_a_shops_key_nothing_opens(
    client: Client, model: ComplyingModel, key: str | None
) -> None:
    sent = {"x-customer-token": customer_token()}
    if key is not None:
        sent["authorization"] = key
    body = {"messages": [{"role": "user", "content": ORDER.id}]}
    reply = request("POST", f"{client.url}/v1/chat/completions", headers=sent, json=body)
    assert reply.status_code == 401
    assert model.seen == []


def test_one_shops_token_does_not_open_another_shops_orders(
    client: Client, model: ComplyingModel
) -> None:
    for customer in ("alice", "bob"):
        reply = client.chat(ORDER.id, shop="other", customer=customer)
        assert reply.status_code == 200, reply.text
        assert not any(mark in reply.text + model.told() for mark in ORDER.marks)
    assert "order_not_found" in model.told()


WHO = {
    "another-customer": {"customer": ATTACKER},
    "a-visitor": {},
    "another-shop": {"shop": "other", "customer": "alice"},
}


@pytest.mark.parametrize("who", WHO.values(), ids=WHO.keys())
def test_a_session_is_its_owners(
    client: Client, model: ComplyingModel, who: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    session = f"alice-{request.node.callspec.id}"
    client.chat(f"{ORDER.id}", customer="alice", session=session)
    address = f"/v1/sessions/{session}"
    shown = client.get(address, **who)
    assert shown.status_code == 404
    assert shown.json() == client.get("/v1/sessions/never-was", **who).json()
    assert client.delete(address, **who).status_code == 404
    assert client.get(f"{address}/events", **who).status_code == 404
    model.seen.clear()
    spoken = client.chat("上面的运单号是多少", session=session, **who)
    assert not any(mark in spoken.text + model.told() for mark in ORDER.marks)
    assert len(client.turns(session, customer="alice")) == 1


def test_a_session_fixed_by_an_attacker_does_not_follow_its_victim(
    client: Client, model: ComplyingModel
) -> None:
    """The attacker begins a session, has the victim use it, and comes back."""
    client.chat("hello", session="fixed")
    moved = client.chat(ORDER.id, session="fixed", customer="alice").json()["xiaoer"]["session_id"]
    assert moved != "fixed"
    model.seen.clear()
    for session in ("fixed", moved):
        for who in ({}, {"customer": ATTACKER}):
            reply = client.chat("repeat it", session=session, **who)
            assert not any(mark in reply.text + model.told() for mark in ORDER.marks)


SERVICE = {"iss": "gateway", "aud": "tools", "shop": "demo", "sub": "alice", "jti": "s"}
SERVICE_FORGED: dict[str, tuple[dict[str, Any], str, str]] = {
    "expired": ({"exp": NOW - 60}, SERVICE_SECRET, "HS256"),
    "lives-long": ({"exp": NOW + 7200}, SERVICE_SECRET, "HS256"),
    "never-expires": ({}, SERVICE_SECRET, "HS256"),
    "another-audience": ({"exp": NOW + 50, "aud": "gateway"}, SERVICE_SECRET, "HS256"),
    "another-issuer": ({"exp": NOW + 50, "iss": "alice"}, SERVICE_SECRET, "HS256"),
    "another-secret": ({"exp": NOW + 50}, "x" * 40, "HS256"),
    "customers-secret": ({"exp": NOW + 50}, TOKEN_SECRETS["demo"], "HS256"),
    "another-algorithm": ({"exp": NOW + 50}, SERVICE_SECRET, "HS512"),
    "unsigned": ({"exp": NOW + 50}, "", "none"),
    "no-id": ({"exp": NOW + 50, "jti": ""}, SERVICE_SECRET, "HS256"),
}
TOOLS: dict[str, dict[str, Any]] = {
    "query_order_status": {"order_id": ORDER.id},
    "list_recent_orders": {},
    "query_inventory": {"product": "WH-PRO-001"},
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("forged", SERVICE_FORGED.values(), ids=SERVICE_FORGED.keys())
def test_the_tools_service_checks_for_itself(
    tools_url: str, forged: tuple[dict[str, Any], str, str], tool: str
) -> None:
    changes, secret, alg = forged
    token = _signed({**SERVICE, **changes}, secret, alg)
    reply = httpx.post(
        f"{tools_url}/v1/tools/{tool}",
        json=TOOLS[tool],
        headers={"authorization": f"Bearer {token}"},
    )
    assert reply.status_code == 401
    assert not any(mark in reply.text for mark in ORDER.marks)


EXTRAS: list[dict[str, Any]] = [
    {"customer": "alice"}, {"customer_id": "alice"}, {"sub": "alice"}, {"shop": "demo"},
    {"admin": True}, {"filter": "1=1"}, {"as": "alice"}, {"token": "x"},
]  # fmt: skip
INJECTED = [
    f"{ORDER.id}' OR '1'='1", f"{ORDER.id}'--", "' UNION SELECT * FROM orders --", "%", "_" * 14,
    f"{ORDER.id}\u0000", "*", f"({ORDER.id})", "ORD2024%", f"{ORDER.id}; DROP TABLE orders",
]  # fmt: skip


def _as_attacker(tools_url: str, arguments: dict[str, Any]) -> httpx.Response:
    claims = {**SERVICE, "sub": ATTACKER, "exp": int(time.time()) + 50}
    token = jwt.encode(claims, SERVICE_SECRET, algorithm="HS256")
    return httpx.post(
        f"{tools_url}/v1/tools/query_order_status",
        json=arguments,
        headers={"authorization": f"Bearer {token}"},
    )


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: next(iter(extra)))
def test_arguments_do_not_choose_the_customer(tools_url: str, extra: dict[str, Any]) -> None:
    reply = _as_attacker(tools_url, {"order_id": ORDER.id, **extra})
    assert not any(mark in reply.text for mark in ORDER.marks)
    assert reply.status_code in {200, 400, 422}


@pytest.mark.parametrize("number", INJECTED)
def test_order_numbers_are_values_and_no_sql(tools_url: str, number: str) -> None:
    reply = _as_attacker(tools_url, {"order_id": number})
    assert reply.status_code < 500
    assert not any(mark in reply.text for order in FOREIGN for mark in order.marks)
    assert _as_attacker(tools_url, {"order_id": ORDER.id}).json() == {"error": "order_not_found"}
