from pathlib import Path

import pytest

from services.gateway.app import create_app
from services.gateway.errors import SettingsError
from services.gateway.identity.shops import load_shops
from services.gateway.settings import load_settings
from tests.support.gateway import shop_files
from tests.support.shops import key_entry
from tests.support.shops import shop_entry as entry
from tests.support.shops import write_shop_files as write

SECRET = "t" * 32
GOOD = {"SERVICE_TOKEN_SECRET": "x" * 32, "SHOP_SECRETS_FILE": "secrets.json"}


def test_defaults() -> None:
    settings = load_settings(GOOD)
    assert settings.gateway_port == 8080
    assert settings.model_url == ("http://127.0.0.1:8082/v1",)
    assert (settings.session_turns, settings.session_ttl_s) == (5, 3600)
    assert (settings.deadline_s, settings.tool_rounds) == (30.0, 4)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"SERVICE_TOKEN_SECRET": ""}, "SERVICE_TOKEN_SECRET is not set"),
        ({"SERVICE_TOKEN_SECRET": "short"}, "SERVICE_TOKEN_SECRET must have at least 32"),
        ({"SHOP_SECRETS_FILE": " "}, "SHOP_SECRETS_FILE is not set"),
        ({"GATEWAY_PORT": "http"}, "GATEWAY_PORT must be a whole number"),
        ({"GATEWAY_PORT": "0"}, "GATEWAY_PORT must be from 1"),
        ({"DEADLINE_S": "soon"}, "DEADLINE_S must be a number"),
        ({"DEADLINE_S": "nan"}, "DEADLINE_S must be from"),
        ({"MODEL_URL": "localhost:8000"}, "MODEL_URL must be a URL"),
        ({"REDIS_URL": "http://x"}, "REDIS_URL must be a URL"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL must be one of"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, str], names: str) -> None:
    with pytest.raises(SettingsError, match=names):
        load_settings({**GOOD, **changes})


def rules(**rules: object) -> dict[str, object]:
    return {"keys": [], "customer_tokens": rules}


def key(**changes: object) -> dict[str, object]:
    return {**entry("a", SECRET), "keys": [{**key_entry("a"), **changes}]}


PUBLIC = {"kind": "public"}
B = entry("b", SECRET)


@pytest.mark.parametrize(
    ("secrets", "says"),
    [
        ({"demo": B}, "no entry for shop 'other'; run: make shop"),
        ({"demo": B, "other": B}, "is there twice"),
        ({"demo": key(), "other": B, "more": entry("c", SECRET)}, "'more', not in"),
        ("{", "not as it should be"),
        (
            {"demo": {"key_sha256": "ab"}},
            "entry of 'demo', or remove it and make it anew with `make shop`",
        ),
        ({"demo": rules(alg="HS256", secrets=["short"])}, "at least 32 bytes"),
        ({"demo": rules(alg="HS256", secrets=[])}, "one or two secrets"),
        ({"demo": rules(alg="HS256", secrets=[SECRET] * 3)}, "one or two secrets"),
        ({"demo": rules(alg="none")}, "Invalid enum value"),
        ({"demo": rules(alg="HS256", secrets=[SECRET], jwks_url="https://x")}, "jwks_url and jwks"),
        ({"demo": rules(alg="ES256", secrets=[SECRET])}, "no secrets"),
        ({"demo": rules(alg="ES256")}, "either jwks_url or jwks"),
        ({"demo": rules(alg="ES256", jwks={"keys": []})}, "no key for ES256"),
        ({"demo": rules(alg="EdDSA", jwks_url="http://shop.example/jwks")}, "https://"),
        ({"demo": rules(alg="EdDSA", jwks_url="https://u:p@shop.example/jwks")}, "a user"),
        ({"demo": rules(alg="EdDSA", jwks_url="https://[::1/jwks")}, "no URL"),
        ({"demo": key(sha256="zz")}, "64 hexadecimal digits"),
        ({"demo": key(sha256="AB" * 32)}, "lower case"),
        ({"demo": key(id="")}, "1 to 64 printable"),
        ({"demo": key(kind="admin")}, "Invalid enum value"),
        ({"demo": key(created_at="2026-11-01T08:00:00")}, "time zone"),
        ({"demo": key(origins=["https://shop.example"])}, "a secret key has no origins"),
        ({"demo": key(kind="public")}, "at least one origin"),
        ({"demo": key(**PUBLIC, origins=["*"])}, "as browsers do"),
        ({"demo": {**B, "keys": [*B["keys"], *B["keys"]]}}, "same id"),
    ],
)
def test_wrong_secrets_are_named_and_never_shown(
    tmp_path: Path, secrets: object, says: str
) -> None:
    with pytest.raises(SettingsError, match=says) as info:
        load_shops(*write(tmp_path, secrets))
    assert SECRET not in str(info.value)


@pytest.mark.parametrize(
    "shops", ["shops: {}", "shops: [", "shops: {a: 2026-13-45}", "nothing: 1", "shops: {a b: 1}"]
)
def test_wrong_shops_are_named(tmp_path: Path, shops: str) -> None:
    with pytest.raises(SettingsError, match="SHOPS_FILE"):
        load_shops(*write(tmp_path, {}, shops))


def test_missing_and_open_files_are_refused(tmp_path: Path) -> None:
    public, secret = write(tmp_path, {"demo": entry("a", SECRET), "other": B})
    with pytest.raises(SettingsError, match="cannot be read"):
        load_shops(tmp_path / "none.yaml", secret)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_shops(public, tmp_path / "none.json")
    secret.chmod(0o604)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_shops(public, secret)


def test_the_application_is_made_without_opening_anything(tmp_path: Path) -> None:
    app = create_app(load_settings(shop_files(tmp_path)))
    assert {"/v1/chat/completions", "/chat", "/health/live"} <= {r.path for r in app.routes}
