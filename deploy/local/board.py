"""What the user sees while the stack starts: a live table on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class Board(Protocol):
    """Shows each unit's state with seconds since the start."""

    def starting(self, name: str) -> None:
        """Show that a unit has been started."""

    def waiting(self, name: str, detail: str) -> None:
        """Show that a unit is on its way; `detail` is the last it said, or empty."""

    def ready(self, name: str, *, done: bool = False) -> None:
        """Show that a unit is ready; `done` for a step that has ended."""

    def failed(self, name: str) -> None:
        """Show that a unit did not get ready."""

    def note(self, text: str) -> None:
        """Show something that is no unit's start."""

    def close(self) -> None:
        """Leave the last state on the screen."""


class PlainBoard:
    """`[ 12.3s] router ready`, one line a change, and every 10 s what is still on its way."""

    REPEAT_S = 10.0

    def __init__(self, started_s: float, stream: TextIO | None = None) -> None:
        self._started_s = started_s
        self._stream = stream or sys.stdout
        self._under_way: dict[str, str] = {}
        self._said_s = time.monotonic()

    def _say(self, text: str) -> None:
        # A pipe that was closed must not keep the supervisor from stopping what it started.
        with contextlib.suppress(OSError):
            self._stream.write(f"[{time.monotonic() - self._started_s:6.1f}s] {text}\n")
            self._stream.flush()
        self._said_s = time.monotonic()

    def starting(self, name: str) -> None:
        """Show that a unit has been started."""
        self._under_way[name] = ""
        self._say(f"{name} starting")

    def waiting(self, name: str, detail: str) -> None:
        """Show that a unit is on its way."""
        self._under_way[name] = detail
        if time.monotonic() - self._said_s >= self.REPEAT_S:
            rest = [f"{one} ({said})" if said else one for one, said in self._under_way.items()]
            self._say(f"waiting for {', '.join(rest)}")

    def ready(self, name: str, *, done: bool = False) -> None:
        """Show that a unit is ready."""
        self._under_way.pop(name, None)
        self._say(f"{name} {'done' if done else 'ready'}")

    def failed(self, name: str) -> None:
        """Show that a unit did not get ready."""
        self._under_way.pop(name, None)
        self._say(f"{name} failed")

    def note(self, text: str) -> None:
        """Show something that is no unit's start."""
        self._say(text)

    def close(self) -> None:
        """Leave things as they are: every line is printed already."""


class LiveBoard:
    """A table with a spinner for each unit that is on its way."""

    def __init__(self, started_s: float, console: Console | None = None) -> None:
        self._started_s = started_s
        self._rows: dict[str, _Row] = {}
        self._live = Live(
            console=console or Console(), refresh_per_second=8, get_renderable=self._table
        )
        self._live.start()

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, row in self._rows.items():
            table.add_row(row.sign(), name, row.seconds(), Text(row.detail[:70], style="dim"))
        return table

    def starting(self, name: str) -> None:
        """Show that a unit has been started."""
        self._rows[name] = _Row()

    def waiting(self, name: str, detail: str) -> None:
        """Show that a unit is on its way."""
        self._rows[name].detail = detail

    def ready(self, name: str, *, done: bool = False) -> None:
        """Show that a unit is ready."""
        if name in self._rows:
            self._rows[name].end("done" if done else "ready", "green")

    def failed(self, name: str) -> None:
        """Show that a unit did not get ready."""
        if name in self._rows:
            self._rows[name].end("failed", "red")

    def note(self, text: str) -> None:
        """Show something that is no unit's start."""
        seconds = time.monotonic() - self._started_s
        # soft_wrap: nothing may break a line that somebody copies.
        self._live.console.print(f"[{seconds:6.1f}s] {text}", soft_wrap=True, markup=False)

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._live.stop()


class _Row:
    """One unit's line in the live table."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._spinner = Spinner("dots")
        self._end: tuple[str, str, float] | None = None
        self.detail = ""

    def end(self, state: str, colour: str) -> None:
        self._end = (state, colour, time.monotonic() - self._began_s)
        self.detail = ""

    def sign(self) -> Spinner | Text:
        if self._end is None:
            return self._spinner
        return Text("✓" if self._end[1] == "green" else "✗", style=self._end[1])

    def seconds(self) -> Text:
        if self._end is None:
            return Text(f"{time.monotonic() - self._began_s:.1f} s")
        state, colour, seconds = self._end
        return Text(f"{state} after {seconds:.1f} s", style=colour)


def make_board(started_s: float) -> Board:
    """Return the board for this output."""
    return LiveBoard(started_s) if sys.stdout.isatty() else PlainBoard(started_s)
