"""Names of the knowledge's keys, and the search index of a version.

Each load writes a version of its own, with an index of its own; the pointer says which is read.
"""

from datetime import date

import msgspec
import redis.asyncio as aioredis
from redis.commands.search.index_definition import IndexDefinition, IndexType
from redisvl.schema import IndexSchema  # type: ignore[import-untyped]

from services.gateway.identity.shops import Language

COMMON_CHUNKS = 4000
"""A word in more chunks than this is not looked for: twenty such words take Redis about 15 ms, in
which it does nothing else."""
ALWAYS_FROM = 0
ALWAYS_UNTIL = date.max.toordinal()


class Version(msgspec.Struct, frozen=True):
    """What the pointer holds, as JSON."""

    id: str
    model: str
    """Of the embedder; questions' vectors of another model are not compared with its own."""
    chunks: int
    documents: int
    loaded_at: str
    """ISO 8601, UTC."""
    common: tuple[str, ...] = ()
    """Words in so many chunks that they would be slow to look for, and tell little."""


def pointer_key(shop: str) -> str:
    """Return the key that says which version is read."""
    return f"xiaoer:{shop}:knowledge:version"


def versions_key(shop: str) -> str:
    """Return the sorted set of versions begun, by when each may be removed (Unix seconds)."""
    return f"xiaoer:{shop}:knowledge:versions"


def lock_key(shop: str) -> str:
    """Return the key that the one loader of a shop holds."""
    return f"xiaoer:{shop}:knowledge:loading"


def gaps_key(shop: str) -> str:
    """Return the stream of questions that nothing answered."""
    return f"xiaoer:{shop}:knowledge:gaps"


def epoch_key(shop: str) -> str:
    """Return the answer cache's epoch: answers of another one are not given again."""
    return f"xiaoer:{shop}:answers:epoch"


def prefix(shop: str, version: str) -> str:
    """Return what the keys of a version's chunks begin with; its index is called the same."""
    return f"xiaoer:{shop}:knowledge:{version}:"


def schema(shop: str, version: str, dimensions: int) -> IndexSchema:
    """Return the index of a version.

    Every vector is compared (FLAT): with 100,000 chunks that takes 13 ms. A graph (HNSW) took seven
    times as long to load and, with the filter by language and day, was slower to search
    (`python -m tests.eval.knowledge scale`). Vectors are kept at half width: as good for finding,
    half the memory.
    """
    vector = {
        "algorithm": "flat",
        "dims": dimensions,
        "distance_metric": "cosine",
        "datatype": "float16",
    }
    name = prefix(shop, version)
    return IndexSchema.from_dict(
        {
            "index": {"name": name, "prefix": name, "stopwords": []},
            "fields": [
                # A field a language, since a filter beside the words would spoil their score.
                {"name": "words_zh", "type": "text", "attrs": {"no_stem": True}},
                {"name": "words_en", "type": "text", "attrs": {"no_stem": True}},
                {"name": "language", "type": "tag"},
                {"name": "valid_from", "type": "numeric"},
                {"name": "valid_until", "type": "numeric"},
                {"name": "vector", "type": "vector", "attrs": vector},
            ],
        }
    )


def words_field(language: Language) -> str:
    """Return the field that holds the words of chunks in a language."""
    return f"words_{language}"


async def create_index(client: aioredis.Redis, made: IndexSchema) -> None:
    """Create an index.

    Plainly, since redisvl cannot leave the places of words out: with them, the module's score falls
    with the distance between the words of a question, which says nothing about an answer.

    Raises:
        RedisError: it cannot be made.
    """
    definition = IndexDefinition(  # type: ignore[no-untyped-call]
        prefix=[str(made.index.prefix)], index_type=IndexType.HASH
    )
    await client.ft(made.index.name).create_index(
        made.redis_fields, no_term_offsets=True, stopwords=[], definition=definition
    )
