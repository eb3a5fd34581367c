import base64
import json
import time
import warnings
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from services.gateway.errors import NotAuthenticatedError
from services.gateway.identity.customer_tokens import MAX_LIFE_S, SKEW_S, CustomerTokens
from services.gateway.identity.jwks import KeySources
from services.gateway.identity.secret_file import TokenRules
from services.gateway.identity.shops import Shop, ShopProfile, ShopText
from tests.support.signing import Signer, eddsa, es256, jwks, p384

SECRET, PREVIOUS = "current-secret-" * 4, "previous-secret-" * 4
PROFILE = ShopProfile(ShopText("店", "Shop"), ShopText("亲", "kind"))


def shop(rules: TokenRules) -> Shop:
    return Shop("demo", PROFILE, (), rules, rules.key_set())


HS256 = shop(TokenRules("HS256", (SECRET, PREVIOUS)))


def claims(**changes: Any) -> dict[str, Any]:
    made = {"sub": "alice", "shop": "demo", "exp": int(time.time()) + 600, **changes}
    return {name: value for name, value in made.items() if value is not ...}


def hs256(secret: str = SECRET, **changes: Any) -> str:
    return jwt.encode(claims(**changes), secret, algorithm="HS256")


def raw_token(header: bytes, payload: bytes, signature: bytes = b"x") -> str:
    parts = (header, payload, signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def customer(token: str, of: Shop = HS256) -> str:
    return await CustomerTokens(KeySources(print)).customer(of, token)


async def refused(token: str, of: Shop = HS256) -> NotAuthenticatedError:
    with pytest.raises(NotAuthenticatedError) as info:
        await customer(token, of)
    assert (info.value.status, info.value.param) == (401, "X-Customer-Token")
    return info.value


async def test_a_good_token_names_the_customer() -> None:
    assert await customer(hs256()) == "alice"
    now = int(time.time())
    assert await customer(hs256(iat=now, nbf=now, aud="any", jti="1")) == "alice"


async def test_two_secrets_are_valid_at_once_and_others_are_not() -> None:
    assert await customer(hs256(PREVIOUS)) == "alice"
    after = shop(TokenRules("HS256", ("next-secret-" * 4, SECRET)))
    assert await customer(hs256(SECRET), after) == "alice"
    assert "signature" in (await refused(hs256(PREVIOUS), after)).message
    assert "signature" in (await refused(hs256("forged-secret-" * 4))).message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"exp": ...}, "lacks 'exp'"),
        ({"sub": ...}, "lacks 'sub'"),
        ({"shop": ...}, "lacks 'shop'"),
        ({"shop": "other"}, "another shop"),
        ({"shop": ["demo"]}, "another shop"),
        ({"sub": ""}, "1 to 128"),
        ({"sub": "x" * 129}, "1 to 128"),
        ({"sub": "a\nb"}, "printed"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"iat": "then"}, "malformed"),
    ],
)
async def test_claims_that_cannot_be_used(changes: dict[str, Any], says: str) -> None:
    error = await refused(hs256(**changes))
    assert says in error.message
    assert error.code == "invalid_customer_token"


async def test_time_is_kept_within_the_skew() -> None:
    now = int(time.time())
    assert await customer(hs256(exp=now - SKEW_S + 5)) == "alice"
    assert (await refused(hs256(exp=now - SKEW_S - 5))).code == "customer_token_expired"
    soon, later = now + SKEW_S - 5, now + SKEW_S + 60
    assert await customer(hs256(nbf=soon, iat=soon)) == "alice"
    for token in (hs256(nbf=later), hs256(iat=later)):
        assert "not come yet" in (await refused(token)).message


async def test_no_token_lives_for_ever() -> None:
    now = int(time.time())
    assert await customer(hs256(exp=now + MAX_LIFE_S)) == "alice"
    for end in (now + MAX_LIFE_S + SKEW_S + 60, 10**18, 1e300):
        assert "31 days" in (await refused(hs256(exp=end))).message


@pytest.mark.parametrize("alg", ["HS384", "HS512", "none", "None", "", "RS256", None, 1, ["HS256"]])
async def test_the_token_does_not_choose_the_algorithm(alg: object) -> None:
    header = json.dumps({"typ": "JWT", "alg": alg}).encode()
    payload = json.dumps(claims()).encode()
    for signature in (b"", b"x"):
        error = await refused(raw_token(header, payload, signature))
        assert error.code == "invalid_customer_token"
    if alg in ("HS384", "HS512"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library finds the secret short for these
            signed = jwt.encode(claims(), SECRET, algorithm=str(alg))
        assert "not signed with HS256" in (await refused(signed)).message


async def test_an_unsigned_token_is_refused_whatever_the_shop_uses() -> None:
    token = jwt.encode(claims(), "", algorithm="none")
    assert "not signed with HS256" in (await refused(token)).message
    es256_shop = shop(TokenRules("ES256", jwks=jwks(es256())))
    assert "not signed with ES256" in (await refused(token, es256_shop)).message


async def test_a_public_key_is_no_secret() -> None:
    # The classic: the attacker signs with HS256 and the public key, which everybody knows.
    signer = es256()
    of = shop(TokenRules("ES256", jwks=jwks(signer)))
    public = signer.key.public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for secret in (pem, json.dumps(signer.jwk).encode()):
        header = json.dumps({"typ": "JWT", "alg": "HS256", "kid": "k1"}).encode()
        unsigned = raw_token(header, json.dumps(claims()).encode()).rpartition(".")[0]
        digest = jwt.get_algorithm_by_name("HS256").sign(unsigned.encode(), secret * 4)
        signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert "not signed with ES256" in (await refused(f"{unsigned}.{signature}", of)).message
        lying = json.dumps({"typ": "JWT", "alg": "ES256", "kid": "k1"}).encode()
        unsigned = raw_token(lying, json.dumps(claims()).encode()).rpartition(".")[0]
        assert "signature" in (await refused(f"{unsigned}.{signature}", of)).message


@pytest.mark.parametrize("make", [es256, eddsa])
async def test_two_public_keys_are_valid_at_once_by_their_ids(make: Any) -> None:
    old, new, stranger = make("old"), make("new"), make("new")
    of = shop(TokenRules(old.alg, jwks=jwks(old, new)))
    assert await customer(old.token(claims()), of) == "alice"
    assert await customer(new.token(claims()), of) == "alice"
    assert "signature" in (await refused(stranger.token(claims()), of)).message
    assert "signature" in (await refused(old.token(claims(), kid="new"), of)).message
    assert "'kid'" in (await refused(old.token(claims(), kid="third"), of)).message
    unnamed = Signer(old.alg, None, old.key)
    assert "'kid'" in (await refused(unnamed.token(claims()), of)).message
    rotated = shop(TokenRules(old.alg, jwks=jwks(new)))
    assert "'kid'" in (await refused(old.token(claims()), rotated)).message


async def test_a_single_key_needs_no_id() -> None:
    signer = eddsa(None)
    of = shop(TokenRules("EdDSA", jwks=jwks(signer)))
    assert await customer(signer.token(claims()), of) == "alice"


async def test_the_shops_algorithm_is_the_only_one() -> None:
    of = shop(TokenRules("ES256", jwks=jwks(es256("k1"))))
    for signer in (eddsa("k1"), p384("k1")):
        assert "not signed with ES256" in (await refused(signer.token(claims()), of)).message
    assert "not signed with HS256" in (await refused(es256().token(claims()))).message


@pytest.mark.parametrize(
    "token",
    [
        *("", "x", "a.b", "a.b.c", "....", "é.é.é", "x" * 5000),
        raw_token(b"[" * 2000, b"{}"),
        raw_token(b'{"alg":"HS256"}', b"[" * 2000),
        raw_token(b'{"alg":"HS256","kid":["a"]}', b"{}"),
        raw_token(b'{"alg":"HS256","crit":["x"],"x":1}', b"{}"),
        raw_token(b'{"alg":"HS256","kid":"' + b"k" * 200 + b'"}', b"{}"),
        raw_token(b'"HS256"', b"{}"),
    ],
)
async def test_nonsense(token: str) -> None:
    assert (await refused(token)).code == "invalid_customer_token"


async def test_what_is_signed_but_no_object_is_refused() -> None:
    for payload in (b"[" * 1500, b"[]", b"1", b"\xff"):
        unsigned = raw_token(b'{"alg":"HS256"}', payload).rpartition(".")[0]
        digest = jwt.get_algorithm_by_name("HS256").sign(unsigned.encode(), SECRET.encode())
        signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert "malformed" in (await refused(f"{unsigned}.{signature}")).message
