from hypothesis import given
from hypothesis import strategies as st

from services.gateway.assistant.guard import Guard, LeakedCall


def shown(text: str, size: int = 1) -> tuple[str, list[LeakedCall]]:
    guard = Guard()
    out = "".join(guard.feed(text[at : at + size]) for at in range(0, len(text), size))
    return out + guard.finish(), guard.leaked_calls()


def test_plain_text_passes_untouched() -> None:
    text = 'The price is <500, {really}, a `code` and "quotes" [1].'
    assert shown(text) == (text, [])


def test_a_tool_call_is_held_and_read() -> None:
    text = 'Wait. <tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
    assert shown(text) == ("Wait. ", [LeakedCall("f", '{"a":1}')])


def test_broken_calls_keep_their_name() -> None:
    broken = [LeakedCall("f", None)]
    assert shown('<tool_call>{"name": "f", "argu') == ("", broken)
    assert shown('<tool_call>{"name": "f", "arguments": "x"}</tool_call>') == ("", broken)
    assert shown("<tool_call>what</tool_call>") == ("", [LeakedCall("unknown", None)])


def test_json_is_dropped_and_the_words_after_it_stay() -> None:
    assert shown('{"a":{"b":"}"}} It has shipped.')[0] == "It has shipped."
    assert shown('Here: [{"a":1}] done.')[0] == "Here: done."
    assert shown('{"a": "never ends')[0] == ""
    assert shown("```json\n{}\n``` Done.")[0] == "Done."
    assert shown("ok<|im_end|>")[0] == "ok"
    assert shown("<tool_response>x</tool_response>Hi.")[0] == "Hi."


MARKS = ["<tool_call>", "</tool_call>", '{"', "<|", "```", "<tool_response>", "}", "|>", "好", "a "]


@given(st.lists(st.sampled_from(MARKS), max_size=12), st.integers(1, 9))
def test_no_mark_is_ever_shown_whatever_the_pieces(parts: list[str], size: int) -> None:
    text = "".join(parts)
    out, _ = shown(text, size)
    assert (out, []) == (shown(text, 1)[0], [])
    for mark in ("<tool_call>", "</tool_call>", "<tool_response>", '{"', "```", "<|"):
        assert mark not in out


@given(st.text(max_size=80))
def test_any_text_is_a_subsequence(text: str) -> None:
    out = iter(text)
    assert all(char in out for char in shown(text, 3)[0])
