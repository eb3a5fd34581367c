import json
import subprocess
import sys

import pytest

from services.gateway.safety.classifier import (
    STRETCH,
    WEIGHTS,
    Classifier,
    features,
    pieces,
    tokens,
    trained,
)
from services.gateway.safety.folding import folded
from services.gateway.safety.phrases import MOST, made_from, phrases

LABELS = {"person", "injection", "self", "threat", "anger", "want", "ask"}
SCORE = """
from services.gateway.safety.classifier import features, pieces, trained
parts = [features(piece) for piece in pieces("叫你们领导来, get me a human")]
print(trained().scores(parts))
"""


def test_the_weights_are_whole_and_small() -> None:
    models = json.loads(WEIGHTS.read_text("utf-8"))
    assert set(models) == LABELS
    assert all(type(weight) is int for one in models.values() for weight in one["weights"].values())
    assert WEIGHTS.stat().st_size < 2_000_000


def test_scores_are_the_same_in_every_process() -> None:
    seen = {
        subprocess.run(
            [sys.executable, "-c", SCORE],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, check=True, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(seen) == 1


def test_a_score_is_the_sum_of_weights_over_the_length() -> None:
    one = {"weights": {"a": 3000, "b": 1000}, "bias": -1.0, "threshold": 0.25}
    other = {"weights": {"b": -1000, "c": 500}, "bias": 0.0, "threshold": 0.0}
    model = Classifier({"one": one, "other": other})
    assert model.scores([frozenset("abef")]) == {"one": 0.75, "other": -0.5}
    assert model.scores([frozenset()]) == {"one": -1.25, "other": 0.0}
    assert model.scores([frozenset("abef"), frozenset("c")]) == {"one": 0.75, "other": 0.5}


def test_what_asks_scores_above_what_mentions() -> None:
    def person(text: str) -> float:
        return trained().scores([features(piece) for piece in pieces(folded(text))])["person"]

    assert person("叫你们领导来跟我说") > 0 > person("给领导挑个茶具")
    assert person("get me somebody who works there") > 0 > person("a gift for somebody at work")
    assert person("請幫我轉人工") == person("请帮我转人工")


def test_tokens_are_words_and_characters() -> None:
    assert tokens("don't 转到 no. 12!") == ["don't", "转", "到", "no", "12", "!"]


def test_a_long_message_is_judged_in_pieces_of_bounded_length() -> None:
    long = "我的订单到哪了，" * 1000
    found = list(pieces(long))
    assert max(map(len, found)) <= 2 * STRETCH + 1
    assert sum(map(len, found)) <= 3 * len(long)
    assert sum(len(piece) for piece in pieces("x" * 8000)) <= 3 * 8000
    assert "转人工" in pieces(long + "转人工。" + long)


@pytest.mark.parametrize("text", ["", " ", "!", "，。", "a", "😀"])
def test_texts_with_nothing_in_them_are_judged(text: str) -> None:
    parts = [features(piece) for piece in pieces(folded(text))]
    assert trained().scores(parts)["injection"] < 0


def test_a_line_stands_for_all_its_wordings() -> None:
    assert made_from("[找|叫]人[吧|]") == ["叫人", "叫人吧", "找人", "找人吧"]
    many = made_from("[a|b|c][d|e|f][g|h|i]")
    assert len(many) == MOST
    assert many == made_from("[a|b|c][d|e|f][g|h|i]")


def test_no_phrase_is_in_two_kinds_of_a_family() -> None:
    kinds: dict[tuple[str, str], set[str]] = {}
    for one in phrases():
        family, kind = one.kind.split(".")
        if family != "ordinary":
            kinds.setdefault((family, folded(one.text)), set()).add(kind)
    assert [key for key, found in kinds.items() if len(found) > 1] == []
