import random
import re
from pathlib import Path

import pytest
import yaml

from services.inference.demo import phrases
from services.inference.demo.phrases import mistype, roughen
from services.inference.demo.world import Language

_BANKS = Path(phrases.__file__).with_name("phrasings")
_SLOT = re.compile(r"\{(\w+)\}")
_ORDER = {"order_status", "order_tracking", "order_items", "order_time", "order_eta", "order_other",
          "order_correction", "order_action_id"}  # fmt: skip
_PRODUCT = {"price", "stock", "ships_from", "warranty", "overview", "price_stock", "price_warranty",
            "stock_ships", "fu_other", "unknown_fact", "pick_item",
            "order_of_product"}  # fmt: skip
_TWO = {"compare", "both_stock"}
_MIXED = {"order_and_price", "order_and_stock"}


def _slots(intent: str) -> set[str]:
    if intent in _ORDER:
        return {"order_id"}
    if intent in _PRODUCT:
        return {"product"}
    if intent in _TWO:
        return {"product", "product2"}
    if intent in _MIXED:
        return {"order_id", "product"}
    return {"quantity": {"product", "n"}, "joiner": {"a", "b"}}.get(intent, set())


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("bank", ["orders", "products", "talk"])
def test_every_wording_holds_exactly_its_intents_slots(bank: str, language: Language) -> None:
    intents = yaml.safe_load((_BANKS / language / f"{bank}.yaml").read_text(encoding="utf-8"))
    assert sum(map(len, intents.values())) > 500
    for intent, lines in intents.items():
        for line in lines:
            assert sorted(_SLOT.findall(line)) == sorted(_slots(intent)), (intent, line)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_passages_hold_the_slots_of_their_answers(language: Language) -> None:
    items = yaml.safe_load((_BANKS / language / "passages.yaml").read_text(encoding="utf-8"))
    assert len(items) >= 40
    for item in items:
        given = set(_SLOT.findall(item["text"]))
        for pair in item["qa"]:
            assert set(_SLOT.findall(pair["q"] + pair["a"])) <= given, item["title"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_slots_survive_rough_typing(language: Language) -> None:
    rng = random.Random(2)
    for _ in range(300):
        rough = roughen("Where is {order_id}, and {product}?", language, rng)
        assert "{order_id}" in rough
        assert "{product}" in rough


def test_a_mistyped_name_differs_by_one_slip() -> None:
    rng = random.Random(4)
    slips = {mistype("Wireless Keyboard", rng) for _ in range(50)}
    assert len(slips) > 5
    assert all(abs(len(slip) - len("Wireless Keyboard")) <= 1 for slip in slips)
