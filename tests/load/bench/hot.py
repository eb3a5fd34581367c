"""`python -m tests.load.bench.hot`: what a hot question costs when its answer is kept.

A gateway process over a real Redis with the search module, once with that one answer and once
among 100,000 synthetic entries; 50 connections ask it again and again, without pause.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import redis
import yaml
from rich.console import Console
from rich.table import Table

from tests.load.bench.generator import Volley, fire, post, until
from tests.load.figures import percentile
from tests.load.resources import Meter
from tests.support.fake_model import FakeModel, call, say
from tests.support.fake_tools import FakeTools
from tests.support.gateway import (
    SERVICE_SECRET,
    GatewayProcess,
    ServerThread,
    headers,
    request,
    shop_files,
)
from tests.support.redis_server import RedisServer

CONNECTIONS = 50
SECONDS = 4.0
ENTRIES = 100_000
QUESTION = "无线降噪耳机Pro多少钱"
ANSWER = "无线降噪耳机Pro的价格是¥599.00。"
AIM_MS = 10.0


def main() -> int:
    """Run the bench; returns 1 when a reply was no kept answer."""
    console = Console(highlight=False)
    model, tools = FakeModel(), FakeTools(SERVICE_SECRET)
    tools.products = [{"sku": "WH-PRO-001", "names": ["无线降噪耳机Pro"]}]
    table = Table("entries", "connections", "answers", "per s", "CPU ms", "p50 ms", "p99 ms")
    wrong = 0
    with (
        tempfile.TemporaryDirectory(prefix="xiaoer-hot-") as folder,
        RedisServer(Path(folder), search=True) as server,
        ServerThread(model) as model_server,
        ServerThread(tools) as tools_server,
    ):
        files = shop_files(Path(folder))
        shops = Path(files["SHOPS_FILE"])
        listed = yaml.safe_load(shops.read_text("utf-8"))
        listed["shops"]["demo"]["limits"] = {"shop_per_minute": 0}
        shops.write_text(yaml.safe_dump(listed, allow_unicode=True), "utf-8")
        env = {
            **files,
            "REDIS_URL": server.url,
            "MODEL_URL": f"{model_server.url}/v1",
            "TOOLS_URL": tools_server.url,
            "LOG_LEVEL": "error",
        }
        with GatewayProcess(env) as gateway:
            _settle(gateway.url, model)
            store = redis.Redis.from_url(server.url)
            for entries in (1, ENTRIES):
                console.print(f"measuring among {entries} entries")
                _fill(store, entries)
                for connections in (1, CONNECTIONS):
                    wrong += _row(table, gateway, entries, connections)
    console.print(table)
    console.print(f"aim: p99 at most {AIM_MS:g} ms at {CONNECTIONS} connections", style="bold")
    return 1 if wrong else 0


def _settle(url: str, model: FakeModel) -> None:
    """Ask until the answer is kept."""
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        model.script.clear()
        model.will(call(("query_inventory", {"product": "无线降噪耳机Pro"})), say(ANSWER))
        body = {"messages": [{"role": "user", "content": QUESTION}]}
        reply = request("POST", f"{url}/v1/chat/completions", json=body, headers=headers())
        if reply.json()["xiaoer"]["source"] == "cache":
            return
        time.sleep(0.2)
    raise RuntimeError("the answer was not kept")


def _fill(store: "redis.Redis", entries: int) -> None:
    """Write entries of other shops beside the one; they are what a large Redis holds."""
    pipe = store.pipeline(transaction=False)
    vector = os.urandom(2048)
    for number in range(store.dbsize(), entries):
        pipe.hset(
            f"xiaoer:other:answers:entry:{number:032x}",
            mapping={"epoch": "1", "answer": "{}", "tag": f"{number:032x}", "vector": vector},
        )
        if number % 1000 == 999:
            pipe.execute()
    pipe.execute()


def _row(table: Table, gateway: GatewayProcess, entries: int, connections: int) -> int:
    body = {"model": "xiaoer", "messages": [{"role": "user", "content": QUESTION}]}
    content = json.dumps(body).encode()
    host = f"127.0.0.1:{gateway.port}"
    asked = post("/v1/chat/completions", {"host": host, **headers()}, content)
    kept = 0

    def keep(reply: bytes) -> None:
        nonlocal kept
        kept += b'"source":"cache"' in reply

    async def volley() -> Volley:
        moment = time.perf_counter() + SECONDS
        sources = [until(moment, lambda: asked) for _ in range(connections)]
        return await fire(("127.0.0.1", gateway.port), sources, keep)

    meter = Meter(lambda: {"gateway": gateway.pid})
    found = asyncio.run(volley())
    cpu_s = sum(usage.cpu_s for usage in meter.usage() if usage.service == "gateway")
    took = sorted(found.full_s)
    table.add_row(
        *(f"{entries:,}", str(connections), str(len(took)), f"{len(took) / found.elapsed_s:.0f}"),
        f"{cpu_s * 1000 / len(took):.2f}",
        *(f"{percentile(took, share) * 1000:.2f}" for share in (0.5, 0.99)),
    )
    return found.failures + len(took) - kept


if __name__ == "__main__":
    sys.exit(main())
