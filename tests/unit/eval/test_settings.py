"""Options, environment and the secrets that a running stack keeps."""

import json
from pathlib import Path

import pytest

from tests.eval import settings
from tests.eval.settings import EvalError


def test_secrets_are_read_from_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "demo-shop.key").write_text("sk-kept\n")
    rules = {"alg": "HS256", "secrets": ["kept", "older"]}
    kept = json.dumps({"demo": {"keys": [], "customer_tokens": rules}})
    (tmp_path / "secrets" / "shops.json").write_text(kept)
    got = settings.load([], {"DATA_DIR": str(tmp_path)})
    assert (got.key, got.secret, got.runs, got.languages) == ("sk-kept", "kept", 4, ("zh", "en"))


def test_options_go_before_the_environment(tmp_path: Path) -> None:
    env = {"EVAL_KEY": "env-key", "EVAL_CUSTOMER_SECRET": "env-secret", "DATA_DIR": str(tmp_path)}
    got = settings.load(["--key", "mine", "--url", "http://there/", "--kind", "price,stock"], env)
    assert (got.key, got.secret) == ("mine", "env-secret")
    assert (got.url, got.kinds) == ("http://there", ("price", "stock"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "make run"),
        (["--kind", "nonsense"], "nonsense"),
        (["--language", "fr"], "fr"),
        (["--runs", "0"], "at least 1"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(EvalError, match=words):
        settings.load(arguments, {"DATA_DIR": str(tmp_path)})


@pytest.mark.parametrize(
    "kept", ["nonsense", "{}", '{"demo": {"customer_tokens": {"alg": "ES256"}}}']
)
def test_a_shop_that_signs_with_its_own_keys_needs_a_secret_given(
    tmp_path: Path, kept: str
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "shops.json").write_text(kept)
    with pytest.raises(EvalError, match="--secret"):
        settings.load(["--key", "sk"], {"DATA_DIR": str(tmp_path)})


def test_an_empty_secret_is_said(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "demo-shop.key").write_text("")
    with pytest.raises(EvalError, match="is empty"):
        settings.load([], {"DATA_DIR": str(tmp_path)})
