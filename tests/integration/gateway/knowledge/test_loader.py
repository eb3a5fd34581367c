"""The loader against a real Redis: what changed is embedded, the swap is one step, the dead leave
nothing behind."""

import asyncio
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as aioredis

from services.gateway.knowledge.documents import Document, Section
from services.gateway.knowledge.index import (
    epoch_key,
    gaps_key,
    lock_key,
    pointer_key,
    prefix,
    versions_key,
)
from services.gateway.knowledge.knowledge import Knowledge
from services.gateway.knowledge.loader import Loader, Report
from services.gateway.knowledge.versions import LoadError, Versions
from tests.support.fake_embedder import FakeEmbedder, vector_of
from tests.support.redis_server import RedisServer

TODAY = date(2026, 11, 25)


async def indexes(client: aioredis.Redis) -> list[str]:
    names: Any = await client.execute_command("FT._LIST")  # type: ignore[no-untyped-call]
    return [bytes(name).decode() for name in names]


async def keys(client: aioredis.Redis) -> set[str]:
    return {key.decode() async for key in client.scan_iter("*")}


def marked(mark: str, chunks: int = 40) -> list[tuple[Document, int]]:
    """Documents whose every section holds the same mark."""
    return [
        (
            Document(
                f"en/{number}.md",
                "en",
                "Page",
                tuple(Section((f"S{place}",), f"lamp {mark} {place}") for place in range(4)),
            ),
            1,
        )
        for number in range(chunks // 4)
    ]


async def test_a_second_load_embeds_only_what_changed(client: aioredis.Redis, folder: Path) -> None:
    embedder = FakeEmbedder()
    loader = Loader(client, embedder, "demo")
    first = await loader.load(folder, grace_s=0)
    assert (first.documents, first.chunks, first.reused, first.old) == (3, 4, 0, None)
    embedder.texts.clear()
    page = folder / "en" / "returns.md"
    page.write_text(page.read_text().replace("The buyer pays", "We pay"))
    page.rename(folder / "en" / "renamed.md")
    second = await loader.load(folder, grace_s=0)
    assert (second.chunks, second.reused) == (4, 3)
    assert embedder.texts == ["Who pays\nWe pay return shipping."]
    other = FakeEmbedder("another")
    third = await Loader(client, other, "demo").load(folder, grace_s=0)
    assert (third.reused, len(other.texts)) == (0, 4)


async def test_the_swap_ends_cached_answers_and_old_versions_go_after_their_grace(
    client: aioredis.Redis, folder: Path
) -> None:
    loader = Loader(client, FakeEmbedder(), "demo")
    await loader.load(folder)
    first = await Versions(client, "demo").present()
    assert first is not None
    assert (first.chunks, first.documents, first.model) == (4, 3, "fake")
    assert await client.get(epoch_key("demo")) == b"1"
    await loader.load(folder, grace_s=60)
    assert await client.get(epoch_key("demo")) == b"2"
    assert len(await indexes(client)) == 2  # questions under way may still read it
    await loader.load(folder, grace_s=0)
    assert prefix("demo", first.id) in await indexes(client)
    await client.zadd(versions_key("demo"), {first.id: 1})
    await loader.remove_old(0)
    present = await Versions(client, "demo").present()
    assert present is not None
    kept = [name for name in await indexes(client) if first.id in name]
    assert kept == []
    assert not [key for key in await keys(client) if first.id in key]
    assert prefix("demo", present.id) in await indexes(client)


async def test_readers_see_one_version_only(client: aioredis.Redis) -> None:
    embedder = FakeEmbedder()
    loader = Loader(client, embedder, "demo")
    await loader.load_documents(marked("v0"), Report(), grace_s=0)
    knowledge = Knowledge(client, embedder, print)
    seen: list[set[str]] = []
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            found = await knowledge.find("demo", "en", "lamp", vector_of("lamp"), TODAY)
            words = " ".join(passage.text for passage in found).split()
            seen.append({word for word in words if word.startswith("v")})

    readers = [asyncio.create_task(read()) for _ in range(4)]
    for version in range(1, 6):
        await loader.load_documents(marked(f"v{version}"), Report(), grace_s=60)
        await asyncio.sleep(0.05)
    done.set()
    await asyncio.gather(*readers)
    assert all(len(marks) == 1 for marks in seen)
    assert {mark for marks in seen for mark in marks} >= {"v0", "v5"}


async def test_broken_files_are_named_and_the_rest_loads(
    client: aioredis.Redis, folder: Path
) -> None:
    (folder / "bad.pdf").write_bytes(b"nothing")
    (folder / "picture.png").write_bytes(b"x")
    (folder / ".hidden.md").write_text("hidden")
    report = await Loader(client, FakeEmbedder(), "demo").load(folder, grace_s=0)
    assert report.chunks == 4
    assert [path for path, _ in report.broken] == ["bad.pdf"]
    assert report.passed_over == ["picture.png"]


async def test_nothing_to_load_or_no_embedder_leaves_all_as_it_was(
    client: aioredis.Redis, folder: Path, tmp_path: Path
) -> None:
    loader = Loader(client, FakeEmbedder(), "demo")
    await loader.load(folder)
    before = await client.get(pointer_key("demo"))
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "bad.md").write_bytes(b"\xff")
    with pytest.raises(LoadError, match=r"nothing to load(.|\n)*bad\.md: it is not UTF-8"):
        await loader.load(empty)
    away = FakeEmbedder("other", fail_after=0)
    with pytest.raises(LoadError, match="EMBEDDINGS_URL"):
        await Loader(client, away, "demo").load(folder)
    assert await client.get(pointer_key("demo")) == before
    assert len(await indexes(client)) == 1
    assert await client.exists(lock_key("demo")) == 0
    assert await client.get(epoch_key("demo")) == b"1"


async def test_one_loader_at_a_time(client: aioredis.Redis, folder: Path) -> None:
    async with Versions(client, "demo").only_loader():
        with pytest.raises(LoadError, match="being loaded already"):
            await Loader(client, FakeEmbedder(), "demo").load(folder)
        await Loader(client, FakeEmbedder(), "other").load(folder)
    await Loader(client, FakeEmbedder(), "demo").load(folder)


async def test_a_loader_that_lost_its_lock_changes_nothing(
    client: aioredis.Redis, folder: Path
) -> None:
    class Held(FakeEmbedder):
        async def embed(self, texts: Any, timeout_s: float | None = None) -> list[bytes]:
            await client.set(lock_key("demo"), "somebody else")
            return await super().embed(texts, timeout_s)

    with pytest.raises(LoadError, match="lock ran out"):
        await Loader(client, Held(), "demo").load(folder)
    assert await client.get(pointer_key("demo")) is None
    assert await client.get(lock_key("demo")) == b"somebody else"


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from services.gateway.knowledge.loader import Loader
from services.gateway.sessions.redis_port import connect
from tests.integration.gateway.knowledge.test_loader import marked
from services.gateway.knowledge.loader import Report
from tests.support.fake_embedder import FakeEmbedder

class Killer(FakeEmbedder):
    async def embed(self, texts, timeout_s=None):
        if len(self.texts) >= 128:
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(0.05 * len(self.texts) / 64)
        return await super().embed(texts, timeout_s)

async def main():
    await Loader(connect(sys.argv[1]), Killer(), "demo").load_documents(
        marked("dead", 400), Report())

asyncio.run(main())
"""


async def test_what_a_killed_loader_left_goes_with_the_next_load(
    client: aioredis.Redis, folder: Path, search_server: RedisServer
) -> None:
    loader = Loader(client, FakeEmbedder(), "demo")
    await loader.load(folder)
    command = [sys.executable, "-c", KILLED, search_server.url]
    killed = await asyncio.to_thread(subprocess.run, command, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = [key async for key in client.scan_iter("xiaoer:demo:knowledge:2*")]
    assert len(left) > 4
    knowledge = Knowledge(client, FakeEmbedder(), print)
    found = await knowledge.find("demo", "en", "time limit to return", None, TODAY)
    assert "7 days" in found[0].text
    with pytest.raises(LoadError, match="if it was killed"):
        await loader.load(folder)
    await client.delete(lock_key("demo"))  # as its time does
    await loader.load(folder, grace_s=0)
    await loader.remove_old(0)
    left = [key async for key in client.scan_iter("xiaoer:demo:knowledge:2*")]
    assert len(left) == 4
    assert len(await indexes(client)) == 1
    assert await keys(client) == {
        *(key.decode() for key in left),
        *(pointer_key("demo"), versions_key("demo"), epoch_key("demo")),
    } - {gaps_key("demo")}


async def test_without_the_search_module_nothing_is_embedded(tmp_path: Path, folder: Path) -> None:
    from services.gateway.sessions.redis_port import connect

    embedder = FakeEmbedder()
    with RedisServer(tmp_path) as server:
        plain = connect(server.url)
        with pytest.raises(LoadError, match="no search module"):
            await Loader(plain, embedder, "demo").load(folder)
        assert await plain.keys() == []
        await plain.aclose()
    assert embedder.texts == []
