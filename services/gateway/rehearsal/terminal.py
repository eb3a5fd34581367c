"""The figures of a run for a terminal."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from services.gateway.rehearsal.outcomes import OUTCOMES
from services.gateway.rehearsal.summary import About, Summary

SHOWN = 10
"""Rows of each list; the page and the JSON have them all."""
_QUESTION_CHARS = 72
_STYLES = {"answered": "green", "handover": "cyan", "unconfirmed": "yellow", "error": "red"}


def tables(summary: Summary) -> list[Table]:
    """Return what is printed at the end; lists with nothing in them are left out."""
    lists = [
        _listed("Most asked without an answer", "question", _gaps(summary), summary),
        _listed(
            "Documents quoted most",
            "document",
            [(f"{one.title} ({one.document})", one.count) for one in summary.documents],
            summary,
        ),
        _listed("Errors", "error", summary.errors, summary),
    ]
    return [_outcomes(summary), *(one for one in lists if one.row_count)]


def notes(about: About, summary: Summary) -> list[str]:
    """Return the sentences under the tables."""
    found = []
    if summary.after_handover:
        found.append(
            f"Handed over because a person had the conversation already: {summary.after_handover}."
        )
    if summary.partly:
        found.append(f"Answers that could not confirm a part of what was asked: {summary.partly}.")
    if about.anonymous:
        found.append(
            f"Questions of named customers, asked without signing in: {about.anonymous} "
            f"({about.anonymous_why})."
        )
    if summary.degraded:
        away = ", ".join(f"{name} {count}" for name, count in summary.degraded)
        found.append(f"Answers given while something was away: {away}.")
    if about.waits:
        found.append(f"Waits because the gateway's limits were reached: {about.waits}.")
    if about.bad_rows:
        found.append(f"Rows that could not be asked: {len(about.bad_rows)}.")
    if about.left_behind:
        found.append(
            f"Sessions that could not be deleted: {len(about.left_behind)} "
            f"({', '.join(about.left_behind[:SHOWN])}). Resolve their tickets on the agents' desk."
        )
    if about.ended_by:
        left = about.questions - summary.asked
        found.append(f"Questions that were not asked: {left}. {about.ended_by}")
    return found


def seconds(value: float | None) -> str:
    """Return a time for people."""
    return "-" if value is None else f"{value:.2f} s"


def share(part: float) -> str:
    """Return a share for people."""
    return f"{part * 100:.1f} %"


def one_line(text: str, most: int = _QUESTION_CHARS) -> Text:
    """Return a customer's words for a terminal: no control characters, no markup, one line."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return Text(plain if len(plain) <= most else plain[: most - 1] + "…")


def _outcomes(summary: Summary) -> Table:
    table = Table(title=f"Rehearsal, questions asked: {summary.asked}")
    table.add_column("outcome")
    table.add_column("questions", justify="right")
    table.add_column("share", justify="right")
    for outcome, name in OUTCOMES.items():
        count = summary.outcomes[outcome]
        style = _STYLES[outcome] if count else ""
        table.add_row(name, str(count), share(summary.share(count)), style=style)
        if outcome == "answered":
            _add_all(table, "from: ", summary.sources, summary)
            _add_all(table, "tool: ", summary.tools, summary)
    table.add_section()
    table.add_row("time to the reply, p50", seconds(summary.p50_s), "")
    table.add_row("time to the reply, p95", seconds(summary.p95_s), "")
    return table


def _add_all(
    table: Table, label: str, counted: Sequence[tuple[str, int]], summary: Summary
) -> None:
    for name, count in counted[:SHOWN]:
        shown = Text(f"  {label}").append_text(one_line(name))
        table.add_row(shown, str(count), share(summary.share(count)), style="dim")


def _gaps(summary: Summary) -> list[tuple[str, int]]:
    return [(gap.question, gap.count) for gap in summary.gaps]


def _listed(title: str, column: str, counted: Sequence[tuple[str, int]], summary: Summary) -> Table:
    more = f" ({SHOWN} of {len(counted)})" if len(counted) > SHOWN else ""
    table = Table(title=f"{title}{more}")
    table.add_column("questions", justify="right")
    table.add_column("share", justify="right")
    table.add_column(column)
    for text, count in counted[:SHOWN]:
        table.add_row(str(count), share(summary.share(count)), one_line(text))
    return table
