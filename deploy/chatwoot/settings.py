"""The adapter's settings: read from the environment once; the only module that reads it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

_REQUIRED = (
    ("XIAOER_AGENT_KEY", 'the key that `make shop ARGS="add-agent …"` printed'),
    ("XIAOER_WEBHOOK_SECRET", 'what `make shop ARGS="use-webhook …"` printed'),
    ("CHATWOOT_URL", "Chatwoot's base URL"),
    ("CHATWOOT_ACCOUNT_ID", "the number after /accounts/ in Chatwoot's addresses"),
    ("CHATWOOT_INBOX_ID", "the number of the API inbox in its settings' address"),
    ("CHATWOOT_TOKEN", "an access token of an administrator, from their profile page"),
    ("CHATWOOT_WEBHOOK_SECRET", "what the API inbox signs with, from its configuration page"),
)


class SettingsError(Exception):
    """A setting is missing or wrong; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Each field's environment variable is its name in capitals."""

    xiaoer_url: str = "http://127.0.0.1:8080"
    """The gateway."""
    xiaoer_agent_key: str = field(repr=False)
    """The agent's key, by which Chatwoot's agents answer."""
    xiaoer_agent_name: str = "Chatwoot"
    """That agent's name: what it said is in Chatwoot already."""
    xiaoer_webhook_secret: str = field(repr=False)
    """What the gateway signs its events with."""
    chatwoot_url: str
    """Chatwoot."""
    chatwoot_account_id: int
    """The account."""
    chatwoot_inbox_id: int
    """The API inbox."""
    chatwoot_token: str = field(repr=False)
    """Opens Chatwoot's API."""
    chatwoot_webhook_secret: str = field(repr=False)
    """What Chatwoot signs its webhooks with."""
    adapter_host: str = "127.0.0.1"
    """Address to listen on."""
    adapter_port: int = 8085
    """Port to listen on."""
    timeout_s: float = 4.0
    """Seconds that one call may take; both senders give up waiting for us after five."""


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read settings from `env` (the process's environment when absent).

    Raises:
        SettingsError: names all that is missing, or the first that is wrong.
    """
    found = {
        name: value.strip()
        for name, value in (os.environ if env is None else env).items()
        if value.strip()
    }
    if missing := [f"{name} ({what})" for name, what in _REQUIRED if name not in found]:
        raise SettingsError(f"These are not set: {'; '.join(missing)}.")
    return Settings(
        xiaoer_url=_url(found, "XIAOER_URL", "http://127.0.0.1:8080"),
        xiaoer_agent_key=found["XIAOER_AGENT_KEY"],
        xiaoer_agent_name=found.get("XIAOER_AGENT_NAME", "Chatwoot"),
        xiaoer_webhook_secret=found["XIAOER_WEBHOOK_SECRET"],
        chatwoot_url=_url(found, "CHATWOOT_URL", ""),
        chatwoot_account_id=_whole(found, "CHATWOOT_ACCOUNT_ID", 0),
        chatwoot_inbox_id=_whole(found, "CHATWOOT_INBOX_ID", 0),
        chatwoot_token=found["CHATWOOT_TOKEN"],
        chatwoot_webhook_secret=found["CHATWOOT_WEBHOOK_SECRET"],
        adapter_host=found.get("ADAPTER_HOST", "127.0.0.1"),
        adapter_port=_whole(found, "ADAPTER_PORT", 8085),
    )


def _url(found: Mapping[str, str], name: str, default: str) -> str:
    value = found.get(name, default)
    if not value.startswith(("http://", "https://")):
        raise SettingsError(f"{name} must be a URL starting http:// or https://, not {value!r}.")
    return value.rstrip("/")


def _whole(found: Mapping[str, str], name: str, default: int) -> int:
    value = found.get(name, str(default))
    if not (value.isascii() and value.isdigit()):
        raise SettingsError(f"{name} must be a whole number, not {value!r}.")
    return int(value)
