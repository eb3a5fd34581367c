"""`python -m services.gateway.rehearsal FILE.csv`: asks a running gateway a shop's past questions.

Before a shop goes live: what is answered and from where, what goes to a person, what cannot be
confirmed, and which documents are missing. `make rehearse FILE=…` runs it.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Coroutine, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.gateway.rehearsal.client import ShopClient, connect
from services.gateway.rehearsal.customers import signer
from services.gateway.rehearsal.errors import RehearsalError
from services.gateway.rehearsal.options import Options, parse_options
from services.gateway.rehearsal.outcomes import Talk
from services.gateway.rehearsal.page import make_folder, write_report
from services.gateway.rehearsal.questions import Questions, read_questions
from services.gateway.rehearsal.replay import Replay, Stop
from services.gateway.rehearsal.summary import About, summarise
from services.gateway.rehearsal.terminal import notes, one_line, tables
from services.gateway.safety.masking import Masker

STOPPED = 130
"""Exit status of a run that a signal ended, as shells have it."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BAD_SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Rehearse; returns the exit status."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        options = parse_options(arguments)
        questions = read_questions(options.file)
        _tell_file(questions, errors)
        return asyncio.run(_rehearse(options, questions, errors))
    except RehearsalError as exc:
        errors.print(f"error: {exc}")
        return exc.status
    except KeyboardInterrupt:
        return STOPPED


async def _rehearse(options: Options, questions: Questions, errors: Console) -> int:
    """Ask, print and keep what came of it; returns the exit status."""
    sign, why_not = signer(options.secrets_file, options.shop)
    stop = Stop()
    async with connect(options.gateway, options.concurrency) as http:
        client = ShopClient(http, options.key, sign, stop.pause)
        await client.check()
        folder = _folder(options.out)
        masker = Masker()
        started, began = time.monotonic(), datetime.now().astimezone()
        with _progress(errors) as progress:
            bar = progress.add_task("asking", total=questions.count)
            replay = Replay(client, masker, stop, lambda _: progress.advance(bar))
            stopped = await _until_stopped(
                replay.run(questions.chats, options.concurrency), stop, progress.console
            )
    about = About(
        shop=options.shop,
        gateway=options.gateway,
        file=options.file.name.encode("utf-8", "replace").decode(),
        started_at=began.isoformat(timespec="seconds"),
        took_s=time.monotonic() - started,
        concurrency=options.concurrency,
        questions=questions.count,
        bad_rows=questions.bad,
        unread=questions.unread,
        anonymous=replay.anonymous,
        anonymous_why=why_not,
        waits=client.waits,
        left_behind=replay.left_behind,
        ended_by="The run was stopped." if stopped else str(replay.ended_by or ""),
    )
    _conclude(folder, about, replay.talks)
    if stopped:
        return STOPPED
    return replay.ended_by.status if replay.ended_by is not None else 0


async def _until_stopped(
    run: Coroutine[object, object, None], stop: Stop, console: Console
) -> bool:
    """Run until the end, or a signal; return whether there was one.

    The first signal lets what is under way finish; the second cuts it off.
    """
    task = asyncio.ensure_future(run)
    signals = 0

    def signalled() -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            task.cancel()
            return
        stop.ask()
        console.print("Finishing the questions under way; Ctrl-C again cuts them off.")

    loop = asyncio.get_running_loop()
    for one in _SIGNALS:
        loop.add_signal_handler(one, signalled)
    try:
        await task
    except asyncio.CancelledError:
        if not signals:
            raise
    finally:
        for one in _SIGNALS:
            loop.remove_signal_handler(one)
    return signals > 0


def _tell_file(questions: Questions, errors: Console) -> None:
    """Say what of the file is not asked."""
    for row in questions.bad[:_BAD_SHOWN]:
        errors.print(f"line {row.line} is left out: {row.reason}")
    if (more := len(questions.bad) - _BAD_SHOWN) > 0:
        errors.print(f"{more} more lines are left out; the report names them")
    if questions.unread:
        names = ", ".join(one_line(name, 40).plain for name in questions.unread)
        errors.print(f"columns that are not read: {names}")


def _folder(out: Path) -> Path:
    """Make this run's folder before anything is asked, lest the answers have nowhere to go.

    Raises:
        RehearsalError: it cannot be made.
    """
    folder = out / time.strftime("%Y%m%d-%H%M%S")
    try:
        make_folder(folder)
    except OSError as exc:
        raise RehearsalError(
            f"{folder} cannot be made ({exc.strerror}); choose another folder: --out DIR"
        ) from exc
    return folder


def _conclude(folder: Path, about: About, talks: Sequence[Talk]) -> None:
    """Print the figures, then keep them.

    Raises:
        RehearsalError: they cannot be kept.
    """
    summary = summarise(talks)
    console = Console(highlight=False, markup=False)
    for table in tables(summary):
        console.print(table)
    for note in notes(about, summary):
        console.print(note, soft_wrap=True)
    try:
        page = write_report(folder, about, summary, talks)
    except OSError as exc:
        raise RehearsalError(f"The report cannot be written to {folder}: {exc.strerror}.") from exc
    console.print(f"The report is {page}", soft_wrap=True)


def _progress(errors: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
    )


if __name__ == "__main__":
    sys.exit(main())
