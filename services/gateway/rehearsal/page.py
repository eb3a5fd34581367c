"""Keeps a run: a page to read and its figures as JSON, for the operator's eyes only."""

import os
import secrets
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import jinja2
import msgspec

from services.gateway.rehearsal.outcomes import OUTCOMES, Talk
from services.gateway.rehearsal.summary import About, Summary
from services.gateway.rehearsal.terminal import notes, seconds, share

PAGE = "report.html"
FIGURES = "report.json"


def make_folder(folder: Path) -> None:
    """Make a run's folder, which its owner alone may enter.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_report(folder: Path, about: About, summary: Summary, talks: Sequence[Talk]) -> Path:
    """Write both files into `folder`; return the page's path.

    Raises:
        OSError: they cannot be written.
    """
    content = {"about": about, "summary": summary, "conversations": talks}
    figures = msgspec.json.format(msgspec.json.encode(content), indent=2)
    _write(folder / FIGURES, [figures, b"\n"])
    page = (part.encode("utf-8", "replace") for part in render(about, summary, talks))
    _write(folder / PAGE, page)
    return folder / PAGE


def render(about: About, summary: Summary, talks: Sequence[Talk]) -> Iterable[str]:
    """Return the page, piece by piece. Whatever customers wrote is escaped."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"share": share, "seconds": seconds}
    return templates.get_template("report.html.j2").generate(
        about=about,
        summary=summary,
        talks=talks,
        outcomes=OUTCOMES,
        notes=notes(about, summary),
        # Only the page's own script runs, whatever may stand in a question.
        nonce=secrets.token_urlsafe(16),
    )


def _write(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
