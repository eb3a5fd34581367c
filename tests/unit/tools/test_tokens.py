import time
from typing import Any

import jwt
import pytest

from services.tools.errors import Unauthorized
from services.tools.tokens import TokenVerifier

SECRET = "0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000


def _header(secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    claims = {
        "iss": "gateway",
        "aud": "tools",
        "shop": "demo",
        "sub": "alice",
        "exp": NOW + 30,
        "jti": "req-1",
    } | changes
    kept = {name: value for name, value in claims.items() if value is not ...}
    return f"Bearer {jwt.encode(kept, secret, algorithm)}"


def _verifier() -> TokenVerifier:
    return TokenVerifier(SECRET, now=lambda: NOW)


def test_a_good_token_names_the_caller() -> None:
    caller = _verifier().caller(_header(iat=NOW))
    assert (caller.shop, caller.customer, caller.token_id) == ("demo", "alice", "req-1")


def test_a_token_without_sub_is_a_visitors() -> None:
    assert _verifier().caller(_header(sub=...)).customer is None


def test_the_longest_lifetime_is_a_minute() -> None:
    assert _verifier().caller(_header(exp=NOW + 60, iat=NOW)).shop == "demo"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": NOW - 2}, "expired"),
        ({"exp": NOW + 90}, "longer than 60 s"),
        ({"exp": NOW + 30, "iat": NOW - 300}, "longer than 60 s"),
        ({"exp": "soon"}, "not valid"),
        ({"exp": ...}, "lacks exp"),
        ({"exp": NOW + 30, "iat": True}, "not valid"),
        ({"aud": "gateway"}, "not for this service"),
        ({"aud": ...}, "lacks aud"),
        ({"iss": "somebody"}, "not from the gateway"),
        ({"jti": ...}, "lacks jti"),
        ({"jti": ""}, "id is not usable"),
        ({"shop": ...}, "names no shop"),
        ({"shop": "../demo"}, "names no shop"),
        ({"shop": 7}, "names no shop"),
        ({"sub": ""}, "customer is not usable"),
        ({"sub": "a\x00b"}, "customer is not usable"),
        ({"sub": "a" * 200}, "customer is not usable"),
        ({"secret": "another secret of thirty-two bytes!!"}, "not valid"),
    ],
)
def test_bad_tokens_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Unauthorized, match=words):
        _verifier().caller(_header(**changes))


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c"])
def test_no_token_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthorized):
        _verifier().caller(header)


def test_unsigned_and_differently_signed_tokens_are_refused() -> None:
    unsigned = jwt.encode({"iss": "gateway", "aud": "tools", "shop": "demo"}, "", "none")
    with pytest.raises(Unauthorized):
        _verifier().caller(f"Bearer {unsigned}")
    with pytest.raises(Unauthorized):
        _verifier().caller(_header(secret=SECRET * 2, algorithm="HS512"))


def test_the_clock_is_the_real_one_unless_given() -> None:
    header = _header(exp=int(time.time()) + 30)
    assert TokenVerifier(SECRET).caller(header).shop == "demo"
