"""What bad input gets: OpenAI's error shape, the right status, the field at fault."""

import time

import httpx2
import jwt
import openai
import pytest

from tests.integration.gateway.conftest import Client
from tests.support.fake_model import FakeModel, say
from tests.support.gateway import ServerThread, customer_token, headers, request
from tests.support.shops import SHOP_KEYS, TOKEN_SECRETS

HI = [{"role": "user", "content": "hi"}]


def assert_error(got: httpx2.Response, status: int, code: str, param: str | None = None) -> None:
    assert got.status_code == status, got.text
    error = got.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert len(error["message"]) > 10
    assert "Traceback" not in got.text
    assert got.headers["x-request-id"]


BAD_BODIES = [
    (b"{not json", "invalid_json", None),
    (b"", "invalid_json", None),
    (b"[]", "invalid_json", None),
    (b'"\xff"', "invalid_json", None),
    (b'{"messages":' + b"[" * 5000, "invalid_json", None),
    ({}, "invalid_type", "messages"),
    ({"messages": "hi"}, "invalid_type", "messages"),
    ({"messages": []}, "empty_messages", "messages"),
    ({"messages": HI * 201}, "too_many_messages", "messages"),
    ({"messages": ["hi"]}, "invalid_type", "messages[0]"),
    ({"messages": [{"role": "user", "content": ""}]}, "empty_message", "messages[0].content"),
    ({"messages": [{"role": "user", "content": " \n"}]}, "empty_message", "messages[0].content"),
    ({"messages": [{"role": "user"}]}, "invalid_type", "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "invalid_type", "messages[0].content"),
    ({"messages": [{"role": 1, "content": "x"}]}, "invalid_type", "messages[0].role"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        "unsupported_content",
        "messages[0].content[0].type",
    ),
    (
        {"messages": [{"role": "user", "content": "字" * 8001}]},
        "message_too_long",
        "messages[0].content",
    ),
    ({"messages": [{"role": "system", "content": "x"}, *HI]}, "invalid_role", "messages[0].role"),
    ({"messages": [{"role": "developer", "content": "x"}]}, "invalid_role", "messages[0].role"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "invalid_role", "messages[0].role"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "invalid_role", "messages[0].role"),
    (
        {"messages": [{"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]}, *HI]},
        "unsupported_parameter",
        "messages[0].tool_calls",
    ),
    ({"messages": HI, "tools": [{"type": "function"}]}, "unsupported_parameter", "tools"),
    ({"messages": HI, "tool_choice": "auto"}, "unsupported_parameter", "tool_choice"),
    ({"messages": HI, "functions": [{}]}, "unsupported_parameter", "functions"),
    ({"messages": HI, "n": 2}, "unsupported_parameter", "n"),
    ({"messages": HI, "n": True}, "unsupported_parameter", "n"),
    (
        {"messages": HI, "response_format": {"type": "json_object"}},
        "unsupported_parameter",
        "response_format",
    ),
    ({"messages": HI, "logprobs": True}, "unsupported_parameter", "logprobs"),
    ({"messages": HI, "stop": ["x"]}, "unsupported_parameter", "stop"),
    ({"messages": HI, "nonsense": 1}, "unsupported_parameter", "nonsense"),
    ({"messages": HI, "temperature": "hot"}, "invalid_type", "temperature"),
    ({"messages": HI, "max_tokens": 1.5}, "invalid_type", "max_tokens"),
    ({"messages": HI, "stream": "yes"}, "invalid_type", "stream"),
    ({"messages": HI, "user": 7}, "invalid_type", "user"),
    ({"messages": HI, "user": "a b"}, "invalid_session_id", "user"),
    ({"messages": HI, "model": 7}, "invalid_type", "model"),
    ({"messages": HI, "stream_options": {}}, "unsupported_parameter", "stream_options"),
    (
        {"messages": HI, "stream": True, "stream_options": {"include_usage": 1}},
        "invalid_type",
        "stream_options.include_usage",
    ),
    (
        {"messages": [*HI, {"role": "assistant", "content": "x"}, *HI], "user": "s1"},
        "one_message_per_session",
        "messages",
    ),
]


def test_bad_bodies_are_named(client: Client, model: FakeModel) -> None:
    for body, code, param in BAD_BODIES:
        assert_error(client.post(body), 400, code, param)
    assert model.seen == []


def test_harmless_fields_are_ignored(client: Client, model: FakeModel) -> None:
    model.always(say("Fine."))
    body = {
        "model": "xiaoer",
        "messages": HI,
        "temperature": 1,
        "top_p": 0.9,
        "max_tokens": 5,
        "n": 1,
        "seed": 3,
        "response_format": {"type": "text"},
        "tools": [],
        "stop": None,
        "logprobs": False,
        "user": "",
        "metadata": {"a": "b"},
        "stream": False,
    }
    assert client.post(body).status_code == 200
    assert model.seen[0].body["max_tokens"] == 256


def test_an_unknown_model_is_404(client: Client) -> None:
    got = client.post({"model": "gpt-4o", "messages": HI})
    assert_error(got, 404, "model_not_found", "model")


def test_the_official_client_raises_its_own_errors(gateway: ServerThread) -> None:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="wrong", max_retries=0) as wrong:
        with pytest.raises(openai.AuthenticationError) as info:
            wrong.chat.completions.create(
                model="xiaoer", messages=[{"role": "user", "content": "hi"}]
            )
        assert info.value.code == "invalid_api_key"


@pytest.mark.parametrize("size", [262_145, 1_048_576, 6_000_000])
def test_a_large_body_is_413(client: Client, size: int) -> None:
    body = b'{"messages":[{"role":"user","content":"' + b"a" * size + b'"}]}'
    assert_error(client.post(body), 413, "body_too_large")


@pytest.mark.parametrize("session", ["a b", "-x", "x" * 129, "a:b", "é"])
def test_a_malformed_session_id_is_refused(gateway: ServerThread, session: str) -> None:
    sent = {**headers(), "x-session-id": session.encode("latin-1")}
    got = request("POST", f"{gateway.url}/v1/chat/completions", json={"messages": HI}, headers=sent)
    assert_error(got, 400, "invalid_session_id", "X-Session-Id")


def test_the_short_form_is_checked_too(client: Client) -> None:
    assert_error(client.post({}, "/chat"), 400, "invalid_type", "query")
    assert_error(client.post({"query": ""}, "/chat"), 400, "empty_message", "query")
    bad = client.post({"query": "x", "session_id": 5}, "/chat")
    assert_error(bad, 400, "invalid_session_id", "session_id")
    extra = client.post({"query": "x", "system": "y"}, "/chat")
    assert_error(extra, 400, "unsupported_parameter", "system")


def test_unknown_addresses_and_methods(client: Client) -> None:
    assert_error(client.get("/v1/nothing"), 404, "unknown_url")
    assert_error(client.get("/v1/chat/completions"), 405, "method_not_allowed")


def test_keys_are_checked(gateway: ServerThread) -> None:
    url = f"{gateway.url}/v1/chat/completions"
    for sent, code in (
        ({}, "missing_api_key"),
        ({"authorization": "Bearer"}, "missing_api_key"),
        ({"authorization": "Basic abc"}, "missing_api_key"),
        ({"authorization": "Bearer sk-xiaoer-nobody"}, "invalid_api_key"),
    ):
        got = request("POST", url, json={"messages": HI}, headers=sent)
        assert_error(got, 401, code)
        assert got.headers["www-authenticate"] == "Bearer"
    assert_error(request("GET", f"{gateway.url}/v1/models"), 401, "missing_api_key")


def test_customer_tokens_are_checked(gateway: ServerThread, model: FakeModel) -> None:
    model.always(say("ok"))
    now = int(time.time())
    good = customer_token()
    cases = [
        ("nonsense", "invalid_customer_token"),
        (good[:-2] + ("aa" if good[-2:] != "aa" else "bb"), "invalid_customer_token"),
        (customer_token(exp=now - 31), "customer_token_expired"),
        (customer_token(exp=None), "invalid_customer_token"),
        (customer_token(sub=""), "invalid_customer_token"),
        (customer_token(sub="x" * 129), "invalid_customer_token"),
        (customer_token().replace(".", "", 1), "invalid_customer_token"),
        (customer_token("alice", "other"), "invalid_customer_token"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsInNob3AiOiJkZW1vIn0.", "invalid_customer_token"),
    ]
    url = f"{gateway.url}/v1/chat/completions"
    key = {"authorization": f"Bearer {SHOP_KEYS['demo']}"}
    for token, code in cases:
        got = request(
            "POST", url, json={"messages": HI}, headers={**key, "x-customer-token": token}
        )
        assert_error(got, 401, code, "X-Customer-Token")
    within_skew = {**key, "x-customer-token": customer_token(exp=now - 10)}
    assert request("POST", url, json={"messages": HI}, headers=within_skew).status_code == 200


def test_a_token_of_another_shop_with_this_shops_signature_is_refused(
    gateway: ServerThread,
) -> None:
    claims = {"sub": "alice", "shop": "other", "exp": int(time.time()) + 60}
    token = jwt.encode(claims, TOKEN_SECRETS["demo"], algorithm="HS256")
    key = {"authorization": f"Bearer {SHOP_KEYS['demo']}", "x-customer-token": token}
    got = request("POST", f"{gateway.url}/v1/chat/completions", json={"messages": HI}, headers=key)
    assert_error(got, 401, "invalid_customer_token", "X-Customer-Token")
