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
from deploy.local.settings import MAX_TOKEN_TTL_S
from services.gateway.identity.customer_tokens import CustomerTokens
from services.gateway.identity.jwks import KeySources
from services.gateway.identity.secret_file import read_secrets, write_secrets
from services.gateway.identity.shops import Shop, ShopProfile, ShopText
from tests.support.shops import shop_entry


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
    (key,) = entry["keys"]
    assert key["sha256"] == hashlib.sha256(made.shop_key.encode()).hexdigest()
    assert (key["kind"], key["origins"]) == ("secret", [])
    assert entry["customer_tokens"] == {"alg": "HS256", "secrets": [made.customer_token_secret]}
    assert made.shop_key not in made.shop_secrets_file.read_text()


def test_the_gateway_reads_what_is_written(tmp_path: Path) -> None:
    made = load_credentials(tmp_path)
    found = read_secrets(made.shop_secrets_file)["demo"]
    assert found.keys[0].sha256 == hashlib.sha256(made.shop_key.encode()).hexdigest()
    # And the other way about: what `make shop` writes is left as it is.
    write_secrets(made.shop_secrets_file, {"demo": found})
    assert load_credentials(tmp_path) == made
    assert read_secrets(made.shop_secrets_file) == {"demo": found}


def test_other_shops_and_other_keys_are_kept(tmp_path: Path) -> None:
    mine = shop_entry("a", "x" * 32)
    theirs = shop_entry("b", "y" * 32)
    (tmp_path / "shops.json").write_text(json.dumps({"mine": mine, "demo": theirs}))
    made = load_credentials(tmp_path)
    shops = json.loads(made.shop_secrets_file.read_text())
    assert shops["mine"] == mine
    assert shops["demo"]["keys"][0] == theirs["keys"][0]
    assert len(shops["demo"]["keys"]) == 2
    assert made.customer_token_secret == "y" * 32


def test_a_demo_entry_of_another_form_is_made_anew(tmp_path: Path) -> None:
    old = {"key_sha256": "0" * 64, "customer_token_secret": "x" * 32}
    (tmp_path / "shops.json").write_text(json.dumps({"demo": old}))
    (tmp_path / "demo-shop.key").write_text("sk-xiaoer-old")
    made = load_credentials(tmp_path)
    assert len(read_secrets(made.shop_secrets_file)["demo"].keys) == 1
    assert made.shop_key != "sk-xiaoer-old"


def test_a_revoked_key_does_not_come_back(tmp_path: Path) -> None:
    first = load_credentials(tmp_path)
    shops = json.loads(first.shop_secrets_file.read_text())
    shops["demo"]["keys"] = []
    first.shop_secrets_file.write_text(json.dumps(shops))
    second = load_credentials(tmp_path)
    assert second.shop_key != first.shop_key
    hashes = [key.sha256 for key in read_secrets(second.shop_secrets_file)["demo"].keys]
    assert hashes == [hashlib.sha256(second.shop_key.encode()).hexdigest()]
    assert load_credentials(tmp_path) == second


def test_the_current_secret_signs_after_a_rotation(tmp_path: Path) -> None:
    first = load_credentials(tmp_path)
    shops = json.loads(first.shop_secrets_file.read_text())
    shops["demo"]["customer_tokens"]["secrets"].insert(0, "n" * 32)
    first.shop_secrets_file.write_text(json.dumps(shops))
    assert load_credentials(tmp_path).customer_token_secret == "n" * 32


def test_a_shop_that_signs_elsewhere_is_one_sentence(tmp_path: Path) -> None:
    first = load_credentials(tmp_path)
    shops = json.loads(first.shop_secrets_file.read_text())
    shops["demo"]["customer_tokens"] = {"alg": "ES256", "jwks_url": "https://shop.example/jwks"}
    first.shop_secrets_file.write_text(json.dumps(shops))
    with pytest.raises(LocalError, match="use-secret demo"):
        load_credentials(tmp_path).customer_token("alice", 60)


def test_a_token_names_customer_shop_and_end(tmp_path: Path) -> None:
    made = load_credentials(tmp_path)
    token = made.customer_token("alice", 60)
    assert made.customer_token_secret is not None
    claims = jwt.decode(token, made.customer_token_secret, algorithms=["HS256"])
    assert (claims["sub"], claims["shop"]) == ("alice", "demo")
    assert 50 <= claims["exp"] - time.time() <= 60


async def test_the_gateway_accepts_the_longest_token_that_is_made(tmp_path: Path) -> None:
    made = load_credentials(tmp_path)
    rules = read_secrets(made.shop_secrets_file)["demo"].customer_tokens
    shop = Shop("demo", ShopProfile(ShopText("店", "S"), ShopText("亲", "k")), token_rules=rules)
    token = made.customer_token("alice", MAX_TOKEN_TTL_S)
    assert await CustomerTokens(KeySources(print)).customer(shop, token) == "alice"


@pytest.mark.parametrize("customer", ["", "x" * 129])
def test_a_customer_the_gateway_would_refuse_is_refused(tmp_path: Path, customer: str) -> None:
    with pytest.raises(SettingsError, match="CUSTOMER"):
        load_credentials(tmp_path).customer_token(customer, 60)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"demo": {"keys": [1], "customer_tokens": {}}}', '{"demo": {"keys": []}}']
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "shops.json").write_text(text)
    with pytest.raises(LocalError, match=r"shops\.json is damaged"):
        load_credentials(tmp_path)


def test_starts_at_once_agree_on_the_secrets(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_credentials(tmp_path).shop_key, range(8)))
    assert len(set(found)) == 1
