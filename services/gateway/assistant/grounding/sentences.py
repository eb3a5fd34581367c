"""Cuts a shop's texts into sentences, and those into clauses."""

import re
from functools import lru_cache

_CLAUSE = re.compile(r"(?<!\d)[,，]|[,，](?!\d)|[;；:：](?!\d)")
SENTENCE = re.compile(r"[^。！？!?\n]+?(?:[。！？!?\n]|\.(?=\s|$)(?<![ap]\.m\.)|$)")
_EXCEPTION = re.compile(
    r"\s*(?:.{1,20}(?:除外|例外)[。.]?$|(?:except|unless|other than|除非|除了)\b)"
)
_LIST_COMMA = re.compile(
    r",(?= (?:(?!(?:is|are|can|get|we|you|it|they|will|then|but|so|shipping|delivery"
    r"|return)\b)[\w'-]+ ){0,2}"
    r"(?!(?:and|or) )[\w'-]+,? (?:and|or) )"
)
"""Between the entries of a list: "Tibet, Xinjiang and Inner Mongolia"."""
_AND_VERB = re.compile(
    r" (?:and|but) (?=(?:can|cannot|can't|is|are|isn't|aren't|must|may|will|won't|don't"
    r"|doesn't|takes?|costs?)\b)"
)


@lru_cache(maxsize=8192)
def pieces(text: str) -> tuple[str, ...]:
    """Cut a shop's sentence into clauses; "and" parts them where there are numbers on both sides.

    Never a customer's or an answer's, which must not be kept.
    """
    found: list[str] = []
    for piece in _CLAUSE.split(_LIST_COMMA.sub(" /", text)):
        if found and _EXCEPTION.match(piece):
            found[-1] += f",{piece}"
            continue
        parts = _AND_VERB.split(piece)
        for part in parts if re.search(r"\d", parts[0]) else [piece]:
            halves = part.split(" and ")
            found += halves if all(re.search(r"\d", half) for half in halves) else [part]
    return tuple(piece for piece in found if piece.strip())
