"""What came out: figures by language and kind, a table, a JSON file and a listing of failures."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.eval.client import Conversation
from tests.eval.dialogues import KINDS
from tests.eval.grader import Grade
from tests.eval.settings import EvalSettings


@dataclass(frozen=True, slots=True)
class Graded:
    """A conversation and its grade."""

    talk: Conversation
    grade: Grade


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares of a group of conversations.

    Attributes:
        dialogues: different dialogues in the group.
        conversations: dialogues times runs.
        calls: right calls with exact arguments, and no others.
        calls_needed: the same, of the dialogues that need a call; None where none does.
        states: answers that state the facts asked for, or decline where they must.
        nothing_else: answers that state nothing besides.
        answers: both of these: a right final answer.
        both: right calls and a right answer.
        pass_1: chance that a run of a dialogue is right in everything.
        pass_4: chance that four runs of it all are; None with fewer than four runs.
    """

    dialogues: int
    conversations: int
    calls: float
    calls_needed: float | None
    states: float
    nothing_else: float
    answers: float
    both: float
    pass_1: float
    pass_4: float | None


def pass_power(right: int, runs: int, k: int) -> float:
    """Chance that `k` of `runs` runs, drawn without replacement, are all right: C(c,k)/C(n,k).

    The unbiased estimate of tau-bench (Yao et al. 2024, arXiv:2406.12045, section 3).
    """
    return math.comb(right, k) / math.comb(runs, k)


def figures(graded: Sequence[Graded]) -> Figures:
    """The figures of a group; it must not be empty."""
    by_dialogue: dict[str, list[bool]] = {}
    for one in graded:
        by_dialogue.setdefault(one.talk.dialogue.id, []).append(one.grade.both)
    needing = [one.grade.calls for one in graded if one.talk.dialogue.needs_call]
    least = min(map(len, by_dialogue.values()))
    return Figures(
        dialogues=len(by_dialogue),
        conversations=len(graded),
        calls=_share(one.grade.calls for one in graded),
        calls_needed=_share(needing) if needing else None,
        states=_share(one.grade.states for one in graded),
        nothing_else=_share(one.grade.nothing_else for one in graded),
        answers=_share(one.grade.answer for one in graded),
        both=_share(one.grade.both for one in graded),
        pass_1=_mean(pass_power(sum(runs), len(runs), 1) for runs in by_dialogue.values()),
        pass_4=_mean(pass_power(sum(runs), len(runs), 4) for runs in by_dialogue.values())
        if least >= 4
        else None,
    )


def groups(graded: Sequence[Graded]) -> dict[str, dict[str, Figures]]:
    """Figures by language and kind; the kind `all` is the language's total."""
    found: dict[str, dict[str, Figures]] = {}
    for language in sorted({one.talk.dialogue.language for one in graded}, reverse=True):
        ours = [one for one in graded if one.talk.dialogue.language == language]
        found[language] = {}
        for kind in KINDS:
            if group := [one for one in ours if one.talk.dialogue.kind == kind]:
                found[language][kind] = figures(group)
        found[language]["all"] = figures(ours)
    return found


def shortfalls(found: dict[str, dict[str, Figures]], settings: EvalSettings) -> list[str]:
    """A sentence for each threshold that a language misses.

    Right calls must reach it over all dialogues, and over those alone that need a call: answering
    small talk without a tool makes up for nothing.
    """
    missed = []
    for language, kinds in found.items():
        total = kinds["all"]
        for name, share, least in (
            ("right calls", total.calls, settings.min_calls),
            ("right calls where one is needed", total.calls_needed, settings.min_calls),
            ("right answers", total.answers, settings.min_answers),
        ):
            if share is not None and share < least:
                missed.append(f"{language}: {share:.1%} {name}, and {least:.0%} are asked for")
    return missed


_COLUMNS = (
    ("dialogues", "dialogues"),
    ("right calls", "calls"),
    ("of those needing one", "calls_needed"),
    ("states the facts", "states"),
    ("nothing else", "nothing_else"),
    ("right answer", "answers"),
    ("both", "both"),
    ("pass^1", "pass_1"),
    ("pass^4", "pass_4"),
)


def table(found: dict[str, dict[str, Figures]]) -> Table:
    """The table for a terminal."""
    drawn = Table(title="Golden dialogues", title_justify="left")
    drawn.add_column("language")
    drawn.add_column("kind")
    for title, _ in _COLUMNS:
        drawn.add_column(title, justify="right")
    for language, kinds in found.items():
        for kind, one in kinds.items():
            style = "bold" if kind == "all" else None
            drawn.add_row(language, kind, *_cells(one), style=style, end_section=kind == "all")
    return drawn


def write(graded: Sequence[Graded], settings: EvalSettings, started: datetime) -> tuple[Path, Path]:
    """Write results.json (every transcript and reason) and failures.md; returns their paths."""
    folder = settings.out / started.strftime("%Y%m%dT%H%M%SZ")
    folder.mkdir(parents=True, exist_ok=True)
    found = groups(graded)
    results, failures = folder / "results.json", folder / "failures.md"
    document = {
        "started": started.isoformat(),
        "url": settings.url,
        "runs": settings.runs,
        "figures": {
            language: {kind: asdict(one) for kind, one in kinds.items()}
            for language, kinds in found.items()
        },
        "shortfalls": shortfalls(found, settings),
        "conversations": [_transcript(one) for one in _sorted(graded)],
    }
    results.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
    failures.write_text(_listing(graded, found, settings, started), "utf-8")
    return results, failures


def _transcript(one: Graded) -> dict[str, Any]:
    talk = one.talk
    turns = []
    for index, turn in enumerate(talk.dialogue.turns):
        entry: dict[str, Any] = {"user": turn.user}
        if index < len(talk.answered):
            answered = talk.answered[index]
            entry["calls"] = [
                {"name": call.name, "arguments": call.arguments} for call in answered.calls
            ]
            entry["answer"] = answered.answer
            entry["error"] = answered.error
            entry["seconds"] = round(talk.seconds[index], 3)
        turns.append(entry)
    return {
        "id": talk.dialogue.id,
        "kind": talk.dialogue.kind,
        "language": talk.dialogue.language,
        "customer": talk.dialogue.customer,
        "run": talk.run,
        "session": talk.session,
        "right_calls": one.grade.calls,
        "states_facts": one.grade.states,
        "nothing_else": one.grade.nothing_else,
        "reasons": one.grade.reasons,
        "turns": turns,
    }


def _listing(
    graded: Sequence[Graded],
    found: dict[str, dict[str, Figures]],
    settings: EvalSettings,
    started: datetime,
) -> str:
    lines = [f"# Golden dialogues against {settings.url}", ""]
    lines += [f"{started.isoformat()}, {settings.runs} runs of each dialogue.", ""]
    lines.append("| language | kind | " + " | ".join(title for title, _ in _COLUMNS) + " |")
    lines.append("|---|---|" + "---:|" * len(_COLUMNS))
    for language, kinds in found.items():
        for kind, one in kinds.items():
            lines.append(f"| {language} | {kind} | " + " | ".join(_cells(one)) + " |")
    missed = shortfalls(found, settings)
    lines += ["", *(f"- {sentence}" for sentence in missed or ["All thresholds are met."]), ""]
    wrong: dict[str, list[Graded]] = {}
    for failed in _sorted(graded):
        if not failed.grade.both:
            wrong.setdefault(failed.talk.dialogue.id, []).append(failed)
    for name, failures in wrong.items():
        lines += [f"## {name} ({len(failures)} of {settings.runs} runs wrong)", ""]
        for failure in _different(failures):
            lines += [*_quoted(failure), ""]
    return "\n".join(lines)


def _quoted(one: Graded) -> list[str]:
    talk = one.talk
    lines = [f"Run {talk.run + 1}, customer {talk.dialogue.customer or 'not signed in'}:", ""]
    for index, turn in enumerate(talk.dialogue.turns[: len(talk.answered)]):
        answered = talk.answered[index]
        lines.append(f"> **customer** {_line(turn.user)}  ")
        for call in answered.calls:
            arguments = json.dumps(call.arguments, ensure_ascii=False)
            lines.append(f"> `{call.name} {arguments}`  ")
        lines.append(f"> **assistant** {_line(answered.answer) or '(nothing)'}  ")
    return [*lines, "", *(f"- {reason}" for reason in one.grade.reasons)]


def _different(failures: Iterable[Graded]) -> list[Graded]:
    """One of each kind of failure: runs that went the same way are listed once."""
    seen: dict[str, Graded] = {}
    for one in failures:
        seen.setdefault(repr([one.talk.answered, one.grade.reasons]), one)
    return list(seen.values())


def _sorted(graded: Sequence[Graded]) -> list[Graded]:
    return sorted(graded, key=lambda one: (one.talk.dialogue.id, one.talk.run))


def _cells(one: Figures) -> list[str]:
    cells = []
    for _, name in _COLUMNS:
        value = getattr(one, name)
        cells.append(
            "–" if value is None else str(value) if name == "dialogues" else f"{value:.1%}"
        )
    return cells


def _line(text: str) -> str:
    return " ".join(text.split())


def _share(flags: Iterable[bool]) -> float:
    return _mean(float(flag) for flag in flags)


def _mean(values: Iterable[float]) -> float:
    kept = list(values)
    return sum(kept) / len(kept)
