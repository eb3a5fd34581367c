"""Markdown into sections by its headings, and its front matter."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import yaml
from markdown_it import MarkdownIt

from services.gateway.knowledge.documents import BrokenFileError, Content, Section

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FRONT_KEYS = ("title", "valid_from", "valid_until")
_MOST_FRONT_CHARS = 4000
_PARSER = MarkdownIt("commonmark")
_MARKS = re.compile(r"[*_`]+|!?\[([^\]]*)\]\([^)]*\)|\s+#+\s*$")


def read_markdown(text: str) -> Content:
    """Return the content of a Markdown file.

    Raises:
        BrokenFileError: its front matter is wrong; says how.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = _FRONT.match(text)
    front = _front_matter(found[1]) if found else {}
    first, last = _day(front, "valid_from"), _day(front, "valid_until")
    if first and last and first > last:
        raise BrokenFileError(f"valid_from {first} is after valid_until {last}")
    title = front.get("title") or ""
    body = text[found.end() :] if found else text
    return Content(sections_of(body), " ".join(str(title).split()), first, last)


def sections_of(text: str) -> tuple[Section, ...]:
    """Return a section for each heading of a Markdown text, and one for what stands before."""
    lines = text.split("\n")
    headings = [
        (token.map[0], token.map[1], int(token.tag[1]), following.content)
        for token, following in _pairs(text)
        if token.map
    ]
    path: list[tuple[int, str]] = []
    sections = []
    start = 0
    for at, after, level, name in [*headings, (len(lines), len(lines), 0, "")]:
        body = "\n".join(lines[start:at]).strip()
        if body or path:
            sections.append(Section(tuple(text for _, text in path), body))
        path = [(depth, text) for depth, text in path if depth < level]
        path.append((level, _plain(name)))
        start = after
    return tuple(sections)


def _pairs(text: str) -> list[tuple[Any, Any]]:
    """Return each heading's opening token with the token of its words.

    Headings inside quotations and lists are words like others: they lead no section.
    """
    tokens = _PARSER.parse(text)
    return [
        (token, tokens[index + 1])
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0
    ]


def _plain(heading: str) -> str:
    return " ".join(_MARKS.sub(r"\1", heading).split())


def _front_matter(text: str) -> Mapping[str, Any]:
    if len(text) > _MOST_FRONT_CHARS:
        raise BrokenFileError("its front matter is too long")
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        reason = " ".join(str(exc).split())
        raise BrokenFileError(f"its front matter is no YAML: {reason}") from exc
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BrokenFileError("its front matter has no keys")
    for key in found:
        # A misspelt date would keep an ended promotion in force.
        if str(key).lower().startswith("valid") and key not in _FRONT_KEYS:
            raise BrokenFileError(f"its front matter has {key!r}; use valid_from and valid_until")
    return found


def _day(front: Mapping[str, Any], key: str) -> date | None:
    value = front.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise BrokenFileError(f"{key} must be a day such as 2026-06-18, not {value!r}")
