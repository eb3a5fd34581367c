"""What an answer may state: what tools found in this conversation, and the shop's own texts.

Tools are not named here. Their results are read by shape, as cards are: whatever has an order
number is an order, whatever has a stock-keeping code a product.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from services.gateway.assistant.grounding import claims
from services.gateway.assistant.grounding.numerals import fold

Kind = Literal["order", "product", "item"]


@dataclass(frozen=True, slots=True)
class Subject:
    """An order, a line of one, or a product: by what names it goes, and what is known of it."""

    kind: Kind
    names: frozenset[str]
    """Folded."""
    facts: dict[str, tuple[str, ...]]
    """Field name to folded values; a list of order lines gives several."""

    def values(self, *fields: str) -> tuple[str, ...]:
        """Return the values of some fields, in order."""
        return tuple(value for name in fields for value in self.facts.get(name, ()))


@dataclass(slots=True)
class Evidence:
    """All that may be stated, and what the customer's own words may identify."""

    texts: tuple[str, ...] = ()
    """Policies and passages, folded."""
    asked: str = ""
    """The customer's messages, folded: identifiers and quantities in them may be repeated."""
    question: str = ""
    """The last of them; without it, all of `asked` is taken for it."""
    subjects: list[Subject] = field(default_factory=list)
    listed: set[int] = field(default_factory=set)
    """How many entries each list in a result had: "you have 3 orders"."""
    names: set[str] = field(default_factory=set)
    """Names that may be said, folded: of the shop, and the candidates."""
    candidates: set[str] = field(default_factory=set)
    """Names in plain lists of a result, folded: what the customer may have meant."""

    def add(self, result: Any, asked_for: Iterable[str] = ()) -> None:
        """Take in a tool's result.

        Args:
            result: decoded JSON.
            asked_for: the call's arguments: the customer's names for what was found.
        """
        found = list(_subjects(result))
        if sum(subject.kind != "item" for subject in found) == 1:
            only = found[0]
            aliases = {fold(name).strip() for name in asked_for}
            fair = {alias for alias in aliases if alias and _only_names(alias, only)}
            found[0] = Subject(only.kind, only.names | fair, only.facts)
        self.subjects.extend(found)
        for items in _lists(result):
            self.listed.add(len(items))
            self.candidates.update(fold(item) for item in items if isinstance(item, str))
        self.names |= self.candidates


def _only_names(alias: str, subject: Subject) -> bool:
    """Tell whether a customer's name for something states nothing about it.

    What is named is not checked, so "headphones 199 yuan", which a look-up by likeness may find,
    must not become a name: an answer that repeats it would confirm a price.
    """
    known = re.sub(r"\D+", " ", " ".join(subject.names)).split()
    if not all(any(digits in number for number in known) for digits in re.findall(r"\d+", alias)):
        return False
    return claims.currency(alias) == "" and not claims.states_something(alias)


def _subjects(value: Any) -> Iterator[Subject]:
    if isinstance(value, list):
        for item in value:
            yield from _subjects(item)
    elif isinstance(value, dict):
        kind: Kind | None = (
            "order" if "order_id" in value else "product" if "sku" in value else None
        )
        if kind is None:
            for item in value.values():
                yield from _subjects(item)
            return
        facts = {
            name: tuple(fold(str(leaf)) for leaf in _leaves(item)) for name, item in value.items()
        }
        lines = [item for items in _lists(value) for item in items if isinstance(item, dict)]
        for name in {key for line in lines for key in line}:
            facts[f"items.{name}"] = tuple(fold(str(line[name])) for line in lines if name in line)
        identifying = ("order_id",) if kind == "order" else ("product", "sku", "name")
        names = frozenset(v for name in identifying for v in facts.get(name, ()))
        yield Subject(kind, names, facts)
        for line in lines:
            if "name" in line:
                of_line: dict[str, tuple[str, ...]] = {
                    name: (fold(str(item)),) for name, item in line.items()
                }
                yield Subject("item", frozenset(of_line["name"]), of_line)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield value


def _lists(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, list):
        yield value
        for item in value:
            yield from _lists(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _lists(item)
