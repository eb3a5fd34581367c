"""What is said of the names that a tool gave to choose from: how many there are, and of which."""

import re
from collections.abc import Collection

from services.gateway.assistant.grounding.claims import Claim, numeric_claims

_ONLY = re.compile(
    r"(?:只有|仅有|就|唯[一1]).{0,16}(?:这?[一1]|这)(?:款|种|个型号)|唯[一1]的?[一1]?(?:款|种|个)"
    r"|\b(?:the|our) only (?P<what>[^,.;]{1,40}?) (?:we|that|which|is|in|on|here)\b"
)
_PIECE = re.compile(r"\d+(?:\.\d+)?|[a-z]{3,}|[\u3400-\u9fff]")
_FURTHER = 24
"""How far behind a number stands what it counts."""


def falsely_only(text: str, names: Collection[str]) -> str:
    """Return words that say that there is one of a kind, where there are several."""
    found = _ONLY.search(text) if len(names) > 1 else None
    if found is None:
        return ""
    of = found["what"] or text[: found.start()]
    return found[0] if len(_with(of, names)) > 1 else ""


def counts(claim: Claim, text: str, names: Collection[str]) -> bool:
    """Tell whether a number counts the names that have the words behind it."""
    end = claim.at + len(claim.text)
    behind = text[end : end + _FURTHER]
    known = [piece for piece in _pieces(behind) if any(piece in name for name in names)]
    some = _with(behind, names) if known else names
    return bool(names) and set(claim.numbers) == {len(some)}


def measured(claim: Claim, names: Collection[str]) -> bool:
    """Tell whether a name has the measure: 2公斤 of "成猫粮2kg"."""
    return any(
        (other.kind, other.what, other.numbers) == (claim.kind, claim.what, claim.numbers)
        for name in names
        for other in numeric_claims(name)
    )


def _with(text: str, names: Collection[str]) -> list[str]:
    """Return the names that have all the pieces of a text that any name has."""
    known = [piece for piece in _pieces(text) if any(piece in name for name in names)]
    return [name for name in names if all(piece in name for piece in known)]


def _pieces(text: str) -> list[str]:
    return [found[0].removesuffix("s") for found in _PIECE.finditer(text)]
