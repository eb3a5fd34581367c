import hashlib
import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest

from deploy.local.credentials import load_credentials
from deploy.local.errors import LocalError, SettingsError


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "secrets"
    first = load_credentials(folder)
    assert load_credentials(folder) == first
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert first.shop_key.startswith("sk-xiaoer-")
    assert len(first.service_token_secret) >= 32


def test_modes_are_mended(tmp_path: Path) -> None:
    load_credentials(tmp_path)
    (tmp_path / "demo-shop.key").chmod(0o644)
    load_credentials(tmp_path)
    assert stat.S_IMODE((tmp_path / "demo-shop.key").stat().st_mode) == 0o600


def test_the_gateway_gets_a_hash_of_the_key_and_the_token_secret(tmp_path: Path) -> None:
    made = load_credentials(tmp_path)
    entry = json.loads(made.shop_secrets_file.read_text())["demo"]
    assert entry == {
        "key_sha256": hashlib.sha256(made.shop_key.encode()).hexdigest(),
        "customer_token_secret": made.customer_token_secret,
    }
    assert made.shop_key not in made.shop_secrets_file.read_text()


def test_other_shops_are_kept(tmp_path: Path) -> None:
    other = {"key_sha256": "0" * 64, "customer_token_secret": "x" * 32}
    (tmp_path / "shops.json").write_text(json.dumps({"mine": other}))
    made = load_credentials(tmp_path)
    assert json.loads(made.shop_secrets_file.read_text())["mine"] == other


def test_a_token_names_customer_shop_and_end(tmp_path: Path) -> None:
    made = load_credentials(tmp_path)
    token = made.customer_token("alice", 60)
    claims = jwt.decode(token, made.customer_token_secret, algorithms=["HS256"])
    assert (claims["sub"], claims["shop"]) == ("alice", "demo")
    assert 50 <= claims["exp"] - time.time() <= 60


@pytest.mark.parametrize("customer", ["", "x" * 129])
def test_a_customer_the_gateway_would_refuse_is_refused(tmp_path: Path, customer: str) -> None:
    with pytest.raises(SettingsError, match="CUSTOMER"):
        load_credentials(tmp_path).customer_token(customer, 60)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "shops.json").write_text("{")
    with pytest.raises(LocalError, match=r"shops\.json"):
        load_credentials(tmp_path)


def test_starts_at_once_agree_on_the_secrets(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_credentials(tmp_path).shop_key, range(8)))
    assert len(set(found)) == 1
