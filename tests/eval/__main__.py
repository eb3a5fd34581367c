"""`python -m tests.eval`: runs the golden dialogues and prints how many were answered right."""

import asyncio
import sys
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.eval import dialogues, report, settings
from tests.eval.client import Conversation, GatewayClient, hold_all
from tests.eval.grader import Grader
from tests.eval.shop import Shop


def main() -> int:
    """Run; returns 0 when all thresholds are met, 1 when one is missed, 2 when it cannot run."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        told = settings.load()
        chosen = _chosen(told)
        return asyncio.run(_evaluate(told, chosen, console))
    except (settings.EvalError, dialogues.GoldenError) as exc:
        console.print(str(exc), style="red", markup=False)
        return 2


def _chosen(told: settings.EvalSettings) -> list[dialogues.Dialogue]:
    found = [
        dialogue
        for language in told.languages
        for dialogue in dialogues.load(language)
        if (not told.kinds or dialogue.kind in told.kinds)
        and (not told.only or dialogue.id in told.only)
    ]
    if not found:
        raise settings.EvalError("No dialogue is left; check --language, --kind and --only.")
    return found


async def _evaluate(
    told: settings.EvalSettings, chosen: list[dialogues.Dialogue], console: Console
) -> int:
    started = datetime.now(UTC).replace(microsecond=0)
    grader = Grader(Shop())
    graded: list[report.Graded] = []
    async with GatewayClient(told) as client:
        if problem := await client.ping():
            raise settings.EvalError(
                f"{told.url} cannot be used ({problem}); start it with make run, or give --url."
            )
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
            bar = progress.add_task("conversations", total=len(chosen) * told.runs)

            def done(talk: Conversation) -> None:
                grade = grader.grade(talk.dialogue, talk.answered)
                graded.append(report.Graded(talk, grade))
                right = sum(one.grade.both for one in graded)
                words = f"conversations, {right / len(graded):.0%} right"
                progress.update(bar, advance=1, description=words)

            await hold_all(client, chosen, told.runs, told.concurrency, done)
    found = report.groups(graded)
    console.print(report.table(found))
    results, failures = report.write(graded, told, started)
    console.print(f"Transcripts: {results}\nFailures:    {failures}", highlight=False)
    missed = report.shortfalls(found, told)
    for sentence in missed:
        console.print(sentence, style="red")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
