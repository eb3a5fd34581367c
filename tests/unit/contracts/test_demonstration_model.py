"""The demonstration model is trained on the very bytes that the services send at run time."""

import json

import msgspec
import pytest

from services.gateway.assistant.prompt import environment, render_system
from services.gateway.identity.shops import ShopProfile
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
    policies = ["签收后7天内可以退货。", "Orders over ¥99 ship free."]
    profile = msgspec.convert(
        {
            "name": {"zh": "青禾", "en": "Greenfield"},
            "tone": {"zh": "亲切", "en": "warm"},
            "policies": {"zh": policies, "en": policies},
        },
        ShopProfile,
    )
    expected = CONTRACT["system"].format(
        name=getattr(profile.name, language),
        tone=getattr(profile.tone, language),
        policies="\n".join(f"- {line}" for line in policies),
    )
    assert render_system(environment(), profile, language) == expected
