"""The chat templates of ours, rendered as transformers renders them."""

import json
import re
from pathlib import Path
from typing import Any

import jinja2.sandbox
import mistral_common
import pytest
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.base import SpecialTokenPolicy
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from services.inference.profiles import TEMPLATES_DIR

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "query_inventory",
            "description": "Price, stock, shipping place and warranty of one product.",
            "parameters": {
                "type": "object",
                "properties": {"product": {"type": "string", "description": "Name or SKU."}},
                "required": ["product"],
            },
        },
    }
]


def call(call_id: str, product: str) -> dict[str, Any]:
    arguments = {"product": product}
    function = {"name": "query_inventory", "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def render(name: str, messages: list[dict[str, Any]], **names: Any) -> str:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    # transformers writes JSON without escaping Chinese, and without HTML escapes.
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(
        value, ensure_ascii=False, indent=indent
    )
    template = environment.from_string((TEMPLATES_DIR / name).read_text(encoding="utf-8"))
    values = {"tools": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}
    return template.render(messages=messages, **(values | names))


SYSTEM = {"role": "system", "content": "You are a shop's assistant."}
FIRST = {"role": "user", "content": "无线降噪耳机多少钱？"}
# With spaces: Mistral's tokenizer writes a result's JSON anew, a template leaves it as it is.
RESULT = '{"product": "无线降噪耳机Pro", "price": "599.00"}'


def conversation() -> list[dict[str, Any]]:
    return [
        SYSTEM,
        FIRST,
        {"role": "assistant", "content": None, "tool_calls": [call("abcdefgh1", "耳机")]},
        {"role": "tool", "tool_call_id": "abcdefgh1", "content": RESULT},
        {"role": "assistant", "content": "599元。"},
        {"role": "user", "content": "And in stock?"},
    ]


@pytest.fixture(scope="module")
def v3() -> MistralTokenizer[Any, Any, Any, Any, Any]:
    data = Path(mistral_common.__file__).parent / "data"
    return MistralTokenizer.from_file(str(next(data.glob("*_instruct_tokenizer_*.model.v3"))))


def readable(pieces: str) -> str:
    """Sentencepiece's pieces as text: spaces, and characters that are spelt in bytes."""

    def characters(match: re.Match[str]) -> str:
        return bytes.fromhex(re.sub(r"<0x|>", "", match.group())).decode()

    return re.sub(r"(?:<0x[0-9A-F]{2}>)+", characters, pieces.replace("▁", " "))


@pytest.mark.parametrize("turns", [2, 4, 6])
def test_mistral_equals_its_makers_own_tokenizer(
    v3: MistralTokenizer[Any, Any, Any, Any, Any], turns: int
) -> None:
    messages = conversation()[:turns]
    request = json.loads(json.dumps({"messages": messages, "tools": TOOLS}))
    for message in request["messages"]:
        for item in message.get("tool_calls", []):
            item["function"]["arguments"] = json.dumps(
                item["function"]["arguments"], ensure_ascii=False
            )
        if message.get("content") is None:
            message["content"] = ""
    encoded = v3.encode_chat_completion(ChatCompletionRequest.model_validate(request))
    pieces = v3.decode(encoded.tokens, special_token_policy=SpecialTokenPolicy.KEEP)
    assert render("mistral-v0.3.jinja", messages, tools=TOOLS) == readable(pieces)


def test_mistral_takes_parallel_calls_long_ids_and_text_results() -> None:
    messages: list[dict[str, Any]] = [
        FIRST,
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [call("chatcmpl-tool-1234567890", "a"), call("chatcmpl-tool-x", "b")],
        },
        {"role": "tool", "tool_call_id": "chatcmpl-tool-1234567890", "content": "plain words"},
    ]
    text = render("mistral-v0.3.jinja", messages, tools=TOOLS)
    assert text.count("[TOOL_CALLS]") == 1
    assert '"id": "234567890"}, {"name"' in text
    assert '[TOOL_RESULTS] {"content": "plain words", "call_id": "234567890"}' in text


def test_llama_has_tools_in_the_first_question_and_no_date() -> None:
    text = render("llama-3.1.jinja", conversation(), tools=TOOLS, bos_token="<|begin_of_text|>")
    system = text.split("<|eot_id|>")[0]
    assert system.endswith("Environment: ipython\n\nYou are a shop's assistant.")
    assert "Today Date" not in text
    assert text.count('"name": "query_inventory",\n') == 1
    assert text.index("Given the following functions") < text.index("无线降噪耳机多少钱？")
    assert '{"name": "query_inventory", "parameters": {"product": "耳机"}}<|eot_id|>' in text
    output = json.dumps({"output": RESULT}, ensure_ascii=False)
    assert f"<|start_header_id|>ipython<|end_header_id|>\n\n{output}<|eot_id|>" in text
    assert text.endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")


def test_llama_joins_several_calls_as_the_parser_reads_them() -> None:
    messages: list[dict[str, Any]] = [
        FIRST,
        {"role": "assistant", "content": "", "tool_calls": [call("1", "a"), call("2", "b")]},
    ]
    text = render("llama-3.1.jinja", messages, tools=TOOLS)
    assert '{"product": "a"}}; {"name": "query_inventory", "parameters": {"product": "b"}}' in text


def test_llama_without_tools_is_plain() -> None:
    text = render("llama-3.1.jinja", [SYSTEM, FIRST], bos_token="<|begin_of_text|>")
    assert text == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
        "You are a shop's assistant.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n无线降噪耳机多少钱？<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
