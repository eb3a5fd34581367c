"""Texts as the rails read them: one width and case, one script, nothing hidden or spread out."""

import json
import re
import unicodedata
from functools import cache
from pathlib import Path

_INVISIBLE = re.compile(r"[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_HAN_GAP = re.compile(r"(?<=[\u4e00-\u9fff])[\s.*_·-]{1,3}(?=[\u4e00-\u9fff])")


def folded(text: str) -> str:
    """Return a text as patterns and classifiers expect it."""
    plain = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold().replace("’", "'")
    return _HAN_GAP.sub("", plain).translate(_simpler())


@cache
def _simpler() -> dict[int, int]:
    """Return which simplified character stands for each traditional one (after OpenCC's table)."""
    table = json.loads(Path(__file__).with_name("traditional.json").read_text("utf-8"))
    return str.maketrans(table["traditional"], table["simplified"])
