import pytest

from services.gateway.assistant.grounding.check import Fault
from services.gateway.assistant.speech import Speech, UnfoundedError


def speech(lie: str) -> Speech:
    return Speech(
        None, lambda unit: unit, lambda unit: Fault("money", lie) if lie in unit else None
    )


async def say(to: Speech, text: str) -> None:
    await to.hear(text)
    await to.end_call()


async def test_a_model_asked_for_the_rest_may_begin_anew_and_nothing_is_said_twice() -> None:
    said = speech("¥9")
    with pytest.raises(UnfoundedError):
        await say(said, "订单A1已签收；订单A2已退货；它要¥9。")
    await say(said, "订单A1已签收；订单A2已退货；它要¥8。")
    assert said.text == "订单A1已签收；订单A2已退货；它要¥8。"


async def test_only_what_was_sent_and_in_its_order_counts_as_said_again() -> None:
    said = speech("¥9")
    with pytest.raises(UnfoundedError):
        await say(said, "It is here; it is new; it costs ¥9.")
    await say(said, "It is new; it is here.")
    assert said.text == "It is here; it is new; It is new; it is here."


async def test_an_answer_that_nothing_was_held_of_may_repeat_itself() -> None:
    said = speech("¥9")
    await say(said, "Yes; yes; it is.")
    assert said.text == "Yes; yes; it is."
