import hashlib
import json
from pathlib import Path

import pytest

from services.gateway.app import create_app
from services.gateway.errors import SettingsError
from services.gateway.identity.shops import load_shops
from services.gateway.settings import load_settings
from tests.support.gateway import SHOPS_YAML, shop_files

GOOD = {"SERVICE_TOKEN_SECRET": "x" * 32, "SHOP_SECRETS_FILE": "secrets.json"}


def test_defaults() -> None:
    settings = load_settings(GOOD)
    assert settings.gateway_port == 8080
    assert settings.model_url == "http://127.0.0.1:8082/v1"
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


def write(folder: Path, secrets: object, shops: str = SHOPS_YAML) -> tuple[Path, Path]:
    public, secret = folder / "shops.yaml", folder / "secrets.json"
    public.write_text(shops, "utf-8")
    secret.write_text(secrets if isinstance(secrets, str) else json.dumps(secrets))
    secret.chmod(0o600)
    return public, secret


def entry(key: str, token_secret: str = "t" * 32) -> dict[str, str]:
    return {
        "key_sha256": hashlib.sha256(key.encode()).hexdigest(),
        "customer_token_secret": token_secret,
    }


@pytest.mark.parametrize(
    ("secrets", "says"),
    [
        ({"demo": entry("a")}, "no entry for shop 'other'"),
        ({"demo": entry("a"), "other": entry("a")}, "same key"),
        ({"demo": entry("a"), "other": entry("b"), "more": entry("c")}, "'more', not in"),
        ({"demo": entry("a", "short"), "other": entry("b")}, "at least 32 bytes"),
        ({"demo": {**entry("a"), "key_sha256": "zz"}, "other": entry("b")}, "not hexadecimal"),
        ({"demo": {**entry("a"), "key_sha256": "ab"}, "other": entry("b")}, "64 hex digits"),
        ("{", "not as it should be"),
        ({"demo": {"key_sha256": "ab"}}, "customer_token_secret"),
    ],
)
def test_wrong_secrets_are_named_and_never_shown(
    tmp_path: Path, secrets: object, says: str
) -> None:
    with pytest.raises(SettingsError, match=says) as info:
        load_shops(*write(tmp_path, secrets))
    assert "t" * 32 not in str(info.value)


@pytest.mark.parametrize("shops", ["shops: {}", "shops: [", "nothing: 1", "shops: {a b: 1}"])
def test_wrong_shops_are_named(tmp_path: Path, shops: str) -> None:
    with pytest.raises(SettingsError, match="SHOPS_FILE"):
        load_shops(*write(tmp_path, {}, shops))


def test_missing_and_open_files_are_refused(tmp_path: Path) -> None:
    public, secret = write(tmp_path, {"demo": entry("a"), "other": entry("b")})
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
