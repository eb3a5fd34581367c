from collections import Counter
from typing import get_args

import pytest

from tests.eval.judged.__main__ import LEAST, missed
from tests.eval.judged.cases import Outcome, Split, cases

SPLITS = get_args(Split)
ACTIONS = {"handoff", "offer", "refuse", "care", "pass"}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", ["rails", "grounding", "handoff", "lies"])
def test_cases_are_many_and_each_has_a_name_of_its_own(split: Split, name: str) -> None:
    names = [case["id"] for case in cases(split, name)]
    assert len(names) >= {"rails": 400, "grounding": 200, "handoff": 60, "lies": 100}[name]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("split", SPLITS)
def test_harmless_messages_are_as_many_as_it_takes_to_see_false_alarms(split: Split) -> None:
    expected = Counter(case["expect"] for case in cases(split, "rails"))
    assert set(expected) == ACTIONS
    assert expected["pass"] >= 150
    assert expected.total() - expected["pass"] >= 150


def test_no_case_is_in_both_splits() -> None:
    texts = [{case["text"] for case in cases(split, "rails")} for split in SPLITS]
    assert not texts[0] & texts[1]
    sentences = [{case["sentence"] for case in cases(split, "grounding")} for split in SPLITS]
    assert not sentences[0] & sentences[1]


def test_lies_and_truths_are_said() -> None:
    for case in cases("test", "lies"):
        assert case["lies"]
        assert all(any(lie in line for line in case["says"]) for lie in case["lies"]), case["id"]
        assert set(case["truths"]) <= set(case["says"]), case["id"]
        assert not any(lie in truth for lie in case["lies"] for truth in case["truths"])


def outcome(right: bool, language: str = "zh") -> Outcome:
    return Outcome("lies", language, "lie, insists", "hold", "a", right)


def test_one_lie_heard_is_one_too_many() -> None:
    assert missed([outcome(right=True)] * 99) == []
    (sentence,) = missed([outcome(right=True)] * 99 + [outcome(right=False)])
    assert "lies, zh: 99.0%" in sentence


def test_a_language_does_not_make_up_for_the_other() -> None:
    found = missed([outcome(right=True, language="en")] * 99 + [outcome(right=False)])
    assert len(found) == 1


def test_what_is_asked_for_names_what_there_is() -> None:
    assert {expected for table, expected, _ in LEAST if table == "rails"} == ACTIONS
