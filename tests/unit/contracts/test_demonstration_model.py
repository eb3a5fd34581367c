"""The demonstration model is trained on the very bytes that the services send at run time."""

import json

import msgspec
import pytest

from services.gateway.assistant import prompt
from services.gateway.assistant.prompt import environment, render_system
from services.gateway.identity.shops import ShopProfile
from services.gateway.knowledge.types import Passage
from services.inference.demo import context
from services.inference.demo.contract import CONTRACT
from services.inference.demo.world import Language
from services.tools.app import create_registry


def test_tools_in_training_are_the_published_ones() -> None:
    published = [
        {key: value for key, value in tool.items() if key != "xiaoer"}
        for tool in json.loads(create_registry().body)
    ]
    # Byte for byte: the order of keys is part of what the model has learnt.
    assert json.dumps(published) == json.dumps(CONTRACT["tools"])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_system_message_in_training_is_the_gateways(language: Language) -> None:
    profile = msgspec.convert(
        {"name": {"zh": "青禾", "en": "Greenfield"}, "tone": {"zh": "亲切", "en": "warm"}},
        ShopProfile,
    )
    expected = CONTRACT["system"].format(
        name=getattr(profile.name, language), tone=getattr(profile.tone, language)
    )
    assert render_system(environment(), profile, language) == expected


def test_passages_in_training_stand_where_the_gateway_puts_them() -> None:
    passages = [
        Passage("returns.md", "退换货政策", "退货期限", "签收后7天内可以退货。", 1.0),
        Passage("settings", "店铺政策", "", "满99元包邮。", 0.5),
    ]
    lines = ["[退换货政策 › 退货期限] 签收后7天内可以退货。", "[店铺政策] 满99元包邮。"]
    for some in (0, 1, 2):
        trained = context.with_context(lines[:some], "能退吗")
        assert prompt.with_context(passages[:some], "能退吗") == trained
