from pathlib import Path

import pytest

from services.gateway.errors import ForbiddenError, NotAuthenticatedError, SettingsError
from services.gateway.identity.directory import ShopDirectory
from services.gateway.identity.jwks import KeySources
from services.gateway.identity.keys import check_origin, key_hash, make_key
from services.gateway.identity.secret_file import read_secrets, write_secrets
from services.gateway.identity.shops import load_shops
from services.gateway.identity.tokens import Authenticator
from tests.support.logs import LogSpy
from tests.support.shops import ORIGINS, PUBLIC_KEYS, SHOP_KEYS, shop_secrets, write_shop_files

SECRET, PUBLIC = SHOP_KEYS["demo"], PUBLIC_KEYS["demo"]
HOME = ORIGINS["demo"][0]


def authenticator(folder: Path) -> Authenticator:
    directory = ShopDirectory(*write_shop_files(folder), LogSpy())
    return Authenticator(directory, KeySources(print))


def test_a_key_is_long_random_and_only_its_hash_is_kept() -> None:
    key, kept = make_key("secret")
    other, _ = make_key("secret")
    assert key.startswith("sk-xiaoer-")
    assert len(key.removeprefix("sk-xiaoer-")) >= 43  # 256 bits in base64
    assert key != other
    assert key not in repr(kept)
    assert kept.sha256 == key_hash(key)
    assert make_key("public", ["https://a.example"])[0].startswith("pk-xiaoer-")


def test_origins_go_with_public_keys_alone() -> None:
    with pytest.raises(ValueError, match="at least one origin"):
        make_key("public")
    with pytest.raises(ValueError, match="no origins"):
        make_key("secret", ["https://a.example"])
    _, kept = make_key("public", ["https://a.example", "https://a.example"])
    assert kept.origins == ("https://a.example",)


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "https://shop.example:8443",
        "http://localhost:3000",
        "http://[::1]:8080",
        "https://xn--fiq228c.example",
    ],
)
def test_origins(origin: str) -> None:
    check_origin(origin)


@pytest.mark.parametrize(
    "origin",
    [
        *("", "*", "null", "shop.example", "https://", "file:///x", "ftp://shop.example"),
        *("https://shop.example/", "https://shop.example/a", "https://shop.example?x"),
        *("https://SHOP.example", "https://shop.example:443", "http://shop.example:80"),
        *("https://*.shop.example", "https://u@shop.example", "https://shop.example:x"),
        *("https://店.example", "https://a.example https://b.example", "https://[::1"),
    ],
)
def test_what_no_browser_sends_is_no_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="as browsers do"):
        check_origin(origin)


def test_each_key_opens_its_own_shop(tmp_path: Path) -> None:
    auth = authenticator(tmp_path)
    shop, key = auth.shop(f"Bearer {SECRET}", None)
    assert (shop.id, key.kind) == ("demo", "secret")
    shop, key = auth.shop(f"bearer  {PUBLIC} ", HOME)
    assert (shop.id, key.kind) == ("demo", "public")
    assert auth.shop(f"Bearer {SHOP_KEYS['other']}", None)[0].id == "other"


@pytest.mark.parametrize(
    ("key", "origin", "code"),
    [
        (PUBLIC, None, "origin_missing"),
        (PUBLIC, "https://evil.example", "origin_not_allowed"),
        (PUBLIC, "null", "origin_not_allowed"),
        (PUBLIC, HOME.upper(), "origin_not_allowed"),
        (PUBLIC, f"{HOME}:443", "origin_not_allowed"),
        (PUBLIC, f"{HOME}.evil.example", "origin_not_allowed"),
        (SECRET, HOME, "secret_key_in_browser"),
        (SECRET, "null", "secret_key_in_browser"),
        (SECRET, "", "secret_key_in_browser"),
    ],
)
def test_a_key_is_refused_from_elsewhere(
    tmp_path: Path, key: str, origin: str | None, code: str
) -> None:
    with pytest.raises(ForbiddenError) as info:
        authenticator(tmp_path).shop(f"Bearer {key}", origin)
    assert (info.value.status, info.value.code) == (403, code)
    assert key not in info.value.message


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic x", SECRET])
def test_no_key(tmp_path: Path, header: str | None) -> None:
    with pytest.raises(NotAuthenticatedError) as info:
        authenticator(tmp_path).shop(header, None)
    assert info.value.code == "missing_api_key"


def test_a_revoked_key_looks_like_one_that_never_was(tmp_path: Path) -> None:
    _, path = write_shop_files(tmp_path)
    directory = ShopDirectory(tmp_path / "shops.yaml", path, LogSpy())
    auth = Authenticator(directory, KeySources(print))
    auth.shop(f"Bearer {PUBLIC}", HOME)
    secrets = shop_secrets()
    secrets["demo"]["keys"].pop()
    write_shop_files(tmp_path, secrets)
    directory.refresh()
    bodies = []
    for key in (PUBLIC, "pk-xiaoer-never", "sk-xiaoer-密"):
        with pytest.raises(NotAuthenticatedError) as info:
            auth.shop(f"Bearer {key}", HOME)
        bodies.append(info.value.body())
    assert bodies[0] == bodies[1] == bodies[2]


def test_the_origins_of_all_public_keys_are_known(tmp_path: Path) -> None:
    assert load_shops(*write_shop_files(tmp_path)).origins == set(ORIGINS["demo"])


def test_the_file_is_written_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    _, path = write_shop_files(tmp_path)
    shops = read_secrets(path)
    write_secrets(path, shops)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_secrets(path) == shops
    assert {file.name for file in tmp_path.iterdir()} == {"shops.yaml", "secrets.json"}
    with pytest.raises(SettingsError, match="cannot be written"):
        write_secrets(tmp_path / "none" / "secrets.json", shops)
