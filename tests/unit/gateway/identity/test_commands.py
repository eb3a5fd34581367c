import json
from pathlib import Path

import pytest

from services.gateway.errors import SettingsError
from services.gateway.identity.__main__ import main
from services.gateway.identity.keys import key_hash
from services.gateway.identity.secret_file import ShopSecrets, read_secrets
from services.gateway.settings import load_shop_files
from tests.support.shops import SHOPS_YAML, shop_secrets
from tests.support.signing import es256, jwks


class Shell:
    """Runs commands as make does."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = folder / "secrets" / "shops.json"
        self._capsys = capsys

    def __call__(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        assert main(arguments) == status
        found = self._capsys.readouterr()
        return found.out.strip(), found.err.strip()

    def fails(self, *arguments: str) -> str:
        before = self.path.read_bytes() if self.path.exists() else None
        out, err = self(*arguments, status=1)
        assert not out
        assert err.startswith("error: ")
        assert (self.path.read_bytes() if self.path.exists() else None) == before
        return err

    def shop(self, shop_id: str = "demo") -> ShopSecrets:
        return read_secrets(self.path)[shop_id]


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    (tmp_path / "shops.yaml").write_text(SHOPS_YAML, "utf-8")
    made = Shell(tmp_path, capsys)
    monkeypatch.setenv("SHOPS_FILE", str(tmp_path / "shops.yaml"))
    monkeypatch.setenv("SHOP_SECRETS_FILE", str(made.path))
    return made


def test_alone_it_says_what_there_is(shell: Shell) -> None:
    out, _ = shell()
    for name in ("list", "add", "add-key", "revoke-key", "rotate-token-secret", "use-jwks"):
        assert name in out
    assert not shell.path.exists()


def test_a_shop_is_added_with_a_token_secret(shell: Shell) -> None:
    secret, _ = shell("add", "demo")
    assert shell.shop().customer_tokens.secrets == (secret,)
    assert shell.shop().keys == ()
    assert shell.path.stat().st_mode & 0o777 == 0o600
    assert shell.path.parent.stat().st_mode & 0o777 == 0o700
    assert "already" in shell.fails("add", "demo")
    assert "does not describe 'myshop'" in shell.fails("add", "myshop")


def test_keys_are_made_listed_and_revoked(shell: Shell) -> None:
    shell("add", "demo")
    secret, _ = shell("add-key", "demo")
    public, note = shell(
        *("add-key", "demo", "--public", "--origin", "https://a.example"),
        *("--origin", "http://localhost:3000"),
    )
    first, second = shell.shop().keys
    assert (first.kind, first.sha256, first.origins) == ("secret", key_hash(secret), ())
    assert (second.kind, second.sha256) == ("public", key_hash(public))
    assert second.origins == ("https://a.example", "http://localhost:3000")
    assert second.id in note
    listed, _ = shell("list")
    assert first.id in listed
    assert f"{second.id}  public" in listed
    assert "https://a.example" in listed
    for hidden in (secret, public, *shell.shop().customer_tokens.secrets):
        assert hidden not in listed
    shell("revoke-key", "demo", first.id)
    assert shell.shop().keys == (second,)
    assert "has no key" in shell.fails("revoke-key", "demo", first.id)


def test_keys_and_origins_that_do_not_go_together_are_refused(shell: Shell) -> None:
    shell("add", "demo")
    assert "--origin" in shell.fails("add-key", "demo", "--public")
    assert "--public" in shell.fails("add-key", "demo", "--origin", "https://a.example")
    assert "as browsers do" in shell.fails("add-key", "demo", "--public", "--origin", "*")
    assert 'ARGS="add other"' in shell.fails("add-key", "other")


def test_a_token_secret_is_rotated(shell: Shell) -> None:
    first, _ = shell("add", "demo")
    second, _ = shell("rotate-token-secret", "demo")
    assert shell.shop().customer_tokens.secrets == (second, first)
    third, _ = shell("rotate-token-secret", "demo")
    assert shell.shop().customer_tokens.secrets == (third, second)
    fourth, _ = shell("rotate-token-secret", "demo", "--now")
    assert shell.shop().customer_tokens.secrets == (fourth,)
    assert "rotate-token-secret" in shell.fails("use-secret", "demo")


def test_a_shop_changes_to_keys_of_its_own_and_back(shell: Shell, tmp_path: Path) -> None:
    shell("add", "demo")
    url = "https://shop.example/jwks.json"
    shell("use-jwks", "demo", "--alg", "ES256", "--url", url)
    assert (shell.shop().customer_tokens.jwks_url, shell.shop().customer_tokens.secrets) == (
        url,
        (),
    )
    assert url in shell("list")[0]
    assert "use-secret" in shell.fails("rotate-token-secret", "demo")
    signer = es256("2026-11")
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(jwks(signer)))
    shell("use-jwks", "demo", "--alg", "ES256", "--file", str(file))
    found = shell.shop().customer_tokens.key_set()
    assert found is not None
    assert found.find("2026-11") == signer.key.public_key()
    assert "2026-11" in shell("list")[0]
    secret, _ = shell("use-secret", "demo")
    assert shell.shop().customer_tokens.secrets == (secret,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("{}", "no JWKS"),
        (json.dumps({"keys": [es256().private_jwk]}), "private"),
    ],
)
def test_a_jwks_that_cannot_be_used_is_refused(
    shell: Shell, tmp_path: Path, text: str, says: str
) -> None:
    shell("add", "demo")
    file = tmp_path / "jwks.json"
    file.write_text(text)
    assert says in shell.fails("use-jwks", "demo", "--alg", "ES256", "--file", str(file))
    missing = str(tmp_path / "none")
    assert "cannot be read" in shell.fails("use-jwks", "demo", "--alg", "EdDSA", "--file", missing)
    plain = "http://shop.example/jwks"
    assert "https://" in shell.fails("use-jwks", "demo", "--alg", "EdDSA", "--url", plain)


def test_a_shop_is_removed(shell: Shell) -> None:
    shell("add", "demo")
    shell("add", "other")
    shell("remove", "demo")
    assert list(read_secrets(shell.path)) == ["other"]
    assert 'demo: no keys yet; make shop ARGS="add demo"' in shell("list")[0]


def test_a_file_of_another_form_is_left_alone_and_named(shell: Shell) -> None:
    shell.path.parent.mkdir()
    shell.path.write_text('{"demo": {"key_sha256": "00", "customer_token_secret": "x"}}')
    shell.path.chmod(0o600)
    assert "is not as it should be" in shell.fails("add-key", "demo")


def test_the_secrets_file_must_be_named() -> None:
    with pytest.raises(SettingsError, match="SHOP_SECRETS_FILE is not set"):
        load_shop_files({})


def test_the_tests_own_secrets_are_of_the_form(shell: Shell) -> None:
    shell.path.parent.mkdir()
    shell.path.write_text(json.dumps(shop_secrets()))
    shell.path.chmod(0o600)
    assert len(shell.shop().keys) == 2
