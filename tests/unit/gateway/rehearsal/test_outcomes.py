import pytest
import yaml

from services.gateway.assistant.language import cant_confirm
from services.gateway.handoff.lines import line
from services.gateway.identity.shops import Language
from services.gateway.rehearsal.outcomes import declines, declines_partly, outcome_of
from services.gateway.safety import rails

ANSWERS = [
    "无线降噪耳机Pro售价599.00元，现货128件。",
    "The Headphones Pro cost ¥599.00. They ship from Hangzhou.",
    "请先登录，我才能查询您的订单。",
    "签收后7天内可以无理由退货。如需人工客服，请告诉我“转人工”。",
    "I can confirm that it has shipped.",
    "",
]
MORE_DECLINES = [
    "您好！抱歉，这一点我暂时无法确认。",
    "抱歉，我没法确认。建议您联系人工客服。",
    "Hello! I'm sorry, I can’t confirm that.",
    "I'm unable to confirm the delivery date. Please contact our customer service.",
]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_gateways_own_sentence_is_no_answer_whatever_line_follows_it(
    language: Language,
) -> None:
    declined = cant_confirm(language)
    space = " " if language == "en" else ""
    assert declines(declined)
    lines = [line(language, name) for name in ("offer", "opened", "failed_twice")]
    lines.append(line(language, "out_of_hours", when="9:00"))
    for follows in lines:
        assert declines(declined + space + follows), follows
        assert not declines(follows), follows


@pytest.mark.parametrize("text", MORE_DECLINES)
def test_courtesy_beside_a_decline_is_no_answer_either(text: str) -> None:
    assert outcome_of(text, "bot") == "unconfirmed"
    assert not declines_partly(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_answers(text: str) -> None:
    assert outcome_of(text, "bot") == "answered"
    assert not declines_partly(text)


@pytest.mark.parametrize(
    "text",
    [
        "耳机售价599.00元。抱歉，这一点我暂时无法确认。",
        "The price is ¥599.00. I'm sorry, I can't confirm that right now.",
    ],
)
def test_an_answer_that_declines_a_part_is_one_and_says_so(text: str) -> None:
    assert outcome_of(text, "bot") == "answered"
    assert declines_partly(text)


@pytest.mark.parametrize("owner", ["waiting", "agent"])
def test_a_person_has_it(owner: str) -> None:
    assert outcome_of(cant_confirm("zh"), owner) == "handover"
    assert outcome_of("转接中", owner) == "handover"


def test_no_rails_line_counts_as_a_decline() -> None:
    folder = rails.__file__.rsplit("/", 1)[0]
    with open(f"{folder}/lines.yaml", encoding="utf-8") as file:  # noqa: PTH123
        for lines in yaml.safe_load(file).values():
            assert not any(declines(text) for text in lines.values())
