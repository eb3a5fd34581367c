"""The bench's parsing, sums and tables; its generator against a real server."""

import asyncio
import io
import json
import math
import re

import pytest
import yaml
from rich.console import Console

from tests.load.bench.compare import TURNS, Stage, conversation
from tests.load.bench.generator import Volley, fire, flaw, is_complete, post, until
from tests.load.bench.measure import Case, Tally, added, in_turns
from tests.load.bench.real import _COMPLETION, RAW, STACK, Side, last_number
from tests.load.bench.rig import divide, litellm_config
from tests.load.bench.tables import real_table, real_verdicts, share, stage_verdicts, stages_table
from tests.support.fast_model import CHUNKS, create_app
from tests.support.gateway import ServerThread

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PLAIN = b'{"choices":[{"message":{"content":"Yes."}}],"degraded":[]}'
STREAM = b'data: {"choices":[{"delta":{"content":"Yes."}}]}\n\ndata: [DONE]\n\n'


def with_length(body: bytes) -> bytes:
    return HEAD + b"content-length: %d\r\n\r\n" % len(body) + body


def chunked(body: bytes) -> bytes:
    return HEAD + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("reply", [with_length(PLAIN), chunked(STREAM), with_length(b"")])
def test_a_reply_is_complete_at_its_last_byte_only(reply: bytes) -> None:
    assert [n for n in range(len(reply) + 1) if is_complete(reply[:n])] == [len(reply)]


@pytest.mark.parametrize(
    ("reply", "streamed", "what"),
    [
        (with_length(PLAIN), False, None),
        (chunked(STREAM), True, None),
        (chunked(STREAM.replace(b"data: [DONE]", b"")), True, "stream without its end"),
        (with_length(b'{"content": ""}'), False, "no content"),
        (with_length(PLAIN.replace(b"[]", b'["memory"]')), False, "degraded answer"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False, "HTTP/1.1 503 Service Unavailable"),
        (b"", False, "nothing"),
    ],
)
def test_what_is_wrong_with_a_reply(reply: bytes, streamed: bool, what: str | None) -> None:
    assert flaw(reply, streamed=streamed) == what


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_generator_times_complete_replies(streamed: bool) -> None:
    with ServerThread(create_app()) as server:
        stage = Stage("fake", ("127.0.0.1", server.port), {}, None)
        left = [6]

        def some() -> bytes | None:
            left[0] -= 1
            return conversation(stage, streamed=streamed)() if left[0] >= 0 else None

        kept: list[bytes] = []
        volley = await fire(stage.address, [some, some], kept.append)
    assert not volley.wrong
    assert len(volley.full_s) == len(kept) == 6
    assert all(0 < seconds <= volley.elapsed_s for seconds in volley.full_s)
    assert len(volley.first_s) == (6 if streamed else 0)
    # Beside the content: the role, the finish, the usage, the end.
    assert volley.events == (6 * (CHUNKS + 4) if streamed else 0)


async def test_the_generator_counts_a_connection_that_is_lost() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        volley = await fire((host, port), [lambda: post("/", {}, b"")])
    assert volley.failures == 1
    assert volley.full_s == []


def test_a_source_runs_dry_at_its_moment() -> None:
    assert until(math.inf, lambda: b"x")() == b"x"
    assert until(0.0, lambda: b"x")() is None


def test_a_conversation_changes_its_session_after_five_turns() -> None:
    stage = Stage("gateway", ("h", 1), {"authorization": "Bearer k"}, None)
    ask = conversation(stage, streamed=True)
    requests = [ask() for _ in range(TURNS + 1)]
    assert len(set(requests)) == TURNS + 1, "no two questions are the same"
    sessions = [re.search(rb"x-session-id: (\S+)", one) for one in requests]
    names = [found and found[1] for found in sessions]
    assert names[0] == names[TURNS - 1] != names[TURNS]
    assert None not in names
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert b"authorization: Bearer k" in head
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["stream"] is True


def volley(*full_s: float, elapsed_s: float = 1.0) -> Volley:
    return Volley(full_s=list(full_s), elapsed_s=elapsed_s)


def test_rounds_add_up() -> None:
    tally = Tally()
    tally.add(volley(0.001, 0.003), 0.004, 0.1)
    tally.add(volley(0.002, 0.002), 0.004, 0.1)
    assert tally.per_s == 2.0
    assert tally.cpu_ms == pytest.approx(2.0)
    assert tally.per_core_s == pytest.approx(500)
    assert tally.p_ms(0.99) == 3.0
    assert tally.round_p50_s == [0.001, 0.002]
    assert tally.as_json(CHUNKS)["generator_cpu_share"] == pytest.approx(0.1)


def test_what_a_stage_adds() -> None:
    above, below = Tally(), Tally()
    above.add(volley(0.003, elapsed_s=2.0), 0.0, 0.0)
    below.add(volley(0.001, elapsed_s=1.0), 0.0, 0.0)
    over = added(above, below)
    assert (over.p50_ms, over.rate_share) == (2.0, 0.5)
    assert math.isnan(added(above, Tally()).rate_share)


def test_turns_alternate() -> None:
    assert in_turns(["a", "b"], 0) == ["a", "b"]
    assert in_turns(["a", "b"], 1) == ["b", "a"]


@pytest.mark.parametrize(
    ("available", "proxy", "rest"), [({3}, {3}, {3}), ({1, 0}, {0}, {1}), ({4, 2, 9}, {2}, {4, 9})]
)
def test_the_proxy_gets_a_core_of_its_own(
    available: set[int], proxy: set[int], rest: set[int]
) -> None:
    cores = divide(available)
    assert (set(cores.proxy), set(cores.rest)) == (proxy, rest)


def stage_tallies(gateway_s: float) -> dict[Case, dict[str, Tally]]:
    tallies = {name: Tally() for name in ("fake", "router", "gateway")}
    for name, seconds in (("fake", 0.0005), ("router", 0.001), ("gateway", gateway_s)):
        count = int(1 / seconds)
        tallies[name].add(volley(*[seconds] * count), 0.5, 0.2)
    return {Case(streamed=False, connections=1): tallies}


@pytest.mark.parametrize(
    ("gateway_s", "latency", "rate"),
    [(0.002, "met, 1.00", "met, 500"), (0.005, "missed", "missed")],
)
def test_aims_are_judged(gateway_s: float, latency: str, rate: str) -> None:
    lines = stage_verdicts(stage_tallies(gateway_s))
    assert latency in lines[0]
    assert rate in lines[1]
    assert "2000 plain requests/s" in lines[2]


def text_of(table: object) -> str:
    out = io.StringIO()
    Console(width=180, file=out).print(table)
    return out.getvalue()


def test_the_table_has_a_row_for_each_stage() -> None:
    text = text_of(stages_table(stage_tallies(0.002), CHUNKS))
    assert all(name in text for name in ("plain × 1", "fake", "router", "gateway", "0.500"))


def test_failures_are_named() -> None:
    tallies = stage_tallies(0.002)
    (stages,) = tallies.values()
    stages["gateway"].wrong["degraded answer"] = 3
    assert "plain × 1 gateway: 3 × degraded answer" in stage_verdicts(tallies)


def test_the_ratio_of_tokens() -> None:
    sides = {RAW: Side(4, 200, 1.0), STACK: Side(4, 190, 1.0)}
    assert share(sides) == pytest.approx(0.95)
    assert "met, 0.950" in real_verdicts({True: sides})[0]
    assert "0.950" in text_of(real_table({True: sides}))
    assert math.isnan(share({RAW: Side(), STACK: Side()}))


def test_the_last_count_of_a_stream_counts() -> None:
    reply = b'"usage":{"completion_tokens":1} "usage": {"completion_tokens": 27}'
    assert last_number(_COMPLETION, reply) == 27
    assert last_number(_COMPLETION, b"{}") == 0


def test_litellm_gets_the_router_and_a_key_of_its_own() -> None:
    config = yaml.safe_load(litellm_config("http://127.0.0.1:9/v1", "sk-x"))
    assert config["general_settings"]["master_key"] == "sk-x"
    assert config["model_list"][0]["litellm_params"]["api_base"] == "http://127.0.0.1:9/v1"
