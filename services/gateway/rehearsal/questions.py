"""Reads the CSV of past questions: its form, its columns, and which rows can be asked.

The file is read row by row and never held as a whole. A row that cannot be asked is named by its
line and the reason, and left out; the rest is asked.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.gateway.rehearsal.errors import QuestionsError

QUESTION_NAMES = ("question", "query", "message", "text", "问题")
"""What the column of questions may be called; the first of these that is there is read."""
OTHER_NAMES = ("conversation", "customer", "expected")
MOST_CHARS = 8000
"""Longest question: what a gateway takes unless MAX_MESSAGE_CHARS says otherwise."""
_DELIMITERS = (",", ";", "\t")
_NEVER_THERE = "\x1f"
"""Parts nothing: in a file of one column a comma belongs to the question, quoted or not."""
_CUSTOMER_CHARS = 128
_SAMPLE_CHARS = 8192


@dataclass(frozen=True, slots=True)
class Row:
    """A question that can be asked. `line` is the one that it begins on, from 1."""

    line: int
    question: str
    conversation: str = ""
    customer: str = ""
    expected: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is left out, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Chat:
    """Questions that are asked in order, in one session."""

    rows: list[Row] = field(default_factory=list)
    customer: str = ""
    """Who is signed in all the while; empty: nobody."""


@dataclass(slots=True)
class Questions:
    """What a file holds."""

    chats: list[Chat] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Columns that a rehearsal has no use for."""

    @property
    def count(self) -> int:
        """How many can be asked."""
        return sum(len(chat.rows) for chat in self.chats)

    @property
    def named(self) -> int:
        """How many belong to a customer who is named."""
        return sum(len(chat.rows) for chat in self.chats if chat.customer)


def read_questions(path: Path) -> Questions:
    """Read a file of questions.

    Raises:
        QuestionsError: there is no such file, it is no CSV with questions, or no row of it can be
            asked; says what to do.
    """
    found = Questions()
    by_name: dict[str, Chat] = {}
    try:
        for row in _rows(path, found.unread):
            if isinstance(row, Row):
                _sort_in(row, found, by_name)
            else:
                found.bad.append(row)
    except OSError as exc:
        raise QuestionsError(f"{path} cannot be read: {exc.strerror}.") from exc
    if not found.chats:
        first = f" Line {found.bad[0].line}: {found.bad[0].reason}." if found.bad else ""
        raise QuestionsError(f"{path} has no row that can be asked.{first}")
    return found


def _sort_in(row: Row, found: Questions, by_name: dict[str, Chat]) -> None:
    chat = by_name.get(row.conversation) if row.conversation else None
    if chat is None:
        chat = Chat()
        found.chats.append(chat)
        if row.conversation:
            by_name[row.conversation] = chat
    if row.customer and chat.customer and row.customer != chat.customer:
        reason = "its conversation is another customer's by the rows before"
        found.bad.append(BadRow(row.line, reason))
        return
    chat.customer = chat.customer or row.customer
    chat.rows.append(row)


def _rows(path: Path, unread: list[str]) -> Iterator[Row | BadRow]:
    # Bytes that are no UTF-8 become surrogates, so that one such row does not end the reading.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        sample = file.read(_SAMPLE_CHARS)
        file.seek(0)
        records = _records(csv.reader(file, delimiter=_delimiter(sample)))
        header = _header(path, records)
        columns = _columns(path, header, unread)
        for line, cells in records:
            yield cells if isinstance(cells, BadRow) else _row(line, cells, header, columns)


def _records(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str] | BadRow]]:
    """Return each record that is not blank, with the line it begins on."""
    while True:
        line = reader.line_num + 1  # type: ignore[attr-defined]  # a csv.reader, which has no name
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield line, BadRow(line, f"it is no CSV ({exc}); is a quote left open?")
            continue
        if any(cell.strip() for cell in cells):
            yield line, cells


def _delimiter(sample: str) -> str:
    """Return what parts the columns: as sniffed, where the header agrees, else as it reads."""
    head = next((line for line in sample.splitlines() if line.strip()), "")
    try:
        sniffed = csv.Sniffer().sniff(sample, "".join(_DELIMITERS)).delimiter
    except csv.Error:
        sniffed = ","
    for delimiter in (sniffed, *_DELIMITERS):
        names = {_plain(name) for name in next(csv.reader([head], delimiter=delimiter), [])}
        if len(names) > 1 and not names.isdisjoint(QUESTION_NAMES):
            return delimiter
    return _NEVER_THERE if _plain(head.strip().strip('"')) in QUESTION_NAMES else sniffed


def _header(path: Path, records: Iterator[tuple[int, list[str] | BadRow]]) -> list[str]:
    _, cells = next(records, (0, BadRow(0, "")))
    if isinstance(cells, BadRow):
        raise QuestionsError(
            f"{path} has no header. Its first line names the columns, one of them 'question'."
        )
    if not all(_is_text(cell) for cell in cells):
        raise QuestionsError(
            f"{path} is not UTF-8. Save it again as UTF-8; a spreadsheet calls that 'CSV UTF-8'."
        )
    return [_plain(cell) for cell in cells]


def _columns(path: Path, header: Sequence[str], unread: list[str]) -> dict[str, int]:
    """Return where each column that is read stands; note those that are not."""
    question = next((name for name in QUESTION_NAMES if name in header), None)
    if question is None:
        names = ", ".join(repr(name[:40]) for name in header[:12] if name)
        raise QuestionsError(
            f"{path} has no column 'question' ({', '.join(QUESTION_NAMES[1:])} are taken as well); "
            f"its columns are {names}."
        )
    found = {name: header.index(name) for name in OTHER_NAMES if name in header}
    found["question"] = header.index(question)
    unread.extend(name for at, name in enumerate(header) if name and at not in found.values())
    return found


def _row(
    line: int, cells: list[str], header: Sequence[str], columns: dict[str, int]
) -> Row | BadRow:
    if any(cell.strip() for cell in cells[len(header) :]):
        return BadRow(
            line,
            f"it has {len(cells)} columns, the header {len(header)}; put quotes round a question "
            "that holds the delimiter",
        )
    values = {name: cells[at].strip() if at < len(cells) else "" for name, at in columns.items()}
    reason = _fault(values)
    return BadRow(line, reason) if reason else Row(line, **values)


def _fault(values: dict[str, str]) -> str:
    """Say why a row cannot be asked; empty where it can."""
    if not all(_is_text(value) for value in values.values()):
        return "it is not UTF-8"
    if not values["question"]:
        return "it has no question"
    if (length := len(values["question"])) > MOST_CHARS:
        return (
            f"its question has {length} characters, more than {MOST_CHARS}; is a quote left open?"
        )
    customer = values.get("customer", "")
    if len(customer) > _CUSTOMER_CHARS or not customer.isprintable():
        return f"its customer is no id of 1 to {_CUSTOMER_CHARS} characters"
    return ""


def _is_text(value: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in value)


def _plain(name: str) -> str:
    return name.strip().casefold()
