import json
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest

from services.gateway.rehearsal.outcomes import Exchange, Talk
from services.gateway.rehearsal.page import make_folder, render, write_report
from services.gateway.rehearsal.questions import BadRow
from services.gateway.rehearsal.summary import About, percentile, summarise
from services.gateway.rehearsal.terminal import notes, one_line, tables

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>{{ 7*7 }}</style>"
CITED = {"document": "returns.md", "title": "退货政策", "heading": "运费"}


def about(**changes: object) -> About:
    fields: dict[str, object] = {
        "shop": "demo",
        "gateway": "http://127.0.0.1:8080",
        "file": "chats.csv",
        "started_at": "2026-11-25T11:00:00+08:00",
        "took_s": 12.0,
        "concurrency": 4,
        "questions": 5,
    }
    return About(**{**fields, **changes})  # type: ignore[arg-type]


def talks() -> list[Talk]:
    answered = Exchange(
        line=2,
        question="退货运费谁出",
        outcome="answered",
        answer="签收后7天内可以无理由退货。",
        expected="商家出",
        source="model",
        tools=["query_inventory", "query_inventory"],
        citations=[CITED, CITED],
        seconds=1.0,
    )
    person = Exchange(line=3, question="转人工", outcome="handover", source="rail", seconds=2.0)
    declined = Exchange(
        line=4, question="有实体店吗", outcome="unconfirmed", source="model", gap=True, seconds=3.0
    )
    failed = Exchange(line=5, question="hi", outcome="error", error="HTTP 504: Too late.")
    return [Talk([answered, person]), Talk([declined]), Talk([failed])]


class Elements(HTMLParser):
    """Counts what a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page_of(found: list[Talk], **changes: object) -> str:
    return "".join(render(about(**changes), summarise(found), found))


def test_whatever_is_quoted_is_escaped_everywhere() -> None:
    evil = Exchange(
        line=2,
        question=EVIL,
        outcome="unconfirmed",
        answer=EVIL,
        expected=EVIL,
        source=EVIL,
        tools=[EVIL],
        citations=[{"document": EVIL, "title": EVIL, "heading": EVIL}],
        degraded=[EVIL],
        gap=True,
    )
    failed = Exchange(line=3, question="q", outcome="error", error=EVIL)
    found = [Talk([evil, failed])]
    page = page_of(
        found,
        shop=EVIL,
        gateway=EVIL,
        file=EVIL,
        ended_by=EVIL,
        anonymous=1,
        anonymous_why=EVIL,
        left_behind=[EVIL],
        bad_rows=[BadRow(4, EVIL)],
    )
    elements = Elements(page)
    assert elements.tags.count("script") == 1
    assert "img" not in elements.tags
    assert not any(name.startswith("on") for name, _ in elements.attributes)
    assert EVIL not in page
    assert sum(text.strip() == EVIL for text in elements.texts) >= 4


def test_the_page_needs_nothing_from_elsewhere_and_runs_its_own_script_only() -> None:
    page = page_of(talks())
    elements = Elements(page)
    assert not [one for one in elements.attributes if one[0] in {"src", "href", "srcset"}]
    assert not re.search(r"@import|url\(", page)
    nonce = str(dict(elements.attributes)["nonce"])
    assert len(nonce) > 20
    assert f"script-src 'nonce-{nonce}'" in page
    assert "default-src 'none'" in page
    assert nonce not in page_of(talks())
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_the_page_shows_every_conversation_with_what_stood_behind_it() -> None:
    page = page_of(talks(), bad_rows=[BadRow(7, "it has no question")])
    elements = Elements(page)
    outcomes = [value for name, value in elements.attributes if name == "data-outcome"]
    assert outcomes == ["answered", "handover", "unconfirmed", "error"]
    assert elements.tags.count("article") == 3
    shown = " ".join(" ".join(elements.texts).split())
    for part in (
        *("退货运费谁出", "签收后7天内可以无理由退货。", "商家出", "退货政策 › 运费", "HTTP 504"),
        *("tool query_inventory", "有实体店吗", "it has no question", "line 5"),
    ):
        assert part in shown
    filters = [value for name, value in elements.attributes if name == "data-show"]
    assert filters == ["", "answered", "handover", "unconfirmed", "error"]


def test_a_run_that_asked_nothing_has_a_page_too() -> None:
    page = page_of([], ended_by="The run was stopped.")
    assert "Questions that were not asked: 5. The run was stopped." in page


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "now"
    make_folder(folder)
    found = [*talks(), Talk([Exchange(line=9, question="\ud800", outcome="answered")])]
    with pytest.raises(UnicodeEncodeError):
        write_report(folder, about(), summarise(found), found)
    assert list(folder.iterdir()) == []
    page = write_report(folder, about(), summarise(talks()), talks())
    assert page == folder / "report.html"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "report.html": 0o600,
        "report.json": 0o600,
    }
    kept = json.loads((folder / "report.json").read_text("utf-8"))
    assert kept["summary"]["outcomes"] == {
        "answered": 1,
        "handover": 1,
        "unconfirmed": 1,
        "error": 1,
    }
    assert kept["conversations"][0]["exchanges"][0]["question"] == "退货运费谁出"


def test_figures() -> None:
    summary = summarise(talks())
    assert (summary.asked, summary.p50_s, summary.p95_s) == (4, 2.0, 3.0)
    assert (summary.sources, summary.tools) == ([("model", 1)], [("query_inventory", 1)])
    (cited,) = summary.documents
    assert (cited.document, cited.title, cited.count) == ("returns.md", "退货政策", 1)
    assert [gap.question for gap in summary.gaps] == ["有实体店吗"]
    assert summarise([]).p50_s is None
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([7.0], 0.95) == 7.0


def test_lists_without_anything_are_not_printed() -> None:
    titles = [str(table.title) for table in tables(summarise(talks()))]
    assert [title.split()[0] for title in titles] == ["Rehearsal,", "Most", "Documents", "Errors"]
    assert len(tables(summarise([]))) == 1


def test_what_customers_wrote_cannot_move_the_cursor_or_colour_the_table() -> None:
    assert one_line("[red]a\x1b[31m\nb").plain == "[red]a [31m b"
    assert len(one_line("字" * 500).plain) == 72


def test_notes_say_what_the_table_does_not() -> None:
    exchange = Exchange(
        line=2,
        question="q",
        outcome="handover",
        after_handover=True,
        partly=True,
        degraded=["memory"],
    )
    said = notes(
        about(
            anonymous=3,
            anonymous_why="SHOP_SECRETS_FILE is not set",
            waits=2,
            bad_rows=[BadRow(1, "x")],
            left_behind=["rehearsal-1"],
            ended_by="The run was stopped.",
        ),
        summarise([Talk([exchange])]),
    )
    text = "\n".join(said)
    for part in ("already: 1", "a part", "SHOP_SECRETS_FILE is not set", "memory 1"):
        assert part in text
    for part in ("reached: 2", "be asked: 1", "rehearsal-1", "not asked: 4. The"):
        assert part in text
    assert notes(about(), summarise(talks())) == []
