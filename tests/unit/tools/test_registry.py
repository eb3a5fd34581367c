from typing import Any, Literal

import msgspec
import pytest

from services.tools.app import create_registry
from services.tools.calls import Call, Miss
from services.tools.errors import InvalidArguments, UnknownTool
from services.tools.registry import Access, Registry, Tool, ToolFunction
from tests.unit.tools.conftest import MakeCall

# The demonstration model is trained on exactly these bytes.
PUBLISHED = (
    '[{"type":"function","function":{"name":"query_order_status","description":"Status, carrier, '
    'tracking number and items of one order.","parameters":{"type":"object","properties":'
    '{"order_id":{"type":"string","description":"Order number as the customer wrote it."}},'
    '"required":["order_id"]}},"xiaoer":{"access":"customer","effect":"read","cache_ttl_s":0,'
    '"fresh_for_s":120}},'
    '{"type":"function","function":{"name":"list_recent_orders","description":"The customer\'s '
    'latest orders, newest first. For when no order number is given.","parameters":{"type":'
    '"object","properties":{}}},"xiaoer":{"access":"customer","effect":"read","cache_ttl_s":0,'
    '"fresh_for_s":120}},'
    '{"type":"function","function":{"name":"query_inventory","description":"Price, stock, '
    'shipping place and warranty of one product.","parameters":{"type":"object","properties":'
    '{"product":{"type":"string","description":"Product name or SKU as the customer wrote it."}},'
    '"required":["product"]}},"xiaoer":{"access":"public","effect":"read","cache_ttl_s":60,'
    '"fresh_for_s":300}}]'
)


def test_published_bytes_are_frozen() -> None:
    assert create_registry().body == PUBLISHED.encode()


async def _find(
    _call: Call, text: str, limit: int = 3, kind: Literal["a", "b"] | None = None
) -> Miss:
    """Find things.

    :param text: What to find,
        on two lines.
    :param limit: How many.
    :param kind: Which kind.
    """
    return Miss(f"{text}{limit}{kind}")


def _tool(function: ToolFunction = _find, access: Access = "public", cache_ttl_s: int = 0) -> Tool:
    return Tool.of(function, access=access, effect="read", cache_ttl_s=cache_ttl_s, fresh_for_s=1)


def test_schema_comes_from_signature_and_docstring() -> None:
    assert _tool().parameters == {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "What to find, on two lines."},
            "limit": {"type": "integer", "description": "How many."},
            "kind": {"type": "string", "enum": ["a", "b"], "description": "Which kind."},
        },
        "required": ["text"],
    }
    assert _tool().description == "Find things."


@pytest.mark.parametrize(
    ("arguments", "param", "words"),
    [
        ({}, "text", "'text' is missing"),
        ({"text": 1}, "text", "must be a string"),
        ({"text": None}, "text", "must be a string"),
        ({"text": "a", "limit": True}, "limit", "must be an integer"),
        ({"text": "a", "limit": "3"}, "limit", "must be an integer"),
        ({"text": "a", "kind": "c"}, "kind", "must be one of a, b"),
        ({"text": "a", "customer": "bob"}, "customer", "unknown argument 'customer'"),
    ],
)
def test_a_broken_argument_is_named(arguments: dict[str, Any], param: str, words: str) -> None:
    with pytest.raises(InvalidArguments, match=words) as caught:
        _tool().check(arguments)
    assert caught.value.param == param
    assert caught.value.status == 400


async def test_private_tools_ask_a_visitor_to_sign_in(make_call: MakeCall) -> None:
    visitor = await _tool(access="customer").run(make_call(None), {"text": "x"})
    assert msgspec.json.encode(visitor) == b'{"error":"sign_in_required"}'
    known = await _tool(access="customer").run(make_call("alice"), {"text": "x"})
    assert known == Miss("x3None")


def test_a_visitors_broken_argument_is_still_named() -> None:
    with pytest.raises(InvalidArguments):
        _tool(access="customer").check({"nonsense": 1})


def test_unknown_tools_and_unfit_functions_are_refused() -> None:
    async def undocumented(_call: Call) -> Miss:
        return Miss("x")

    async def undescribed(_call: Call, text: str) -> Miss:
        """Do it."""
        return Miss(text)

    async def odd_type(_call: Call, text: bytes) -> Miss:
        """Do it.

        :param text: Bytes.
        """
        return Miss(text.decode())

    async def no_call(text: str) -> Miss:
        """Do it.

        :param text: Text.
        """
        return Miss(text)

    for function in (undocumented, undescribed, odd_type, no_call):
        with pytest.raises(TypeError):
            _tool(function)
    with pytest.raises(TypeError, match="never given to others"):
        _tool(access="customer", cache_ttl_s=60)
    with pytest.raises(UnknownTool, match="query_inventory"):
        create_registry().get("drop_tables")
    assert "_find" in Registry([_tool()])
