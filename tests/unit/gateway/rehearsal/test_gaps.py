import random
import time

from services.gateway.rehearsal.gaps import gaps_of
from services.gateway.rehearsal.outcomes import Exchange


def declined(line: int, question: str, *, gap: bool = True) -> Exchange:
    return Exchange(line=line, question=question, outcome="unconfirmed", gap=gap)


def groups(*questions: str) -> list[set[str]]:
    """The questions that count as one, group by group."""
    exchanges = [declined(number, text) for number, text in enumerate(questions)]
    return [{questions[line] for line in gap.lines} for gap in gaps_of(exchanges)]


def test_rewordings_are_one_gap_and_the_most_asked_comes_first() -> None:
    chinese = {"耳机支持无线充电吗？", "请问这款耳机支持无线充电吗", "耳机能不能无线充电"}
    shops = {"你们有实体店吗", "请问有没有实体店"}
    english = {
        "Does the headset support wireless charging?",
        "does this headset suport wireless charging",
        "DOES THE HEADSET SUPPORT WIRELESS CHARGING",
        "Does your headset support wireless charging??",
    }
    found = groups(*sorted(shops), *sorted(chinese), *sorted(english), "Is it waterproof?")
    assert found == [english, chinese, shops, {"Is it waterproof?"}]


def test_other_questions_stay_apart() -> None:
    assert len(groups("Do you ship to Canada?", "Do you ship to Germany?")) == 2
    assert len(groups("退货运费谁出", "退货多久能到账", "可以开发票吗")) == 3


def test_order_numbers_make_no_difference() -> None:
    assert len(groups("订单 ORD20241201001 为什么退回", "订单 ORD99 为什么退回")) == 1


def test_questions_of_nothing_but_common_words_are_kept() -> None:
    assert groups("为什么？", "为什么？", "???") == [{"为什么？"}, {"???"}]


def test_a_gap_is_named_by_its_commonest_wording_with_all_its_lines() -> None:
    exchanges = [
        declined(2, "请问有没有实体店"),
        declined(3, "你们有实体店吗"),
        declined(4, "耳机多少钱", gap=False),
        declined(9, "你们有实体店吗"),
    ]
    (gap,) = gaps_of(exchanges)
    assert (gap.question, gap.count, gap.lines) == ("你们有实体店吗", 3, [2, 3, 9])


def test_thousands_of_gaps_that_have_nothing_in_common_take_seconds() -> None:
    draw = random.Random(1)
    texts = ["".join(chr(draw.randint(0x4E00, 0x9FFF)) for _ in range(12)) for _ in range(4000)]
    started = time.monotonic()
    assert len(gaps_of([declined(*one) for one in enumerate(texts)])) == 4000
    assert time.monotonic() - started < 30
