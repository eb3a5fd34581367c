"""An answer cache on a real Redis, with a catalogue that the test can change."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import redis.asyncio as aioredis

import services.tools
from services.gateway.answers.cache import AnswerCache
from services.gateway.answers.catalogue import Catalogues
from services.gateway.answers.epoch import Epochs
from services.gateway.answers.flights import Flights
from services.gateway.answers.types import Asked
from services.gateway.assistant.language import language_of
from services.gateway.identity.tokens import ServiceTokens
from services.gateway.sessions.redis_port import RedisPort, connect

SECRET = "service-token-secret-of-the-tests-0123456789"
MODEL = "use-multilingual-3"


def sample_products() -> list[tuple[str, list[str]]]:
    """Return the sample shop's SKUs and names."""
    path = Path(services.tools.__file__).parent / "sample" / "products.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (row["sku"], [name for name in (row["name_zh"], row["name_en"]) if name]) for row in rows
    ]


@dataclass
class FakeCatalogue:
    """`GET /v1/catalogue` of every shop."""

    products: Sequence[tuple[str, Sequence[str]]] = field(default_factory=sample_products)
    version: int = 1
    asked: int = 0

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        if request.headers.get("if-none-match") == f'"{self.version}"':
            return httpx2.Response(304)
        products = [{"sku": sku, "names": list(names)} for sku, names in self.products]
        return httpx2.Response(
            200, content=json.dumps({"version": self.version, "products": products})
        )


class Silent:
    """Observes nothing."""

    def hop(self, name: str, seconds: float) -> None: ...
    def conversation(self, shop: str) -> None: ...
    def handoff(self, shop: str, reason: str) -> None: ...

    def takeover(self) -> None: ...

    def tool_call(self, tool: str, outcome: str) -> None: ...

    def lock_wait(self, seconds: float) -> None: ...

    def rail(self, name: str, action: str, language: str, seconds: float) -> None: ...


@dataclass
class Replica:
    """A process's cache and what it stands on."""

    cache: AnswerCache
    flights: Flights
    catalogues: Catalogues
    epochs: Epochs
    client: aioredis.Redis
    port: RedisPort
    counts: list[str]
    log: list[tuple[str, dict[str, Any]]]
    tasks: list[asyncio.Task[None]]

    def kill(self) -> None:
        """Stop what keeps leases, as a killed process does."""
        for task in self.tasks:
            task.cancel()


@asynccontextmanager
async def replica(
    url: str,
    catalogue: FakeCatalogue | None = None,
    shops: Sequence[str] = ("demo",),
    *,
    model: str = MODEL,
    polling: bool = False,
) -> AsyncIterator[Replica]:
    """Run a cache as the application does; its catalogues are read once before."""
    catalogue = catalogue or FakeCatalogue()
    log: list[tuple[str, dict[str, Any]]] = []
    counts: list[str] = []

    def note(event: str, **fields: Any) -> None:
        log.append((event, fields))

    async with AsyncExitStack() as stack:
        client = connect(url)
        stack.push_async_callback(client.aclose)
        port = RedisPort(client, Silent(), note)
        http = httpx2.AsyncClient(
            transport=httpx2.MockTransport(catalogue.answer), base_url="http://tools"
        )
        stack.push_async_callback(http.aclose)
        epochs = Epochs(port)
        catalogues = Catalogues(http, ServiceTokens(SECRET), epochs, lambda: shops, note)
        flights = Flights(port, client, note)
        cache = AnswerCache(port, client, catalogues, flights, model, note, counts.append)
        for shop in shops:
            await catalogues.read(shop)
        work: list[Callable[[], Any]] = [flights.listen, flights.keep_leases]
        if polling:
            work.append(catalogues.keep_reading)
        tasks = [asyncio.create_task(start()) for start in work]
        await asyncio.sleep(0.05)
        try:
            yield Replica(cache, flights, catalogues, epochs, client, port, counts, log, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def asked(
    text: str,
    *,
    shop: str = "demo",
    profile: str = "p",
    fresh: bool = True,
    vector: bytes | None = None,
) -> Asked:
    """Return a question; its vector is as given."""

    async def give() -> bytes | None:
        return vector

    return Asked(shop, language_of(text), text, profile, fresh, give)
