import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tools.text import identifier_key, language_of, name_key

NUMBER = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)
NOISE = st.sampled_from(["", " ", "-", "  ", "\t", "－", "–", "—", "\u3000", "\u200b", "_"])


def _wide(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


@given(NUMBER, st.data())
def test_order_numbers_survive_case_spaces_hyphens_and_width(
    number: str, data: st.DataObject
) -> None:
    noisy = "".join(data.draw(NOISE) + char for char in number) + data.draw(NOISE)
    assert identifier_key(noisy) == identifier_key(number)
    assert identifier_key(_wide(number)) == identifier_key(number)
    assert identifier_key(number.swapcase()) == identifier_key(number)


@given(st.text(max_size=40))
def test_the_key_is_stable_and_has_nothing_unprintable(text: str) -> None:
    key = identifier_key(text)
    assert identifier_key(key) == key
    assert not any(unicodedata.category(char)[0] == "C" or char.isspace() for char in key)


@given(NUMBER, NUMBER)
def test_different_numbers_stay_different(one: str, other: str) -> None:
    assert (identifier_key(one) == identifier_key(other)) == (one.lower() == other.lower())


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_the_quick_way_for_ascii_is_the_same_as_the_long_way(text: str) -> None:
    long_way = identifier_key(text + "é")
    assert long_way == identifier_key(text) + "é"


def test_names_compare_without_punctuation() -> None:
    assert name_key("Wireless Noise-Cancelling") == name_key("wireless noise cancelling")
    assert name_key("无线降噪耳机Ｐｒｏ") == name_key("无线降噪耳机 Pro")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "zh"),
        ("", "zh"),
        ("en", "en"),
        ("en-GB,en;q=0.9,zh;q=0.5", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr, en;q=0.3", "en"),
        ("fr", "zh"),
        ("en;q=0, zh;q=0.1", "zh"),
        (";;;q=x", "zh"),
    ],
)
def test_language_of_accept_language(header: str | None, language: str) -> None:
    assert language_of(header) == language
