"""Which gateway is loaded, with which key and token, and which processes stand behind it.

By default it is the one that `make run` started with this data folder.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.credentials import load_credentials
from deploy.local.settings import LocalSettings, load_settings
from tests.load.client import Caller

TOKEN_TTL_S = 3600
CUSTOMER = "alice"


class TargetError(Exception):
    """The load cannot be run; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A gateway to load.

    Attributes:
        url: its base URL.
        key: a shop's key.
        token: a customer's token, None where there is none.
        state_file: what the local supervisor recorded; None where the gateway is not its own.

    """

    url: str
    key: str = field(repr=False)
    token: str | None = field(repr=False)
    state_file: Path | None

    def caller(self, *, signed_in: bool, deadline_s: float) -> Caller:
        """Return who asks."""
        return Caller(self.url, self.key, self.token if signed_in else None, deadline_s)

    def processes(self) -> dict[str, int]:
        """Return the process id of each service, as far as it is known now."""
        if self.state_file is None:
            return {}
        found: dict[str, int] = read_state(self.state_file).get("processes", {})
        return found


def find_target(url: str | None, key: str | None, token: str | None) -> Target:
    """Return the gateway to load.

    Args:
        url: base URL; None for the local run's.
        key: shop key; None for the demo shop's of this data folder.
        token: customer token; None for alice's of this data folder, or for none where a foreign
            key is given.

    Raises:
        TargetError: nothing runs here, or there is no key for it.

    """
    settings = load_settings()
    state = read_state(settings.state_file)
    if url is None:
        if not state:
            raise TargetError(
                f"Nothing runs with the data folder {settings.data_dir}. Start it with make run, "
                "or name a gateway: URL=http://… ARGS='--key … --token …'"
            )
        url = str(state["gateway_url"])
    url = url.rstrip("/").removesuffix("/v1")
    if key is None:
        key, token = _local_credentials(settings, token)
    own = state.get("gateway_url") == url
    return Target(url=url, key=key, token=token, state_file=settings.state_file if own else None)


def read_state(state_file: Path) -> dict[str, Any]:
    """Return what the local supervisor recorded; empty while nothing runs."""
    try:
        state = json.loads(state_file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _local_credentials(settings: LocalSettings, token: str | None) -> tuple[str, str]:
    # Loading would make secrets where there are none, and no gateway would know them.
    if not settings.secrets_dir.is_dir():
        raise TargetError(
            f"There is no shop key in {settings.secrets_dir}; give one: ARGS='--key … --token …'"
        )
    credentials = load_credentials(settings.secrets_dir)
    return credentials.shop_key, token or credentials.customer_token(CUSTOMER, TOKEN_TTL_S)
