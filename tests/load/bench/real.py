"""Tokens a second through the whole stack over raw vLLM's, for the same prompts.

The prompts sent to vLLM directly are the bytes that the gateway's own code makes; that they are
the same is checked by the prompt tokens which vLLM counts on both sides.
"""

import asyncio
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from urllib.parse import urlsplit

import httpx2
import openai

from deploy.local.credentials import DEMO_SHOP, load_credentials
from deploy.local.settings import LocalSettings, load_settings
from services.gateway.assistant.deadline import Deadline
from services.gateway.assistant.language import language_of
from services.gateway.assistant.model import ModelClient, ModelRequest
from services.gateway.assistant.prompt import Prompts
from services.gateway.assistant.tools import ToolsClient
from services.gateway.assistant.types import Message
from services.gateway.identity.shops import Shop, load_shops
from services.gateway.identity.tokens import ServiceTokens
from tests.load.bench.generator import Source, Volley, fire, post
from tests.load.bench.measure import in_turns
from tests.load.target import TargetError, read_state

AIM_SHARE = 0.95
CONNECTIONS = 8
_PROMPT = re.compile(rb'"prompt_tokens": ?(\d+)')
_COMPLETION = re.compile(rb'"completion_tokens": ?(\d+)')
_TOOLS = re.compile(rb'"tools": ?\[[^\]]')
RAW, STACK = "raw vLLM", "whole stack"

QUESTIONS = (
    "签收后几天内可以退货？",
    "满多少钱包邮？",
    "运费怎么算的？",
    "付款后多久发货？",
    "发货后几天能到？",
    "可以开发票吗？",
    "支持哪些付款方式？",
    "退款多久能到账？",
    "人工客服几点上班？",
    "质量问题退货的运费谁出？",
    "发票怎么给我？",
    "能用微信付款吗？",
    "How many days do I have to return an item?",
    "When is shipping free?",
    "How soon do you dispatch an order?",
    "How long does delivery take?",
    "Can I get an invoice?",
    "Which payment methods do you accept?",
    "How long does a refund take?",
    "When are your human agents available?",
    "Who pays return shipping for a faulty item?",
    "How much is shipping for a small order?",
    "Do you take Alipay?",
    "What is your return policy?",
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question, as both sides get it.

    Attributes:
        question: what the customer asks.
        raw: the gateway's own request to the model server, headers included.
        stack: makes the customer's request to the gateway, each in a session of its own.

    """

    question: str
    raw: bytes
    stack: Callable[[], bytes]


@dataclass(slots=True)
class Side:
    """All rounds on one side."""

    requests: int = 0
    tokens: int = 0
    elapsed_s: float = 0.0
    wrong: Counter[str] = field(default_factory=Counter)

    @property
    def tokens_per_s(self) -> float:
        """Completion tokens a second."""
        return self.tokens / self.elapsed_s if self.elapsed_s else 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """The running local stack."""

    nodes: list[tuple[str, int]]
    gateway: tuple[str, int]
    settings: LocalSettings
    tools_url: str


def find_place() -> Place:
    """Return the running local stack.

    Raises:
        TargetError: there is none, or it has no vLLM of its own.

    """
    settings = load_settings()
    state = read_state(settings.state_file)
    if not state:
        raise TargetError("Nothing runs with this data folder. Start it with make run.")
    if not state["node_urls"]:
        raise TargetError("The running stack uses an endpoint by MODEL_URL, not its own vLLM.")
    return Place(
        [_address(url) for url in state["node_urls"]],
        _address(state["gateway_url"]),
        settings,
        state["tools_url"],
    )


async def compare(
    place: Place, rounds: int, repeats: int, say: Callable[[str], None]
) -> dict[bool, dict[str, Side]]:
    """Measure both sides in turns: plain, then streamed.

    Args:
        place: the running stack.
        rounds: how often each side is measured.
        repeats: how often each prompt is asked in a round.
        say: shows a line of progress.

    Raises:
        TargetError: the two sides do not get the same prompts.

    """
    results: dict[bool, dict[str, Side]] = {}
    for streamed in (False, True):
        prompts = await _same_on_both(place, await make_prompts(place, streamed=streamed), say)
        sides = {RAW: Side(), STACK: Side()}
        for number in range(rounds):
            for name in in_turns(list(sides), number):
                await _round(place, name, prompts * repeats, sides[name])
            rates = ", ".join(f"{name} {side.tokens_per_s:.0f}" for name, side in sides.items())
            kind = "streamed" if streamed else "plain"
            say(f"{kind}: round {number + 1} of {rounds}, tokens/s so far: {rates}")
        results[streamed] = sides
    return results


async def make_prompts(place: Place, *, streamed: bool) -> list[Prompt]:
    """Have the gateway's own code make each question's request to the model server."""
    credentials = load_credentials(place.settings.secrets_dir)
    shops = load_shops(place.settings.shops_file, credentials.shop_secrets_file)
    found = shops.by_key(credentials.shop_key)
    assert found is not None, "the demo shop's key opens no shop"
    shop, _ = found
    async with httpx2.AsyncClient(base_url=place.tools_url, trust_env=False) as http:
        tools = ToolsClient(http, ServiceTokens(credentials.service_token_secret), 5.0, print)
        await tools.learn()
    headers = {
        "host": f"{place.gateway[0]}:{place.gateway[1]}",
        "authorization": f"Bearer {credentials.shop_key}",
    }
    made = []
    for question in QUESTIONS:
        body = await _model_body(Prompts(), shop, tools, question, streamed=streamed)
        raw = post("/v1/chat/completions", {"host": "vllm"}, body)
        made.append(Prompt(question, raw, _stack_request(headers, question, streamed=streamed)))
    return made


async def _model_body(
    prompts: Prompts, shop: Shop, tools: ToolsClient, question: str, *, streamed: bool
) -> bytes:
    """Return the body that the gateway's model client sends for a first question."""
    sent: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.content)
        return httpx2.Response(200, json={"choices": [{"message": {"content": "."}}]})

    language = language_of(question)
    request = ModelRequest(
        messages=prompts.messages(shop, language, [], (Message("user", question),)),
        tools=list(tools.catalogue.for_model),
        use_tools=True,
        request_id="bench",
        affinity=None,
    )
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    async with openai.AsyncOpenAI(
        base_url="http://vllm/v1", api_key="none", max_retries=0, http_client=http
    ) as client:
        model = ModelClient(client, "xiaoer")
        if streamed:
            async with model.stream(request, Deadline(5.0)):
                pass
        else:
            await model.complete(request, Deadline(5.0))
    return sent[0]


def _stack_request(
    headers: dict[str, str], question: str, *, streamed: bool
) -> Callable[[], bytes]:
    body: dict[str, object] = {
        "model": "xiaoer",
        "messages": [{"role": "user", "content": question}],
    }
    if streamed:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    def make() -> bytes:
        session = {"x-session-id": f"bench-{DEMO_SHOP}-{uuid.uuid4().hex}"}
        return post("/v1/chat/completions", {**headers, **session}, content)

    return make


async def _same_on_both(
    place: Place, prompts: Sequence[Prompt], say: Callable[[str], None]
) -> list[Prompt]:
    """Ask each prompt once on both sides; keep those that are answered with one model call.

    This also fills the prefix cache, for both sides alike.
    """
    kept = []
    for prompt in prompts:
        replies = []
        for name in (RAW, STACK):
            got: list[bytes] = []
            volley = await fire(
                _addresses(place, name)[0], [_from(iter([_bytes(prompt, name)]))], got.append
            )
            if volley.failures or not got:
                break  # a prompt that vLLM answers with a tool call has no content
            replies.append(got[0])
        if len(replies) < len((RAW, STACK)) or _TOOLS.search(replies[1]):
            continue
        counted = [last_number(_PROMPT, reply) for reply in replies]
        if counted[0] != counted[1]:
            raise TargetError(
                f"The prompts differ for {prompt.question!r}: {counted[0]} tokens straight, "
                f"{counted[1]} through the gateway. Does it run with this checkout and shop?"
            )
        kept.append(prompt)
    say(f"{len(kept)} of {len(prompts)} questions are answered with one model call")
    if not kept:
        raise TargetError("No question was answered with one model call on both sides.")
    return kept


async def _round(place: Place, name: str, prompts: Sequence[Prompt], side: Side) -> None:
    todo = iter(prompts)
    addresses = _addresses(place, name)
    began = time.perf_counter()
    volleys = await _fire_all(addresses, todo, name, side)
    side.elapsed_s += time.perf_counter() - began
    for volley in volleys:
        side.requests += len(volley.full_s)
        side.wrong.update(volley.wrong)


async def _fire_all(
    addresses: Sequence[tuple[str, int]], todo: Iterator[Prompt], name: str, side: Side
) -> list[Volley]:
    """Ask over eight connections, shared out among the addresses."""

    def keep(reply: bytes) -> None:
        side.tokens += last_number(_COMPLETION, reply)

    requests = (_bytes(prompt, name) for prompt in todo)
    counts = Counter(
        address for address, _ in zip(cycle(addresses), range(CONNECTIONS), strict=False)
    )
    return list(
        await asyncio.gather(
            *(
                fire(address, [_from(requests) for _ in range(count)], keep)
                for address, count in counts.items()
            )
        )
    )


def last_number(pattern: re.Pattern[bytes], reply: bytes) -> int:
    """Return the last number a pattern finds in a reply, 0 where it finds none."""
    found = pattern.findall(reply)
    return int(found[-1]) if found else 0


def _bytes(prompt: Prompt, name: str) -> bytes:
    return prompt.raw if name == RAW else prompt.stack()


def _from(requests: Iterator[bytes]) -> Source:
    return lambda: next(requests, None)


def _addresses(place: Place, name: str) -> list[tuple[str, int]]:
    return place.nodes if name == RAW else [place.gateway]


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80
