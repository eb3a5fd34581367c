from pathlib import Path

import pytest
import yaml

from services.gateway.answers.atoms import MOST_CHARS, atoms_of
from services.gateway.answers.lexicon import known_words
from services.gateway.answers.questions import Questions
from services.gateway.answers.signature import Reading, read
from services.gateway.answers.vocabulary import ProductWords
from services.gateway.assistant.language import language_of
from tests.support.answers import sample_products

CASES = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text("utf-8"))
PRODUCTS = ProductWords(sample_products(), known_words())


def reading(text: str) -> Reading | None:
    return read(text, language_of(text), PRODUCTS)


@pytest.mark.parametrize("pair", CASES["one"])
def test_one_question_in_other_words(pair: str) -> None:
    first, second = (reading(text) for text in pair.split(" | "))
    assert first is not None
    assert second is not None
    assert first.signature == second.signature
    assert first.signature.hash == second.signature.hash


@pytest.mark.parametrize("pair", CASES["other"])
def test_another_question(pair: str) -> None:
    first, second = (reading(text) for text in pair.split(" | "))
    assert first is None or second is None or first.signature != second.signature


@pytest.mark.parametrize("text", CASES["alone"])
def test_stands_on_its_own(text: str) -> None:
    assert reading(text) is not None


@pytest.mark.parametrize("text", CASES["not_alone"])
def test_stands_on_what_was_said_before(text: str) -> None:
    assert reading(text) is None


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("七天", ["7d"]),
        ("7 天 7日 ７天", ["7d", "7d", "7d"]),
        ("两年 十五天 三百元", ["2y", "15d", "300cny"]),
        ("2个 两件", ["2n", "2n"]),
        ("¥99 99块 99元", ["99cny", "99cny", "99cny"]),
        ('27" 27寸 27-inch 27in', ["27in"] * 4),
        ("10,000 mAh １００００毫安", ["10000mah", "10000mah"]),
        ("two M1 mice, thirty days, twenty-five", ["2", "m1", "mice", "30d", "25"]),
        ("65W 65瓦 1TB", ["65w", "65w", "1tb"]),
        ("第一 一下", ["第", "一", "一", "下"]),
        ("能不能 有没有", ["能", "有"]),
        ("可以退不？", ["可", "以", "退"]),
        ("還沒發貨", ["还", "没", "发", "货"]),
    ],
)
def test_atoms(text: str, atoms: list[str]) -> None:
    assert list(atoms_of(text).words) == atoms


@pytest.mark.parametrize(
    "text",
    [
        "请问无线鼠标M1多少钱？",
        "亲，无线鼠标Ｍ１多少钱呀!!",
        "無線鼠標M1多少錢",
        "你好 无线鼠标m1多少钱",
    ],
)
def test_folding(text: str) -> None:
    plain = reading("无线鼠标M1多少钱")
    found = reading(text)
    assert plain is not None
    assert found is not None
    assert found.folded == plain.folded


@pytest.mark.parametrize("size", [4_000, 200])
def test_a_message_of_any_length_is_read_in_little_time(size: int) -> None:
    for text in ("不" * size, "一" * size, "a " * size, "7" * size, "零一二" * size, "it " * size):
        found = reading(text)
        # The suite's time limit is what would be missed; too long a message is not read at all.
        assert found == (None if size > MOST_CHARS else reading(text))


def test_hot_questions_are_read_once_for_a_catalogue() -> None:
    questions = Questions()
    first = questions.read("demo", "zh", "p", "M1多少钱", PRODUCTS)
    assert first is questions.read("demo", "zh", "p", "M1多少钱", PRODUCTS)
    others = ProductWords([("MS-M1-005", ["无线鼠标M1"]), ("X", ["耳机M1"])], known_words())
    second = questions.read("demo", "zh", "p", "M1多少钱", others)
    assert first is not None
    assert second is not None
    assert first.meant != second.meant


def test_a_hundred_thousand_names() -> None:
    names = [
        (f"S-{n}", [f"{('棉质', '真皮', '无线', '便携')[n % 4]}手机壳X{n}", f"Phone Case X{n}"])
        for n in range(2_000, 8_000)
    ]
    words = ProductWords(names, known_words())
    one, other, any_case = (
        read(text, "zh", words)
        for text in ("真皮手机壳X2001多少钱", "手机壳X2005多少钱", "手机壳多少钱")
    )
    assert one is not None
    assert other is not None
    assert any_case is not None
    assert one.signature.products == ("#S-2001",)
    assert other.signature.products == ("#S-2005",)
    assert any_case.signature.products not in {one.signature.products, other.signature.products}
