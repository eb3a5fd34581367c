"""People who answer in place of the assistant, and their keys."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

import msgspec

from services.gateway.identity.keys import key_hash

Role = Literal["agent", "lead"]
"""A lead may also claim, release and resolve what another agent has."""

KEY_PREFIX = "ak-xiaoer-"
_RANDOM_BYTES = 32


class Agent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An agent of a shop, and what is kept of their key."""

    id: str
    name: str
    """As customers see it."""
    role: Role
    sha256: str
    """Of the whole key, in lower-case hexadecimal."""
    created_at: datetime

    def __post_init__(self) -> None:
        """Check what the types do not say.

        Raises:
            ValueError: naming the field, never a value that could be secret.
        """
        if not self.id.isascii() or not self.id.isprintable() or not 0 < len(self.id) <= 64:
            raise ValueError("id must have 1 to 64 printable ASCII characters")
        if not self.name.isprintable() or not 0 < len(self.name.strip()) <= 40:
            raise ValueError("name must have 1 to 40 printable characters")
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise ValueError("sha256 must be 64 hexadecimal digits, in lower case")
        if self.created_at.tzinfo is None:
            raise ValueError("created_at must have a time zone")


def make_agent(name: str, role: Role, *, taken: Iterable[str] = ()) -> tuple[str, Agent]:
    """Return a new agent's key, and what to keep of them.

    Args:
        name: as customers see it.
        role: what they may do.
        taken: ids of the shop's other agents.

    Raises:
        ValueError: the name cannot be used.
    """
    key = KEY_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    used = set(taken)
    while (agent_id := f"a_{secrets.token_hex(4)}") in used:
        pass
    now = datetime.now(UTC).replace(microsecond=0)
    return key, Agent(agent_id, name, role, key_hash(key), now)
