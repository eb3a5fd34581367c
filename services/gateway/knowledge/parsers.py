"""Files of a shop into documents: Markdown, HTML, PDF, Word and CSV.

Nothing in a file is executed or fetched; images and scripts are left out.
"""

import csv
import io
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

import bs4
import mammoth  # type: ignore[import-untyped]
import markdownify
import pypdf

from services.gateway.knowledge.documents import (
    BrokenFileError,
    Content,
    Document,
    Section,
    document,
)
from services.gateway.knowledge.markdown import read_markdown, sections_of

MOST_BYTES = 50_000_000
"""Of one file; a larger one is no page of a shop."""
_SILENT = ("script", "style", "noscript", "template", "svg", "iframe", "nav", "form", "img")
_QUESTION = ("question", "问题", "问")
_ANSWER = ("answer", "答案", "回答", "答")
_HEADING_SIZE = 1.15
"""Lines of a PDF set this much larger than most of its text are headings."""
_MOST_HEADING_CHARS = 80


def read_file(folder: Path, path: PurePath) -> Document:
    """Read a file.

    Args:
        folder: that is loaded.
        path: of the file, relative to it.

    Raises:
        BrokenFileError: it cannot be read; says why.
    """
    parse = PARSERS[path.suffix.lower()]
    whole = folder / path
    try:
        # Libraries remark on oddities of a file that they then read all the same.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return document(path, parse(_bytes(whole)))
    except BrokenFileError:
        raise
    except OSError as exc:
        raise BrokenFileError(exc.strerror or type(exc).__name__) from exc
    except RecursionError as exc:
        raise BrokenFileError("it is nested too deeply") from exc
    # What a library raises over a broken file is not written down anywhere, and one broken file
    # must not keep the others out.
    except Exception as exc:
        reason = " ".join(str(exc).split())[:200]
        raise BrokenFileError(f"{type(exc).__name__}: {reason}" if reason else repr(exc)) from exc


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise BrokenFileError(f"it is larger than {MOST_BYTES // 1_000_000} MB")
    return path.read_bytes()


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise BrokenFileError("it is not UTF-8; save it as UTF-8") from exc
    if "\0" in text:
        raise BrokenFileError("it is not a text file")
    return text


def _markdown(data: bytes) -> Content:
    return read_markdown(_text(data))


def _html(data: bytes) -> Content:
    soup = bs4.BeautifulSoup(data, "html.parser")
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    body = soup.find("main") or soup.find("article") or soup.body or soup
    return Content(_html_sections(body), title)


def _html_sections(body: bs4.Tag) -> tuple[Section, ...]:
    for silent in body.find_all(_SILENT):
        silent.decompose()
    if isinstance(body, bs4.BeautifulSoup) and body.head:
        body.head.decompose()
    converter = markdownify.MarkdownConverter(
        heading_style=markdownify.ATX, strip=["a"], escape_underscores=False
    )
    return sections_of(converter.convert_soup(body))


def _word(data: bytes) -> Content:
    html = mammoth.convert_to_html(io.BytesIO(data)).value
    return Content(_html_sections(bs4.BeautifulSoup(html, "html.parser")))


def _pdf(data: bytes) -> Content:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise BrokenFileError("it is locked with a password")
    lines = [line for page in reader.pages for line in _pdf_lines(page)]
    if not any(line for _, line in lines):
        raise BrokenFileError("there is no text in it; is it a scan?")
    title = reader.metadata.title if reader.metadata else None
    return Content(tuple(_pdf_sections(lines)), " ".join((title or "").split()))


def _pdf_lines(page: pypdf.PageObject) -> list[tuple[float, str]]:
    """Return a page's lines, each with its size of type; an empty line ends a paragraph."""
    sizes: Counter[str] = Counter()

    def visit(text: str, _: Any, matrix: Any, __: Any, size: float | None) -> None:
        if text.strip():
            scale = abs(matrix[3]) or abs(matrix[1]) or 1.0
            for line in text.strip().splitlines():
                sizes[line.strip()] = max(sizes[line.strip()], round((size or 0) * scale * 10))

    text = page.extract_text(visitor_text=visit)
    lines = [line.strip() for line in text.splitlines()]
    return [(sizes.get(line, 0) / 10, line) for line in lines] + [(0.0, "")]


def _pdf_sections(lines: list[tuple[float, str]]) -> Iterator[Section]:
    weight: Counter[float] = Counter()
    for size, line in lines:
        weight[size] += len(line)
    usual = weight.most_common(1)[0][0]
    heading: tuple[str, ...] = ()
    body: list[str] = []
    for size, line in lines:
        if usual and size >= usual * _HEADING_SIZE and 0 < len(line) <= _MOST_HEADING_CHARS:
            yield Section(heading, "\n".join(body).strip())
            heading, body = (line,), []
        else:
            body.append(line)
    yield Section(heading, "\n".join(body).strip())


def _csv(data: bytes) -> Content:
    text = _text(data)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in next(rows, [])]
        table = [(rows.line_num, [cell.strip() for cell in row]) for row in rows if any(row)]
    except csv.Error as exc:
        raise BrokenFileError(f"line {rows.line_num}: {exc}") from exc
    if not any(names) or not table:
        raise BrokenFileError("it has no rows under a line of column names")
    for number, row in table:
        if len(row) > len(names):
            raise BrokenFileError(
                f"line {number} has {len(row)} cells for {len(names)} columns; quote cells "
                "that hold commas"
            )
    lowered = [name.lower() for name in names]
    question = next((lowered.index(name) for name in _QUESTION if name in lowered), None)
    answer = next((lowered.index(name) for name in _ANSWER if name in lowered), None)
    if question is not None and answer is not None:
        pairs = [(row + [""] * len(names)) for _, row in table]
        return Content(
            tuple(Section((_line(row[question]),), row[answer]) for row in pairs if row[question])
        )
    return Content(
        tuple(
            Section(
                (_line(row[0]),) if row[0] else (),
                "\n".join(
                    f"{name}: {_line(cell)}" for name, cell in zip(names, row, strict=False) if cell
                ),
            )
            for _, row in table
        )
    )


def _line(text: str) -> str:
    return " ".join(text.split())


PARSERS: dict[str, Callable[[bytes], Content]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
    ".docx": _word,
    ".csv": _csv,
}
"""By the ending of a file's name."""
