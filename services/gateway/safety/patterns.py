"""Signs of each label that need no learning, from `patterns.yaml`."""

import re
from pathlib import Path

import yaml

_WORD = re.compile(r"<([A-Z]+)>")


class Patterns:
    """The regular expressions of each label, compiled once."""

    def __init__(self) -> None:
        raw = yaml.safe_load(Path(__file__).with_name("patterns.yaml").read_text("utf-8"))
        words: dict[str, str] = raw.pop("words")

        def compiled(patterns: list[str]) -> re.Pattern[str]:
            joined = "|".join(f"(?:{pattern})" for pattern in patterns)
            return re.compile(_WORD.sub(lambda word: f"(?:{words[word[1]]})", joined))

        self._any = {label: compiled(parts["any"]) for label, parts in raw.items()}
        self._not = {label: compiled(parts["not"]) for label, parts in raw.items()}

    def labels(self, text: str) -> frozenset[str]:
        """Return the labels that a normalised text shows a sign of."""
        return frozenset(
            label
            for label, signs in self._any.items()
            if signs.search(text) and signs.search(self._not[label].sub("。", text))
        )
