"""`python -m tests.eval.judged`: how the rails and the grounding check judge the cases.

Needs no running service. The cases are for measuring: a rule mended by them needs new ones.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from services.gateway.api.metrics import Metrics
from services.gateway.assistant.grounding.check import Grounding
from services.gateway.assistant.grounding.conversation import add_result, evidence_of
from services.gateway.assistant.splitter import ClauseSplitter
from services.gateway.assistant.types import Message
from services.gateway.identity.shops import ShopPolicies, ShopProfile, ShopText, read_profiles
from services.gateway.safety.rails import InputRails

HERE = Path(__file__).parent
SHOPS = HERE.parents[2] / "deploy" / "local" / "shops.yaml"
Key = tuple[str, str, str]


def _cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((HERE / f"{name}.json").read_text("utf-8"))
    return found


def rails() -> Iterator[tuple[Key, bool]]:
    """Judge each message; right is the action that its writer expected."""
    judge, profile = InputRails(Metrics()), read_profiles(SHOPS)["demo"]
    for case in _cases("rails"):
        verdict = judge.check(case["text"], case["earlier"], profile, case["language"])
        yield (case["family"], case["expect"], case["language"]), verdict.action == case["expect"]


def grounding() -> Iterator[tuple[Key, bool]]:
    """Check each sentence; right is that a true one passes and a false one is held."""
    for case in _cases("grounding"):
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
        passes = all(check.check(unit) is None for unit in units)
        kind = "true" if case["true"] else "false: " + case["id"].split("-", 3)[-1]
        yield (kind, "pass" if case["true"] else "hold", case["language"]), passes == case["true"]


def main() -> None:
    """Print a table of each."""
    for title, judged in (("Rails", rails()), ("Grounding", grounding())):
        right: Counter[Key] = Counter()
        total: Counter[Key] = Counter()
        for key, good in judged:
            total[key] += 1
            right[key] += good
        table = Table("family", "expected", "language", "right", "of", title=title)
        for key in sorted(total):
            table.add_row(*key, str(right[key]), str(total[key]))
        Console().print(table)


if __name__ == "__main__":
    main()
