"""Whole conversations over a real gateway and a real Redis server, with a scripted model.

In the handoff dialogues the model is always at hand and never helpful; the question is only who
has the conversation. In the lies the model says what it is told to, true and false: once it takes
back what was held, once it insists.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import jwt
import yaml

from tests.eval.judged.cases import SHOPS, Outcome, Split, cases
from tests.support.fake_model import FakeModel, call, say
from tests.support.fake_tools import FakeTools
from tests.support.gateway import SERVICE_SECRET, ServerThread, gateway_server, request
from tests.support.redis_server import RedisServer
from tests.support.shops import shop_entry

KEY = "sk-xiaoer-judged-{shop}"
SECRET = "customer-token-secret-judged-0123456789"
NEUTRAL = {"zh": "好的，请您接着说。", "en": "Sure, please go on."}


@dataclass(frozen=True, slots=True)
class Stage:
    """A gateway, and the fakes that it talks to."""

    url: str
    model: FakeModel
    tools: FakeTools

    def say(self, shop: str, session: str, text: str) -> dict[str, Any]:
        """Send a customer's message; return the reply."""
        token = jwt.encode(
            {"sub": "judged", "shop": shop, "exp": int(time.time()) + 600}, SECRET, "HS256"
        )
        headers = {
            "authorization": f"Bearer {KEY.format(shop=shop)}",
            "x-customer-token": token,
            "x-session-id": session,
        }
        body = {"model": "xiaoer", "messages": [{"role": "user", "content": text}]}
        url = f"{self.url}/v1/chat/completions"
        reply = request("POST", url, headers=headers, json=body, timeout=30)
        if reply.status_code != httpx2.codes.OK:
            raise RuntimeError(f"the gateway answered {reply.status_code}: {reply.text}")
        found: dict[str, Any] = reply.json()
        return found


@contextmanager
def stage(shops: dict[str, Any]) -> Iterator[Stage]:
    """Start a gateway for some shops, on free ports; stop everything afterwards."""
    model, tools = FakeModel(), FakeTools(SERVICE_SECRET)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        public, secret = folder / "shops.yaml", folder / "secrets.json"
        public.write_text(yaml.safe_dump({"shops": shops}, allow_unicode=True), "utf-8")
        entries = {name: shop_entry(KEY.format(shop=name), SECRET) for name in shops}
        secret.write_text(json.dumps(entries), "utf-8")
        secret.chmod(0o600)
        redis = stack.enter_context(RedisServer(folder))
        model_server = stack.enter_context(ServerThread(model))
        tools_server = stack.enter_context(ServerThread(tools))
        env = {
            "SERVICE_TOKEN_SECRET": SERVICE_SECRET,
            "SHOPS_FILE": str(public),
            "SHOP_SECRETS_FILE": str(secret),
            "LOG_LEVEL": "error",
            "REDIS_URL": redis.url,
            "MODEL_URL": f"{model_server.url}/v1",
            "TOOLS_URL": tools_server.url,
        }
        gateway = stack.enter_context(gateway_server(env))
        yield Stage(gateway.url, model, tools)


def handoff(split: Split) -> Iterator[Outcome]:
    """Play each dialogue; right is that all its messages leave the expected owner."""
    found = cases(split, "handoff")
    if not found:
        return
    shop = yaml.safe_load(SHOPS.read_text("utf-8"))["shops"]["demo"]
    with stage({"demo": shop}) as on:
        for case in found:
            language = case["language"]
            on.model.always(say(NEUTRAL[language]))
            owners = [
                on.say("demo", case["id"], turn["customer"])["xiaoer"]["handoff"]
                for turn in case["turns"]
            ]
            expected = [turn["expect_owner_after"] for turn in case["turns"]]
            family = case["id"].split("-")[1]
            right = owners == expected
            yield Outcome("handoff", language, family, expected[-1], case["id"], right)


def lies(split: Split) -> Iterator[Outcome]:
    """Play each dialogue twice; right is that no lie was heard, and that every truth was."""
    found = cases(split, "lies")
    if not found:
        return
    with stage({case["id"]: _shop(case["policies"]) for case in found}) as on:
        for case in found:
            told, language = case["says"], case["language"]
            honest = [line for line in told if not any(lie in line for lie in case["lies"])]
            for way, again in (("insists", told), ("takes it back", honest)):
                heard = _squeezed(_heard(on, case, way, again))
                for lie in case["lies"]:
                    right = _squeezed(lie) not in heard
                    yield Outcome("lies", language, f"lie, {way}", "hold", case["id"], right)
                if again is honest:
                    for truth in case["truths"]:
                        right = _squeezed(truth) in heard
                        yield Outcome("lies", language, "truth", "pass", case["id"], right)


def _heard(on: Stage, case: dict[str, Any], way: str, again: list[str]) -> str:
    """Play one dialogue; return what the customer heard last."""
    joined = "" if case["language"] == "zh" else " "
    session = f"{case['id']}-{way.replace(' ', '-')}"
    *before, last = case["customer_turns"]
    on.model.script.clear()
    on.model.always(say(NEUTRAL[case["language"]]))
    for text in before:
        on.say(case["id"], session, text)
    on.tools.results.clear()
    for tool in case["tools"]:
        on.tools.add(tool["name"], tool["arguments"], tool["result"])
    if case["tools"]:
        on.model.will(call(*((tool["name"], tool["arguments"]) for tool in case["tools"])))
    on.model.will(say(joined.join(case["says"])))
    on.model.always(say(joined.join(again)))
    reply = on.say(case["id"], session, last)
    heard: str = reply["choices"][0]["message"]["content"]
    return heard


def _shop(policies: list[str]) -> dict[str, Any]:
    return {
        "name": {"zh": "店", "en": "Shop"},
        "tone": {"zh": "亲切", "en": "friendly"},
        "policies": {"zh": policies, "en": policies},
    }


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()
