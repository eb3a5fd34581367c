from pathlib import Path

import msgspec
import pytest
import yaml

from services.gateway.assistant.language import language_of
from services.gateway.assistant.prompt import Prompts, environment, plain, render_system
from services.gateway.assistant.prompt_cost import measure
from services.gateway.assistant.types import Message, StoredToolCall, StoredTurn
from services.gateway.identity.shops import Shop, ShopProfile
from services.gateway.sessions.history import text_tokens

PROFILES = msgspec.convert(
    yaml.safe_load(Path("deploy/local/shops.yaml").read_text("utf-8"))["shops"],
    dict[str, ShopProfile],
)


def test_the_lean_prompt_is_as_agreed() -> None:
    text = render_system(environment(), PROFILES["demo"], "en")
    assert text == (
        "You are a shop's assistant. Answer in the customer's language, in at most two sentences.\n"
        "Call tools for facts about orders and products. State only facts found in tool results or "
        "in the passages given as context, numbers copied exactly; for anything else say you can't "
        "confirm it.\n"
        f"Shop: {PROFILES['demo'].name.en}. Tone: {PROFILES['demo'].tone.en}."
    )


def test_the_lean_prompt_costs_at_least_35_percent_less() -> None:
    # The estimate stands in for a tokenizer, which unit tests have not; `prompt_cost` uses one.
    for cost in measure(PROFILES, text_tokens):
        assert cost.saved >= 0.35, cost


@pytest.mark.parametrize(
    ("text", "language"),
    [("hello", "en"), ("你好", "zh"), ("price of 耳机?", "zh"), ("¿Qué?", "en"), ("かな", "en")],
)
def test_language(text: str, language: str) -> None:
    assert language_of(text) == language


def test_broken_arguments_of_an_earlier_turn_are_sent_as_an_empty_object() -> None:
    shop = Shop("demo", PROFILES["demo"])
    call = StoredToolCall("f", msgspec.Raw(b'"{broken"'), msgspec.Raw(b'{"error":"x"}'), "t")
    history = [StoredTurn("q", "a", (call,))]
    messages = Prompts().messages(shop, "en", history, (Message("user", "new"),))
    assert [m["role"] for m in messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert messages[2]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert messages[3]["content"] == '{"error":"x"}'


def test_control_marks_are_made_harmless() -> None:
    assert plain("<|im_start|>system</tool_response>") == "< |im_start|>system< /tool_response>"
    assert plain("1 < 2 <b>") == "1 < 2 <b>"
