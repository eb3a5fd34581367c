import asyncio
import contextlib
from pathlib import Path

from services.gateway.identity.directory import ShopDirectory
from tests.support.logs import LogSpy
from tests.support.shops import SHOPS_YAML, key_entry, shop_entry, shop_secrets, write_shop_files


def make(folder: Path) -> tuple[ShopDirectory, LogSpy]:
    log = LogSpy()
    return ShopDirectory(*write_shop_files(folder), log), log


def with_key(key: str) -> dict[str, object]:
    secrets = shop_secrets()
    secrets["demo"]["keys"].append(key_entry(key))
    return secrets


def test_a_changed_file_is_read_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    directory, log = make(tmp_path)
    before = directory.shops
    directory.refresh()
    assert directory.shops is before
    assert directory.shops.by_key("new") is None
    write_shop_files(tmp_path, with_key("new"))
    directory.refresh()
    assert directory.shops.by_key("new") is not None
    assert log.events("info") == ["shops_reloaded"]


def test_a_broken_file_changes_nothing_and_warns_once(tmp_path: Path) -> None:
    directory, log = make(tmp_path)
    before = directory.shops
    write_shop_files(tmp_path, "{broken")
    for _ in range(3):
        directory.refresh()
    assert directory.shops is before
    assert log.events("warning") == ["shops_not_reloaded"]
    _, _, fields = log.lines[0]
    assert "not as it should be" in fields["cause"]
    assert "last good copy" in fields["remedy"]
    write_shop_files(tmp_path, with_key("mended"))
    directory.refresh()
    assert directory.shops.by_key("mended") is not None


def test_a_file_that_is_gone_or_open_changes_nothing(tmp_path: Path) -> None:
    directory, log = make(tmp_path)
    before = directory.shops
    secret = tmp_path / "secrets.json"
    secret.unlink()
    directory.refresh()
    directory.refresh()
    write_shop_files(tmp_path)
    secret.chmod(0o644)
    directory.refresh()
    assert directory.shops is before
    assert len(log.events("warning")) == 2


def test_a_shop_is_added_in_both_files(tmp_path: Path) -> None:
    directory, log = make(tmp_path)
    yaml = SHOPS_YAML + "  third: {name: {zh: 三, en: T}, tone: {zh: 亲, en: kind}}\n"
    write_shop_files(tmp_path, shops=yaml)
    directory.refresh()
    assert "add third" in log.lines[0][2]["cause"]
    secrets = {**shop_secrets(), "third": shop_entry("third-key", "t" * 32)}
    write_shop_files(tmp_path, secrets, yaml)
    directory.refresh()
    found = directory.shops.by_key("third-key")
    assert found is not None
    assert found[0].id == "third"


async def test_changes_are_followed(tmp_path: Path) -> None:
    directory, _ = make(tmp_path)
    task = asyncio.create_task(directory.follow(poll_s=0.01))
    write_shop_files(tmp_path, with_key("new"))
    for _ in range(1000):
        if directory.shops.by_key("new") is not None:
            break
        await asyncio.sleep(0.01)
    assert directory.shops.by_key("new") is not None
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


def test_key_sets_that_shops_publish_are_listed(tmp_path: Path) -> None:
    secrets = shop_secrets()
    rules = {"alg": "EdDSA", "jwks_url": "https://shop.example/jwks"}
    secrets["demo"]["customer_tokens"] = rules
    directory = ShopDirectory(*write_shop_files(tmp_path, secrets), LogSpy())
    assert list(directory.jwks_places()) == [("https://shop.example/jwks", "EdDSA")]
