"""Sections into chunks: what is embedded, found and given to the model as one piece."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.gateway.knowledge.documents import HEADING_SEPARATOR, Document

MOST_CHARS = 1200
"""Of a chunk's text; longer sections are split at paragraph or sentence ends."""
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_SENTENCE = re.compile(r"(?<=[。！？；!?;])|(?<=\.)(?=\s)|(?<=\n)")
_FENCE = re.compile(r"^\s*(?:```|~~~)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document.

    Attributes:
        heading: the path of headings, "Returns › Time limit"; empty where there is none.
        text: Markdown of at most `MOST_CHARS` characters.
        order: its place in the document, from 0.
    """

    heading: str
    text: str
    order: int

    @property
    def spoken(self) -> str:
        """What is embedded: the innermost heading and the text.

        With the whole path, sections of one page are too much alike: their titles are the same.
        """
        return f"{self.leaf}\n{self.text}" if self.leaf else self.text

    @property
    def leaf(self) -> str:
        """The innermost heading."""
        return self.heading.rsplit(HEADING_SEPARATOR, 1)[-1]

    def digest(self, model: str) -> str:
        """Return a name for this chunk's vector by this model; equal texts share one."""
        parts = "\0".join((model, self.heading, self.text))
        return hashlib.sha256(parts.encode()).hexdigest()[:32]


def chunks_of(document: Document) -> list[Chunk]:
    """Return a document's chunks in order."""
    return [
        Chunk(HEADING_SEPARATOR.join(section.path), text, order)
        for order, (section, text) in enumerate(
            (section, text) for section in document.sections for text in split(section.text)
        )
    ]


def split(text: str, most: int = MOST_CHARS) -> Iterator[str]:
    """Yield a text's pieces of at most `most` characters, broken where it hurts least."""
    if len(text) <= most:
        if text.strip():
            yield text.strip()
        return
    pieces = [piece for paragraph in _paragraphs(text) for piece in _broken(paragraph, most)]
    yield from _packed(pieces, most, "\n\n")


def _paragraphs(text: str) -> Iterator[str]:
    """Yield paragraphs; a fenced block is one, empty lines in it or not."""
    open_fence: list[str] = []
    for part in _PARAGRAPH.split(text):
        open_fence.append(part)
        fences = sum(bool(_FENCE.match(line)) for line in "\n\n".join(open_fence).split("\n"))
        if fences % 2 == 0:
            yield "\n\n".join(open_fence)
            open_fence = []
    if open_fence:
        yield "\n\n".join(open_fence)


def _broken(paragraph: str, most: int) -> Iterable[str]:
    if len(paragraph) <= most:
        return [paragraph.strip("\n")]
    if paragraph.lstrip().startswith("|"):
        return _table(paragraph.strip().split("\n"), most)
    sentences = [
        sentence[at : at + most]
        for sentence in _SENTENCE.split(paragraph)
        for at in range(0, len(sentence), most)
    ]
    return _packed(sentences, most, "")


def _table(rows: list[str], most: int) -> Iterator[str]:
    """Yield pieces of a table, each under the table's own column names."""
    head = "\n".join(rows[:2])
    room = most - len(head) - 1
    if room < most // 2 or len(rows) < 3:
        yield from _packed([row[:most] for row in rows], most, "\n")
        return
    for piece in _packed([row[:room] for row in rows[2:]], room, "\n"):
        yield f"{head}\n{piece}"


def _packed(pieces: Iterable[str], most: int, between: str) -> Iterator[str]:
    """Yield as few joined runs of pieces as fit in `most` characters each."""
    run = ""
    for piece in pieces:
        joined = f"{run}{between}{piece}" if run else piece
        if len(joined) <= most:
            run = joined
            continue
        if run.strip():
            yield run.strip()
        run = piece
    if run.strip():
        yield run.strip()
