"""The three import files: their columns, and reading them row by row in bounded memory."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from services.tools.importer import values
from services.tools.text import identifier_key

CHUNK_ROWS = 5000
MAX_PROBLEMS = 20
_SHOWN = 60  # characters of a bad value

Reader = Callable[[str], Any]
Record = tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FileKind:
    """One kind of file.

    Attributes:
        table: `products`, `orders` or `items`; also what messages call it.
        columns: CSV column to the function that reads it, in the record's order.
        complete: makes the record from the values read; raises ColumnError.
        stored: names of the record's fields.

    """

    table: str
    columns: dict[str, Reader]
    complete: Callable[[list[Any]], Record]
    stored: tuple[str, ...]


class ColumnError(ValueError):
    """A row whose columns are good one by one but not together."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column


def _product(row: list[Any]) -> Record:
    if not row[1] and not row[2]:
        raise ColumnError("name_zh", "and name_en are both empty; a product needs a name")
    return tuple(row)


def _with_order_key(row: list[Any]) -> Record:
    return (identifier_key(row[0]), *row)


PRODUCTS = FileKind(
    "products",
    {
        "sku": values.identifier,
        "name_zh": values.name,
        "name_en": values.name,
        "price": values.amount,
        "currency": values.currency,
        "stock": values.count,
        "ships_from": values.optional_name,
        "warranty_months": values.optional_count,
        "description": values.description,
    },
    _product,
    (
        "sku",
        "name_zh",
        "name_en",
        "price",
        "currency",
        "stock",
        "ships_from",
        "warranty_months",
        "description",
    ),
)
ORDERS = FileKind(
    "orders",
    {
        "order_id": values.order_number,
        "customer_id": values.identifier,
        "status": values.status,
        "carrier": values.optional_name,
        "tracking_no": values.optional_identifier,
        "placed_at": values.moment,
        "updated_at": values.moment,
        "total": values.amount,
        "currency": values.currency,
    },
    _with_order_key,
    (
        "order_key",
        "order_id",
        "customer_id",
        "status",
        "carrier",
        "tracking_no",
        "placed_at",
        "updated_at",
        "total",
        "currency",
    ),
)
ITEMS = FileKind(
    "items",
    {
        "order_id": values.order_number,
        "sku": values.identifier,
        "quantity": values.quantity,
        "unit_price": values.amount,
    },
    _with_order_key,
    ("order_key", "order_id", "sku", "quantity", "unit_price"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was refused: file, line (from 1, the header's), column and reason."""

    file: str
    line: int
    column: str | None
    reason: str

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"{self.file}, line {self.line}{column}: {self.reason}"


@dataclass(slots=True)
class Problems:
    """The first twenty problems of a run."""

    found: list[Problem] = field(default_factory=list)

    def add(self, file: str, line: int, column: str | None, reason: str) -> None:
        """Keep a problem, unless there are enough of them."""
        if not self.enough:
            self.found.append(Problem(file, line, column, reason))

    @property
    def enough(self) -> bool:
        """Whether reading on would tell nothing more."""
        return len(self.found) >= MAX_PROBLEMS


def read(
    path: Path, kind: FileKind, problems: Problems, progress: Callable[[int], None]
) -> Iterator[list[Record]]:
    """Yield the file's good rows in chunks, each record led by its line number.

    Bad rows go to `problems`, and reading stops when there are enough. `progress` is told how
    many bytes were read so far. Raises OSError if the file cannot be read.
    """
    with path.open("rb") as stream:
        counter = _Lines(stream)
        reader = csv.reader(counter, strict=True)
        parse = _Parser(path.name, kind, problems)
        chunk: list[Record] = []
        for line, row in _rows(reader, path.name, problems):
            if not parse.ready:
                if not parse.header(row, line):
                    return
                continue
            if row and (record := parse.record(row, line)) is not None:
                chunk.append(record)
            if problems.enough:
                return
            if len(chunk) >= CHUNK_ROWS:
                progress(counter.bytes)
                yield chunk
                chunk = []
        if not parse.ready and not problems.found:
            problems.add(path.name, 1, None, "the file is empty; its first line names the columns")
        progress(counter.bytes)
        if chunk:
            yield chunk


class _Lines:
    """Decoded lines of a file, counting bytes. A line at a time, so that errors have a line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.bytes = 0

    def __iter__(self) -> Iterator[str]:
        encoding = "utf-8-sig"
        for line in self._stream:
            self.bytes += len(line)
            yield line.decode(encoding)
            encoding = "utf-8"


def _rows(reader: Any, file: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line they begin on; what is not CSV or UTF-8 ends the file."""
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except UnicodeDecodeError as exc:
            reason = f"is not UTF-8 (byte {exc.start + 1} of the line)"
            problems.add(file, reader.line_num + 1, None, reason)
            return
        except csv.Error as exc:
            problems.add(file, line, None, f"is not valid CSV: {exc}")
            return
        yield line, row


class _Parser:
    """Turns rows into records by the header's order of columns."""

    def __init__(self, file: str, kind: FileKind, problems: Problems) -> None:
        self._file = file
        self._kind = kind
        self._problems = problems
        self._width = 0
        self._plan: list[tuple[int, str, Reader]] = []

    @property
    def ready(self) -> bool:
        """Whether the header was read."""
        return bool(self._plan)

    def header(self, row: list[str], line: int) -> bool:
        """Learn the columns; report those that are missing or come twice, or that nobody knows."""
        names = [name.strip() for name in row]
        expected = ", ".join(self._kind.columns)
        wrong = [(name, "is missing") for name in self._kind.columns if name not in names]
        wrong += [
            (name, f"is not a column of {self._kind.table} ({expected})")
            for name in names
            if name not in self._kind.columns
        ]
        wrong += [(name, "comes twice") for name in {*names} if names.count(name) > 1]
        for name, reason in wrong:
            self._problems.add(self._file, line, name[:_SHOWN] or "(no name)", reason)
        self._width = len(names)
        self._plan = [(names.index(n), n, r) for n, r in self._kind.columns.items() if n in names]
        return not wrong

    def record(self, row: list[str], line: int) -> Record | None:
        """Read one row; report it and return None if it is bad."""
        if len(row) != self._width:
            reason = f"has {len(row)} columns, not {self._width}"
            self._problems.add(self._file, line, None, reason)
            return None
        column, cell = "", ""
        try:
            read_values = []
            for position, column, reader in self._plan:  # noqa: B007 - named in the message below
                cell = row[position].strip()
                read_values.append(reader(cell))
            return (line, *self._kind.complete(read_values))
        except ColumnError as exc:
            self._problems.add(self._file, line, exc.column, str(exc))
        except ValueError as exc:
            self._problems.add(self._file, line, column, f"{cell[:_SHOWN]!r} {exc}")
        return None
