from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.knowledge.chunks import MOST_CHARS, Chunk, chunks_of, split
from services.gateway.knowledge.documents import Document, Section


def test_a_short_section_is_one_chunk_with_its_path() -> None:
    document = Document(
        "a.md", "en", "A", (Section(("A", "B"), "One."), Section((), "Two.")), date(2026, 1, 1)
    )
    assert chunks_of(document) == [Chunk("A › B", "One.", 0), Chunk("", "Two.", 1)]
    assert chunks_of(document)[0].spoken == "B\nOne."
    assert chunks_of(document)[1].spoken == "Two."


def test_long_sections_break_between_paragraphs_then_sentences() -> None:
    first, second = "a" * 60, "b" * 60
    assert list(split(f"{first}\n\n{second}", 100)) == [first, second]
    spoken = "一句话说完。"
    assert list(split(f"{spoken * 4}最后一句！", 13)) == [spoken * 2, spoken * 2, "最后一句！"]
    measures = "It is 3.5 mm. It fits well. Yes."
    assert list(split(measures, 16)) == ["It is 3.5 mm.", "It fits well.", "Yes."]


def test_a_long_table_keeps_its_column_names() -> None:
    head = "| Item | Value |\n| --- | --- |"
    rows = [f"| row {number:02d} | {'x' * 20} |" for number in range(20)]
    pieces = list(split("\n".join([head, *rows]), 300))
    assert len(pieces) > 1
    assert all(piece.startswith(head) and len(piece) <= 300 for piece in pieces)
    assert [row for piece in pieces for row in piece.split("\n")[2:]] == rows


def test_code_is_not_broken_at_its_empty_lines() -> None:
    code = "```\none\n\ntwo\n```"
    assert list(split(f"{'a' * 90}\n\n{code}", 100)) == ["a" * 90, code]


@given(st.text(alphabet="ab。. \n|`#-", max_size=600), st.integers(20, 80))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, most: int) -> None:
    pieces = list(split(text, most))
    assert all(0 < len(piece) <= most for piece in pieces)
    if not text.strip().startswith("|") and "\n\n|" not in text:
        kept = "".join("".join(pieces).split())
        whole = "".join(text.split())
        assert set(kept) == set(whole)


def test_a_digest_changes_with_model_heading_and_text() -> None:
    chunk = Chunk("A", "b", 0)
    digests = {
        chunk.digest("m"),
        chunk.digest("n"),
        Chunk("B", "b", 0).digest("m"),
        Chunk("A", "c", 0).digest("m"),
    }
    assert len(digests) == 4
    assert Chunk("A", "b", 9).digest("m") == chunk.digest("m")
    assert MOST_CHARS == 1200
