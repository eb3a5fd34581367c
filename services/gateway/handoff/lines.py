"""The fixed lines around a handoff (`lines.yaml`)."""

from functools import cache
from pathlib import Path

import yaml

from services.gateway.identity.shops import Language


@cache
def _lines() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = yaml.safe_load(
        Path(__file__).with_name("lines.yaml").read_text("utf-8")
    )
    return loaded


def line(language: Language, name: str, **slots: str) -> str:
    """Return a line with its slots filled; an unknown name is a KeyError."""
    return _lines()[language][name].format(**slots)
