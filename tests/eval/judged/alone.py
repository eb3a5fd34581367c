"""The rails and the grounding check by themselves, one message or sentence at a time."""

from collections.abc import Iterator
from typing import Any

import msgspec

from services.gateway.api.metrics import Metrics
from services.gateway.assistant.grounding.check import Grounding
from services.gateway.assistant.grounding.conversation import add_result, evidence_of
from services.gateway.assistant.splitter import ClauseSplitter
from services.gateway.assistant.types import Message
from services.gateway.identity.shops import ShopPolicies, ShopProfile, ShopText, read_profiles
from services.gateway.safety.rails import InputRails
from tests.eval.judged.cases import SHOPS, Outcome, Split, cases


def rails(split: Split) -> Iterator[Outcome]:
    """Judge each message; right is the action that its writer expected."""
    judge, profile = InputRails(Metrics()), read_profiles(SHOPS)["demo"]
    for case in cases(split, "rails"):
        verdict = judge.check(case["text"], case["earlier"], profile, case["language"])
        expected = case["expect"]
        right = verdict.action == expected
        yield Outcome("rails", case["language"], case["family"], expected, case["id"], right)


def grounding(split: Split) -> Iterator[Outcome]:
    """Check each sentence; right is that a true one passes and a false one is held."""
    for case in cases(split, "grounding"):
        kind = "true" if case["true"] else _kind(case["id"])
        expected = "pass" if case["true"] else "hold"
        right = _passes(case) == case["true"]
        yield Outcome("grounding", case["language"], kind, expected, case["id"], right)


def _passes(case: dict[str, Any]) -> bool:
    policies = tuple(case["policies"])
    profile = ShopProfile(
        ShopText("店", "Shop"), ShopText("", ""), ShopPolicies(policies, policies)
    )
    evidence = evidence_of(profile, [], [Message("user", case["customer"])], {})
    for result in case["tool_results"]:
        known = {name: value for name, value in result.items() if value is not None}
        add_result(evidence, msgspec.json.encode(known), b"{}")
    check, splitter = Grounding(evidence), ClauseSplitter()
    units = splitter.feed(case["sentence"]) + splitter.flush()
    return all(check.check(unit) is None for unit in units)


def _kind(case_id: str) -> str:
    return "false: " + case_id.split("false-", 1)[-1].strip("-0123456789")
