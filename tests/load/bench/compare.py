"""The same requests straight to the router and through the gateway, in turns, over the fast fake.

Also through LiteLLM's proxy where it is installed, and straight to the fake, which shows what the
load generator can do at most.
"""

import itertools
import json
import os
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.load.bench.generator import Volley, fire, post, until
from tests.load.bench.measure import Case, Tally, in_turns
from tests.load.bench.rig import Rig
from tests.load.resources import Meter

QUESTION = "Where is my order ORD{number:011d}?"
"""Each with a number of its own, so that nothing that was worked out for one serves another."""
TURNS = 5
"""Questions in each conversation; then a new session begins. As many as a session remembers."""
WARM_UP_S = 0.5
TOKEN_TTL_S = 7200


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the places that requests are sent to.

    Attributes:
        name: as shown.
        address: host and port.
        headers: beside the session's.
        pid: the root of its processes, where their CPU is of interest.

    """

    name: str
    address: tuple[str, int]
    headers: dict[str, str]
    pid: int | None


def stages(rig: Rig, litellm: tuple[tuple[str, int], str] | None) -> list[Stage]:
    """Return what is compared, from the bottom up."""
    customer = rig.credentials.customer_token("alice", TOKEN_TTL_S)
    key = {"authorization": f"Bearer {rig.credentials.shop_key}", "x-customer-token": customer}
    found = [
        Stage("fake", rig.fake, {}, None),
        Stage("router", rig.router, {}, rig.pids["router"]),
        Stage("gateway", rig.gateway, key, rig.pids["gateway"]),
    ]
    if litellm is not None:
        address, secret = litellm
        headers = {"authorization": f"Bearer {secret}"}
        found.append(Stage("LiteLLM", address, headers, rig.pids["litellm"]))
    return found


def conversation(stage: Stage, *, streamed: bool) -> Callable[[], bytes]:
    """Return one connection's requests: five in a session, then five in the next, for ever."""
    host = f"{stage.address[0]}:{stage.address[1]}"
    asked = itertools.count()
    headers: dict[str, str] = {}
    first = random.randrange(10**10)

    def next_request() -> bytes:
        nonlocal headers
        number = next(asked)
        if number % TURNS == 0:
            headers = {"host": host, **stage.headers, "x-session-id": f"bench-{uuid.uuid4().hex}"}
        question = QUESTION.format(number=first + number)
        messages = [{"role": "user", "content": question}]
        body = {"model": "xiaoer", "messages": messages, "stream": streamed}
        content = json.dumps(body, separators=(",", ":")).encode()
        return post("/v1/chat/completions", headers, content)

    return next_request


async def measure(
    found: list[Stage],
    cases: list[Case],
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> dict[Case, dict[str, Tally]]:
    """Measure every case at every stage, in turns.

    Args:
        found: the stages.
        cases: what is asked.
        rounds: how often each is measured.
        seconds: how long each time.
        say: shows a line of progress.

    """
    tallies = {case: {stage.name: Tally() for stage in found} for case in cases}
    by_name = {stage.name: stage for stage in found}
    for case, stage in itertools.product(cases, found):
        await _volley(stage, case, WARM_UP_S)
    total_s = rounds * len(cases) * len(found) * seconds
    say(f"{rounds} rounds of {len(cases)} cases at {len(found)} stages: about {total_s:.0f} s")
    for number in range(rounds):
        for case in cases:
            for name in in_turns(list(by_name), number):
                stage = by_name[name]
                meter = Meter(partial(_roots, stage.pid))
                own = time.process_time()
                volley = await _volley(stage, case, seconds)
                own = time.process_time() - own
                cpu_s = {one.service: one.cpu_s for one in meter.usage()}.get("stage", 0.0)
                tallies[case][name].add(volley, cpu_s, own)
        say(f"round {number + 1} of {rounds} is done (load average {os.getloadavg()[0]:.1f})")
    return tallies


async def _volley(stage: Stage, case: Case, seconds: float) -> Volley:
    moment = time.perf_counter() + seconds
    sources = [
        until(moment, conversation(stage, streamed=case.streamed)) for _ in range(case.connections)
    ]
    return await fire(stage.address, sources)


def _roots(pid: int | None) -> dict[str, int]:
    return {} if pid is None else {"stage": pid}
