"""The golden dialogues: their shape, and reading them from tests/eval/golden/*.yaml.

A dialogue has an `id`, a `kind`, a `customer` (null: anonymous) and `turns`. A turn has

- `user`: what the customer writes;
- `calls`: tool calls that must be made, in any order; each argument names its accepted spellings
  (a SKU among them stands for the product's names too);
- `may_call`: calls that may be made besides;
- `states`: groups of words; the answer must hold one of each group;
- `declines`: the answer must say that it can't be confirmed, found or done, or ask to sign in, or
  ask which is meant. A turn with neither `states` nor `declines` only has to be answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("golden")
KINDS = (
    "order_number",
    "order_no_number",
    "order_list",
    "order_detail",
    "price",
    "stock",
    "warranty_or_origin",
    "policy",
    "follow_up",
    "compare",
    "two_questions",
    "not_found",
    "ambiguous",
    "not_signed_in",
    "unknown_fact",
    "talk",
)
TOOLS = {
    "query_order_status": {"order_id"},
    "list_recent_orders": set[str](),
    "query_inventory": {"product"},
}


class GoldenError(Exception):
    """A golden file is missing or malformed; the message says where and why."""


@dataclass(frozen=True, slots=True)
class ExpectedCall:
    """A tool call with the accepted spellings of each argument."""

    name: str
    arguments: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the customer and what is expected of the answer."""

    user: str
    calls: tuple[ExpectedCall, ...] = ()
    may_call: tuple[ExpectedCall, ...] = ()
    states: tuple[tuple[str, ...], ...] = ()
    declines: bool = False


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One conversation."""

    id: str
    kind: str
    language: str
    customer: str | None
    turns: tuple[Turn, ...]

    @property
    def needs_call(self) -> bool:
        """Whether it cannot be answered without a tool."""
        return any(turn.calls for turn in self.turns)


def load(language: str, folder: Path = FOLDER) -> list[Dialogue]:
    """Read `folder`/{language}.yaml.

    Raises:
        GoldenError: naming the dialogue and the field.
    """
    file = folder / f"{language}.yaml"
    try:
        entries = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as exc:
        raise GoldenError(f"{file.name}: {exc}") from exc
    if not isinstance(entries, list):
        raise GoldenError(f"{file.name}: a list of dialogues is expected")
    return [_dialogue(entry, language) for entry in entries]


def _dialogue(entry: Any, language: str) -> Dialogue:
    _check(entry, {"id", "kind", "customer", "turns"}, set(), "a dialogue")
    where = str(entry["id"])
    if entry["kind"] not in KINDS:
        raise GoldenError(f"{where}: unknown kind {entry['kind']!r}")
    if not isinstance(entry["turns"], list) or not entry["turns"]:
        raise GoldenError(f"{where}: turns must be a list")
    turns = tuple(_turn(turn, where) for turn in entry["turns"])
    customer = entry["customer"]
    return Dialogue(where, entry["kind"], language, customer and str(customer), turns)


def _turn(entry: Any, where: str) -> Turn:
    _check(entry, {"user"}, {"calls", "may_call", "states", "declines"}, where)
    states = entry.get("states") or []
    if not all(isinstance(group, list) and group for group in states):
        raise GoldenError(f"{where}: each group of states must be a list of words")
    return Turn(
        user=str(entry["user"]),
        calls=tuple(_call(call, where) for call in entry.get("calls") or []),
        may_call=tuple(_call(call, where) for call in entry.get("may_call") or []),
        states=tuple(tuple(str(words) for words in group) for group in states),
        declines=bool(entry.get("declines", False)),
    )


def _call(entry: Any, where: str) -> ExpectedCall:
    _check(entry, {"name"}, {"arguments"}, where)
    arguments = entry.get("arguments") or {}
    if TOOLS.get(entry["name"]) != set(arguments):
        raise GoldenError(f"{where}: {entry['name']} does not take {sorted(arguments)}")
    return ExpectedCall(
        entry["name"],
        {
            name: tuple(str(one) for one in (value if isinstance(value, list) else [value]))
            for name, value in arguments.items()
        },
    )


def _check(entry: Any, needed: set[str], known: set[str], where: str) -> None:
    if not isinstance(entry, dict):
        raise GoldenError(f"{where}: {entry!r} is not a mapping")
    if missing := needed - set(entry):
        raise GoldenError(f"{where}: {sorted(missing)} missing in {entry!r}")
    if extra := set(entry) - needed - known:
        raise GoldenError(f"{where}: unknown fields {sorted(extra)}")
