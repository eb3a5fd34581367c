import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.assistant.splitter import ClauseSplitter


def split(text: str, size: int | None = None) -> list[str]:
    splitter = ClauseSplitter()
    step = size or max(len(text), 1)
    units = []
    for at in range(0, len(text), step):
        units += splitter.feed(text[at : at + step])
    return units + splitter.flush()


@pytest.mark.parametrize(
    ("text", "units"),
    [
        (
            "您好，价格是¥1,299.50。有货！",
            ["您好，", "价格是¥1,299.50。", "有货！"],
        ),
        ("It costs 599.00, and ships.", ["It costs 599.00,", " and ships."]),
        ("他说“有货。”然后走了。", ["他说“有货。”", "然后走了。"]),
        ("See shop.example/a,b?c=1 now. Ok.", ["See shop.example/a,b?c=1 now.", " Ok."]),
        ("Use cables, e.g. USB-C. Done.", ["Use cables,", " e.g. USB-C.", " Done."]),
        ("Open 9:00 to 21:00. Bye!", ["Open 9:00 to 21:00.", " Bye!"]),
        ("真的吗？！好……行", ["真的吗？！", "好……", "行"]),
        ("有货,明天发。", ["有货,", "明天发。"]),
        ("共1，299元。", ["共1，299元。"]),
        ("- one\n- two", ["- one\n", "- two"]),
        ('He said "yes." Then left.', ['He said "yes."', " Then left."]),
        ("don't (or do), ok", ["don't (or do),", " ok"]),
        ("", []),
    ],
)
def test_units(text: str, units: list[str]) -> None:
    assert split(text) == units


ALPHABET = "ab1 9.,，。！?;:：…\"”’'）)好中¥$\n/e.g-"


@given(st.text(st.sampled_from(ALPHABET), max_size=60), st.integers(1, 7))
def test_units_are_the_text_whatever_the_pieces(text: str, size: int) -> None:
    assert "".join(split(text, size)) == text
    assert split(text, size) == split(text, 1) == split(text)


NUMBERS = st.one_of(
    st.integers(0, 10**9).map(str),
    st.integers(1000, 10**9).map(lambda n: f"{n:,}"),
    st.decimals(0, 99999, places=2).map(lambda d: f"¥{d:,}"),
    st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda t: f"{t[0]}:{t[1]:02}"),
    st.dates().map(lambda d: d.isoformat()),
)
WORDS = st.one_of(
    NUMBERS,
    st.sampled_from(["shipped", "don't", "价格是", "e.g.", "v1.2.3", "a.example", "WH-PRO"]),
)


@given(st.lists(st.tuples(WORDS, st.sampled_from([" ", ", ", ". ", "，", "。", "！ ", "\n"]))))
def test_a_unit_never_ends_inside_a_number_or_word(parts: list[tuple[str, str]]) -> None:
    text = "".join(word + mark for word, mark in parts)
    inside: set[int] = set()
    at = 0
    for word, mark in parts:
        inside.update(range(at + 1, at + len(word)))
        at += len(word) + len(mark)
    position = 0
    for unit in split(text, 3)[:-1]:
        position += len(unit)
        assert position not in inside, (text, unit)


def test_a_clause_leaves_with_the_next_character() -> None:
    splitter = ClauseSplitter()
    assert splitter.feed("您好，") == []
    assert splitter.feed("有") == ["您好，"]
