"""The loader: a folder of documents becomes the version of the knowledge that questions read.

Only texts that changed are embedded; vectors of the others are taken from the version before.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import NamedTuple, Protocol

import numpy as np
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from services.gateway.embedder import EmbedderAwayError
from services.gateway.knowledge.chunks import Chunk, chunks_of
from services.gateway.knowledge.documents import BrokenFileError, Document
from services.gateway.knowledge.index import (
    ALWAYS_FROM,
    ALWAYS_UNTIL,
    COMMON_CHUNKS,
    Version,
    create_index,
    prefix,
    schema,
    words_field,
)
from services.gateway.knowledge.parsers import PARSERS, read_file
from services.gateway.knowledge.versions import GRACE_S, LoadError, Versions
from services.gateway.knowledge.words import words_of

BATCH = 64
"""Texts of one request to the embedder and of one write to Redis."""
CONCURRENT = 4
"""Batches under way: each core of the embedder has one, and one waits."""
_TRIES = 3
_PAUSE_S = 1.0
_HALF_BYTES = 2


class Vectors(Protocol):
    """What the loader asks of the embedder."""

    @property
    def model(self) -> str:
        """The model's name."""

    async def embed(self, texts: Sequence[str], timeout_s: float | None = None) -> list[bytes]:
        """Return a vector for each text: little-endian float32, of length 1.

        Raises:
            EmbedderAwayError: there are none.
        """


@dataclass(slots=True)
class Report:
    """What a load came to.

    Attributes:
        broken: files that were left out, with the reason.
        passed_over: files of kinds that are not read.
        seconds: for reading, embedding and writing.
    """

    documents: int = 0
    chunks: int = 0
    reused: int = 0
    seconds: float = 0.0
    broken: list[tuple[str, str]] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    old: str | None = None


Progress = Callable[[int, int], object]
"""Told after each step: bytes of files done since the last, and chunks loaded in all."""


class _Row(NamedTuple):
    """A chunk, the document it is of, and that one's number and count of chunks."""

    document: Document
    number: int
    chunk: Chunk
    chunks: int
    share_bytes: float
    """Of the document's file."""


def files_in(folder: Path) -> tuple[list[PurePath], list[str]]:
    """Return files to read and files of other kinds, relative to the folder, sorted."""
    known, others = [], []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if not path.is_file() or any(part.startswith((".", "~$")) for part in relative.parts):
            continue
        if path.suffix.lower() in PARSERS:
            known.append(PurePath(relative))
        else:
            others.append(relative.as_posix())
    return known, others


class Loader:
    """Loads the documents of one shop.

    Args:
        client: of Redis, with the search module.
        embedder: gives the vectors.
        shop: whose documents they are.
    """

    def __init__(self, client: aioredis.Redis, embedder: Vectors, shop: str) -> None:
        self._client = client
        self._embedder = embedder
        self._shop = shop
        self._versions = Versions(client, shop)
        self._holders: Counter[str] = Counter()

    async def load(
        self, folder: Path, progress: Progress = lambda *_: None, grace_s: float = GRACE_S
    ) -> Report:
        """Load a folder and let questions read it; the version before stays for `grace_s`.

        Raises:
            LoadError: nothing could be loaded, or another loader is at work; says which.
        """
        report = Report()
        files, report.passed_over = files_in(folder)
        documents = _read(folder, files, report, progress)
        try:
            return await self.load_documents(documents, report, progress, grace_s)
        except EmbedderAwayError as exc:
            raise LoadError(f"Nothing was changed: {exc}. See EMBEDDINGS_URL.") from exc
        except (RedisError, OSError) as exc:
            raise LoadError(
                f"Nothing was changed: Redis {type(exc).__name__}: {exc}. It must be there, with "
                "its search module; see REDIS_URL."
            ) from exc

    async def load_documents(
        self,
        documents: Iterable[tuple[Document, int]],
        report: Report,
        progress: Progress = lambda *_: None,
        grace_s: float = GRACE_S,
    ) -> Report:
        """Load documents, each with its size in bytes, as they come; see `load`."""
        async with self._versions.only_loader():
            await self._versions.check()
            await self._versions.remove(await self._versions.removable())
            started = time.monotonic()
            before = await self._versions.present()
            version = await self._versions.begin()
            self._holders.clear()
            try:
                known = await self._known(before)
                dimensions = await self._write(version, documents, known, report, progress)
                await self._switch(version, dimensions, report, grace_s)
            except (LoadError, EmbedderAwayError):
                await self._versions.remove([version])
                raise
            report.seconds = time.monotonic() - started
            report.old = before.id if before else None
        return report

    async def _switch(self, version: str, dimensions: int, report: Report, grace_s: float) -> None:
        """Index what was written, then let questions read it."""
        if not report.chunks:
            reasons = "".join(f"\n{path}: {reason}" for path, reason in report.broken)
            raise LoadError(
                f"There was nothing to load; the documents from before, if any, stay.{reasons}"
            )
        await create_index(self._client, schema(self._shop, version, dimensions))
        await self._versions.indexed(version, report.chunks)
        loaded_at = datetime.now(UTC).isoformat(timespec="seconds")
        model = self._embedder.model
        common = tuple(word for word, count in self._holders.items() if count > COMMON_CHUNKS)
        made = Version(version, model, report.chunks, report.documents, loaded_at, common)
        await self._versions.swap(made, grace_s)

    async def remove_old(self, grace_s: float = GRACE_S) -> None:
        """Wait until nobody reads the version before, then remove it.

        The lock is not held while waiting: another load may begin, and it then does this instead.
        """
        await asyncio.sleep(grace_s)
        try:
            async with self._versions.only_loader():
                await self._versions.remove(await self._versions.removable())
        except LoadError:
            return

    async def _write(
        self,
        version: str,
        documents: Iterable[tuple[Document, int]],
        known: dict[str, bytes],
        report: Report,
        progress: Progress,
    ) -> int:
        """Write all chunks; return how many numbers a vector has."""
        dimensions = 0

        async def write(rows: list[_Row]) -> None:
            nonlocal dimensions
            vectors, reused = await self._vectors(rows, known)
            dimensions = len(vectors[0]) // _HALF_BYTES
            await self._store(version, rows, vectors)
            report.chunks += len(rows)
            report.reused += reused
            progress(round(sum(row.share_bytes for row in rows)), report.chunks)

        running: set[asyncio.Task[None]] = set()
        try:
            for rows in _batches(documents, report):
                running.add(asyncio.create_task(write(rows)))
                while len(running) >= CONCURRENT:
                    done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return dimensions

    async def _known(self, before: Version | None) -> dict[str, bytes]:
        """Return where the vector of each text of the version before is, by the text's digest."""
        known: dict[str, bytes] = {}
        if before is None or before.model != self._embedder.model:
            return known
        async for keys in self._versions.keys(before.id):
            pipe = self._client.pipeline(transaction=False)
            for key in keys:
                pipe.hget(key, "digest")
            digests = await pipe.execute()
            known |= {digest.decode(): key for digest, key in zip(digests, keys, strict=True)}
        return known

    async def _vectors(self, rows: list[_Row], known: dict[str, bytes]) -> tuple[list[bytes], int]:
        """Return the vectors of chunks at half width, and how many needed no embedding."""
        digests = [row.chunk.digest(self._embedder.model) for row in rows]
        pipe = self._client.pipeline(transaction=False)
        for digest in digests:
            if digest in known:
                pipe.hget(known[digest], "vector")
        kept = iter(await pipe.execute())
        vectors: list[bytes | None] = [next(kept) if name in known else None for name in digests]
        missing = [place for place, vector in enumerate(vectors) if vector is None]
        if missing:
            made = await self._embed([rows[place].chunk.spoken for place in missing])
            for place, vector in zip(missing, made, strict=True):
                vectors[place] = half(vector)
        return [vector for vector in vectors if vector is not None], len(rows) - len(missing)

    async def _embed(self, texts: list[str]) -> list[bytes]:
        for attempt in range(1, _TRIES):
            try:
                return await self._embedder.embed(texts)
            except EmbedderAwayError:
                await asyncio.sleep(_PAUSE_S * attempt)
        return await self._embedder.embed(texts)

    async def _store(self, version: str, rows: list[_Row], vectors: list[bytes]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for row, vector in zip(rows, vectors, strict=True):
            document, chunk = row.document, row.chunk
            words = _words(document, chunk)
            self._holders.update(set(words))
            first, last = document.valid_from, document.valid_until
            pipe.hset(
                f"{prefix(self._shop, version)}{row.number}:{chunk.order}",
                mapping={
                    "document": document.path,
                    "title": document.title,
                    "heading": chunk.heading,
                    "text": chunk.text,
                    "language": document.language,
                    words_field(document.language): " ".join(words),
                    "valid_from": first.toordinal() if first else ALWAYS_FROM,
                    "valid_until": last.toordinal() if last else ALWAYS_UNTIL,
                    "chunks": row.chunks,
                    "digest": chunk.digest(self._embedder.model),
                    "vector": vector,
                },
            )
        await pipe.execute()


def _words(document: Document, chunk: Chunk) -> list[str]:
    """Return what a chunk is found by: its heading counts twice, its document's title once."""
    return words_of(f"{chunk.leaf} {chunk.leaf} {document.title} {chunk.text}")


def half(vector: bytes) -> bytes:
    """Return a vector of 32-bit numbers as one of 16-bit numbers."""
    return np.frombuffer(vector, "<f4").astype("<f2").tobytes()


def _batches(documents: Iterable[tuple[Document, int]], report: Report) -> Iterator[list[_Row]]:
    batch: list[_Row] = []
    for number, (document, size) in enumerate(documents):
        report.documents += 1
        chunks = chunks_of(document)
        for chunk in chunks:
            batch.append(_Row(document, number, chunk, len(chunks), size / len(chunks)))
            if len(batch) == BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _read(
    folder: Path, files: Iterable[PurePath], report: Report, progress: Progress
) -> Iterator[tuple[Document, int]]:
    """Yield the documents of files with their sizes; note those that cannot be read."""
    for path in files:
        size = (folder / path).stat().st_size if (folder / path).exists() else 0
        try:
            yield read_file(folder, path), size
        except BrokenFileError as exc:
            report.broken.append((path.as_posix(), str(exc)))
            progress(size, report.chunks)
