"""What a shop's document is to us: a name, a language, days on which it holds, and sections.

Files become documents in `parsers`; documents become chunks in `chunks`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath

from services.gateway.assistant.language import han_count
from services.gateway.identity.shops import Language

HEADING_SEPARATOR = " › "
_HAN_SHARE = 0.2
"""Of all letters: an English page may name a Chinese thing, a Chinese page many English ones."""


class BrokenFileError(Exception):
    """A file cannot be read as what its name says; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Section:
    """A run of text under one heading.

    Attributes:
        path: the headings that lead to it, outermost first.
        text: Markdown, without the heading.
    """

    path: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a parser makes of a file.

    Attributes:
        sections: in the order of the file; some may be without text.
        title: as the file itself gives it; empty where it gives none.
        valid_from: first day on which it holds; None: always has.
        valid_until: last day on which it holds; None: always will.
    """

    sections: tuple[Section, ...]
    title: str = ""
    valid_from: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A file of the shop, read.

    Attributes:
        path: relative to the loaded folder, with slashes.
        language: of its text.
        title: its own, else the one heading over all of it, else its file's name.
        sections: those that have text.
        valid_from: first day on which it holds; None: always has.
        valid_until: last day on which it holds; None: always will.
    """

    path: str
    language: Language
    title: str
    sections: tuple[Section, ...]
    valid_from: date | None = None
    valid_until: date | None = None


def document(path: PurePath, content: Content) -> Document:
    """Return the document that a file at `path` (relative) with this content is.

    Raises:
        BrokenFileError: there is no text in it.
    """
    sections = tuple(section for section in content.sections if section.text.strip())
    if not sections:
        raise BrokenFileError("there is no text in it")
    tops = {section.path[:1] for section in content.sections}
    first = next(iter(tops)) if len(tops) == 1 else ()
    return Document(
        path=path.as_posix(),
        language=_language(path, sections),
        title=content.title or "".join(first) or path.stem,
        sections=sections,
        valid_from=content.valid_from,
        valid_until=content.valid_until,
    )


def _language(path: PurePath, sections: Iterable[Section]) -> Language:
    """Return the language that a folder's name says, else the one the text is in."""
    for part in path.parts[:-1]:
        if part == "zh" or part == "en":
            return "zh" if part == "zh" else "en"
    texts = [text for section in sections for text in (*section.path, section.text)]
    han = sum(map(han_count, texts))
    letters = sum(character.isalpha() for text in texts for character in text)
    return "zh" if han > _HAN_SHARE * letters else "en"
