"""The golden dialogues agree with the sample shop, with their format, and with the grader."""

from collections import Counter
from pathlib import Path

import pytest

from tests.eval import dialogues
from tests.eval.dialogues import Dialogue, GoldenError
from tests.eval.grounding import Grounding
from tests.eval.shop import Result, Shop
from tests.eval.text import normal

LANGUAGES = ("zh", "en")
LEAST = {
    "order_number": 16,
    "order_no_number": 10,
    "order_list": 4,
    "order_detail": 8,
    "price": 12,
    "stock": 9,
    "warranty_or_origin": 9,
    "policy": 14,
    "follow_up": 12,
    "compare": 6,
    "two_questions": 6,
    "not_found": 6,
    "ambiguous": 2,
    "not_signed_in": 4,
    "unknown_fact": 8,
    "talk": 6,
}


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module", params=LANGUAGES)
def golden(request: pytest.FixtureRequest) -> list[Dialogue]:
    return dialogues.load(request.param)


def test_there_are_enough_of_each_kind(golden: list[Dialogue]) -> None:
    counts = Counter(dialogue.kind for dialogue in golden)
    assert {kind: counts[kind] for kind in LEAST if counts[kind] < LEAST[kind]} == {}


def test_ids_and_first_lines_are_unique() -> None:
    every = [dialogue for language in LANGUAGES for dialogue in dialogues.load(language)]
    ids = Counter(dialogue.id for dialogue in every)
    lines = Counter(normal(dialogue.turns[0].user) for dialogue in every)
    assert [name for name, count in ids.items() if count > 1] == []
    assert [line for line, count in lines.items() if count > 1] == []


def test_every_product_and_customer_occurs(golden: list[Dialogue], shop: Shop) -> None:
    calls = [
        call
        for dialogue in golden
        for turn in dialogue.turns
        for call in turn.calls + turn.may_call
    ]
    asked = {
        product.sku
        for call in calls
        if call.name == "query_inventory"
        and (product := shop.product(call.arguments["product"])) is not None
    }
    assert set(shop.products) - asked == set()
    assert {dialogue.customer for dialogue in golden} >= {"alice", "bob", "carol", "dave", None}


def test_every_expected_answer_is_supported_by_the_expected_calls(
    golden: list[Dialogue], shop: Shop
) -> None:
    grounding = Grounding(shop)
    wrong = []
    for dialogue in golden:
        results: list[Result] = []
        aliases: dict[str, str] = {}
        for turn in dialogue.turns:
            for call in turn.calls + turn.may_call:
                result = shop.result(call, dialogue.customer)
                results.append(result)
                if result.product:
                    aliases |= dict.fromkeys(call.arguments["product"], result.product.sku)
            wrong += [
                f"{dialogue.id}: {words}: {problem}"
                for group in turn.states
                for words in group
                for problem in grounding.unsupported(words, results, [], aliases)
            ]
    assert wrong == []


def test_calls_find_something_where_an_answer_is_expected(
    golden: list[Dialogue], shop: Shop
) -> None:
    empty = [
        f"{dialogue.id}: {call}"
        for dialogue in golden
        for turn in dialogue.turns
        for call in turn.calls
        if not turn.declines and shop.result(call, dialogue.customer) == Result()
    ]
    assert empty == []


def test_every_turn_expects_something_except_in_talk(golden: list[Dialogue]) -> None:
    idle = [
        f"{dialogue.id}: {turn.user}"
        for dialogue in golden
        if dialogue.kind not in {"talk", "follow_up"}
        for turn in dialogue.turns
        if not turn.states and not turn.declines
    ]
    assert idle == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1", "a list of dialogues"),
        ("- {id: x, kind: price, customer: null}", r"\['turns'\] missing"),
        ("- {id: x, kind: odd, customer: null, turns: [{user: hi}]}", "unknown kind"),
        ("- {id: x, kind: talk, customer: null, turns: [{user: hi, say: 1}]}", "unknown fields"),
        (
            "- {id: x, kind: talk, customer: null, turns: [{user: hi, calls: [{name: nope}]}]}",
            "nope does not take|unknown",
        ),
        (
            "- {id: x, kind: talk, customer: null, turns: [{user: hi, states: [yes]}]}",
            "each group of states",
        ),
        ("- [", "while parsing"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "en.yaml").write_text(text, "utf-8")
    with pytest.raises(GoldenError, match=reason):
        dialogues.load("en", tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match=r"zh\.yaml"):
        dialogues.load("zh", tmp_path)
