"""The Chatwoot adapter's settings: what is missing is named, secrets are not shown."""

import pytest

from deploy.chatwoot.settings import SettingsError, load_settings

ENV = {
    "XIAOER_AGENT_KEY": "ak-secret",
    "XIAOER_WEBHOOK_SECRET": "wh-secret",
    "CHATWOOT_URL": "https://chatwoot.example/",
    "CHATWOOT_ACCOUNT_ID": "7",
    "CHATWOOT_INBOX_ID": "3",
    "CHATWOOT_TOKEN": "token-secret",
    "CHATWOOT_WEBHOOK_SECRET": "cw-secret",
}


def test_defaults_and_no_secret_in_print() -> None:
    settings = load_settings(ENV)
    assert settings.chatwoot_url == "https://chatwoot.example"
    assert (settings.xiaoer_url, settings.adapter_port) == ("http://127.0.0.1:8080", 8085)
    assert "secret" not in repr(settings).replace("_secret", "")


def test_everything_that_is_missing_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"CHATWOOT_TOKEN": " "})
    for name in ENV:
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("CHATWOOT_URL", "chatwoot.example"), ("CHATWOOT_INBOX_ID", "three"), ("ADAPTER_PORT", "-1")],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({**ENV, name: value})
