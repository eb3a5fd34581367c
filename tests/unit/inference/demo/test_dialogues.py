import json
import random
import re
from collections.abc import Iterator

import pytest

from services.inference.demo.contract import CONTRACT, Message
from services.inference.demo.dialogues import Composer
from services.inference.demo.phrases import Phrases, Split, is_held_out
from services.inference.demo.sample_names import sample_names
from services.inference.demo.shops import Shop
from services.inference.demo.world import Language, World

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_TOOLS = {tool["function"]["name"]: tool["function"] for tool in CONTRACT["tools"]}


def _dialogues(
    language: Language, split: Split = "train", count: int = 150, seed: int = 1
) -> Iterator[tuple[Shop, list[Message]]]:
    composer = Composer(
        Phrases(language, split), World(language, random.Random(seed), sample_names())
    )
    shop = composer.shop()
    for number in range(count):
        shop = composer.shop() if number % 8 == 0 else shop
        yield shop, composer.dialogue(shop)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_calls_fit_the_published_schema_and_only_repeat_what_was_said(language: Language) -> None:
    calls = 0
    for _, messages in _dialogues(language):
        for index, message in enumerate(messages):
            for call in message.get("tool_calls", []):
                calls += 1
                schema = _TOOLS[call["function"]["name"]]["parameters"]
                arguments = call["function"]["arguments"]
                assert set(arguments) == set(schema.get("required", []))
                said = "\n".join(m["content"] for m in messages[1:index])
                assert all(value in said for value in arguments.values()), (arguments, said)
    assert calls > 100


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_answer_states_no_number_that_nobody_gave(language: Language) -> None:
    answers = 0
    for shop, messages in _dialogues(language):
        for index, message in enumerate(messages):
            if message["role"] != "assistant" or not message["content"]:
                continue
            if not message.get("learn", True):
                continue  # said from passages that came with an earlier question
            answers += 1
            given = shop.system + "\n".join(m["content"] for m in messages[1:index])
            counted = {str(n) for n in range(6)}  # "your recent orders (3)" counts what was listed
            for number in _NUMBER.findall(message["content"]):
                assert number in given or number in counted, (number, messages)
    assert answers > 120


@pytest.mark.parametrize("language", ["zh", "en"])
def test_passages_stand_with_the_last_question_alone(language: Language) -> None:
    with_passages = forgotten = 0
    for _, messages in _dialogues(language):
        asked = [m["content"] for m in messages if m["role"] == "user"]
        assert not any("<context>" in one for one in asked[:-1])
        with_passages += "<context>" in asked[-1]
        last = max(i for i, m in enumerate(messages) if m["role"] == "user")
        unlearnt = [i for i, m in enumerate(messages) if not m.get("learn", True)]
        assert all(i < last and messages[i]["content"] for i in unlearnt)
        forgotten += len(unlearnt)
    assert with_passages > 30
    assert forgotten > 3


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_call_is_followed_by_its_results_then_an_answer(language: Language) -> None:
    for _, messages in _dialogues(language, count=60):
        assert messages[0]["role"] == "system"
        assert messages[-1]["role"] == "assistant"
        for index, message in enumerate(messages):
            calls = message.get("tool_calls", [])
            if message["role"] == "assistant" and not calls:
                assert message["content"]
            # Many dialogues end with the call, which is the hard part.
            if calls and index < len(messages) - 1:
                results = messages[index + 1 : index + 1 + len(calls)]
                assert [m["role"] for m in results] == ["tool"] * len(calls)
                assert all(json.loads(m["content"]) for m in results)
                assert messages[index + 1 + len(calls)]["role"] == "assistant"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_held_out_wordings_are_never_trained_on(language: Language) -> None:
    train, held_out = Phrases(language, "train"), Phrases(language, "held_out")
    shown = {line for lines in train.lines().values() for line in lines}
    kept = {line for lines in held_out.lines().values() for line in lines if is_held_out(line)}
    assert len(kept) > 100
    assert not shown & kept


def test_the_sample_shops_products_are_never_invented() -> None:
    names = sample_names()
    assert "无线降噪耳机pro" in names
    languages: tuple[Language, ...] = ("zh", "en")
    for language in languages:
        world = World(language, random.Random(3), names)
        assert not names & {world.product_name().casefold() for _ in range(3000)}


def test_the_same_seed_draws_the_same_dialogues() -> None:
    first = [messages for _, messages in _dialogues("zh", count=10, seed=5)]
    second = [messages for _, messages in _dialogues("zh", count=10, seed=5)]
    assert first == second
