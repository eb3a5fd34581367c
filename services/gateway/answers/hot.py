"""The most asked questions of a shop, how often they were hits, and why others never were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio as aioredis
from rich.table import Table

from services.gateway.answers import scripts

OFTEN = 3
"""Asked fewer times, a question is not worth a line of why it is not cached."""


@dataclass(frozen=True, slots=True)
class Hot:
    """A question, asked in whatever words.

    Attributes:
        text: as first kept; personal data masked.
        asked: how often, in the last seven days or since it was last asked.
        exact: of these, answered in the same words.
        similar: of these, answered to other words.
        not_cached: of these, not to be shared.
        why: the last reason.
    """

    text: str
    asked: int
    exact: int
    similar: int
    not_cached: int
    why: str

    @property
    def hit_rate(self) -> float:
        """Share of the questions that were answered from the cache."""
        return (self.exact + self.similar) / self.asked if self.asked else 0.0


async def hot_questions(client: aioredis.Redis, shop: str) -> list[Hot]:
    """Return a shop's questions that were asked more than once, most asked first.

    Raises:
        RedisError: Redis is away.
    """
    base = scripts.base(shop)
    scored: Any = await client.zrevrange(f"{base}:hot", 0, -1, withscores=True)
    about: Any = await client.hgetall(f"{base}:hot:about")
    found = [_hot(name.decode(), int(score), about) for name, score in scored]
    return [one for one in found if one.text]


def _hot(name: str, asked: int, about: Mapping[bytes, bytes]) -> Hot:
    def field(kind: str) -> str:
        return about.get(f"{name}:{kind}".encode(), b"").decode()

    return Hot(
        field("text"),
        asked,
        int(field("exact") or 0),
        int(field("similar") or 0),
        int(field("not") or 0),
        field("why"),
    )


def tables(shop: str, questions: Sequence[Hot], most: int) -> tuple[Table, Table]:
    """Return the most asked questions, and those asked often and never answered from the cache."""
    asked = Table(title=f"Most asked of shop {shop}, last seven days", title_justify="left")
    asked.add_column("question", overflow="fold")
    for column in ("asked", "hits, same words", "hits, other words", "hit rate"):
        asked.add_column(column, justify="right")
    for one in questions[:most]:
        counts = (str(one.asked), str(one.exact), str(one.similar), f"{one.hit_rate:.0%}")
        asked.add_row(one.text, *counts)
    never = Table(title="Asked often and never cached", title_justify="left")
    never.add_column("question", overflow="fold")
    never.add_column("asked", justify="right")
    never.add_column("why not")
    cold = [one for one in questions if one.asked >= OFTEN and not one.exact + one.similar]
    for one in cold[:most]:
        never.add_row(
            one.text, str(one.asked), REASONS.get(one.why, one.why or "no answer was kept")
        )
    return asked, never


REASONS = {
    "history": "the answer depended on what was said before",
    "private": "it needs the customer's own data, or a tool whose answers are not shared",
    "missed": "a tool found nothing, or could not be called",
    "unanswered": "there was no answer that could be confirmed",
    "degraded": "something was away when it was answered",
    "no_source": "the answer came from no tool and quoted no document",
    "empty": "the answer was empty, or good for no time",
}
