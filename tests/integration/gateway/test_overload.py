"""More questions than the model can answer in time."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2

from tests.integration.gateway.conftest import Client
from tests.support.fake_model import FakeModel, say
from tests.support.gateway import gateway_server

AT_ONCE, ANSWER_S, DEADLINE_S = 4, 0.2, 4.0
"""The model finishes 20 answers a second; in the time that may be used, 64."""
OFFERED = 160


def ask(client: Client, session: str | None) -> tuple[httpx2.Response, float]:
    started = time.monotonic()
    return client.chat("hi", session=session), time.monotonic() - started


def test_what_the_model_has_no_time_for_goes_to_a_person_or_is_refused_at_once(
    env: dict[str, str], model: FakeModel
) -> None:
    model.always(say("Please go on."))
    model.latency_s, model.places = ANSWER_S, asyncio.Semaphore(AT_ONCE)
    with (
        gateway_server(env, DEADLINE_S=str(DEADLINE_S)) as server,
        ThreadPoolExecutor(OFFERED) as pool,
    ):
        client = Client(server.url)
        list(pool.map(lambda n: ask(client, f"warm{n}"), range(16)))
        sessions = [f"s{n}" if n % 2 else None for n in range(OFFERED)]
        found = list(pool.map(lambda session: ask(client, session), sessions))
        assert ask(client, "later")[0].json()["xiaoer"]["source"] == "model"
    answered: list[float] = []
    tickets: list[float] = []
    refused: list[float] = []
    for session, (reply, seconds) in zip(sessions, found, strict=True):
        if reply.status_code == httpx2.codes.OK:
            xiaoer = reply.json()["xiaoer"]
            (answered if xiaoer["source"] == "model" else tickets).append(seconds)
            if xiaoer["source"] != "model":
                assert (xiaoer["handoff"], xiaoer["degraded"]) == ("waiting", ["model"])
        else:
            assert session is None, reply.text
            assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
            assert int(reply.headers["retry-after"]) >= 1
            refused.append(seconds)
    assert len(answered) > 30
    assert max(answered) < DEADLINE_S
    assert tickets
    assert refused
