"""The figures of a run."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from services.gateway.rehearsal.gaps import Gap, gaps_of
from services.gateway.rehearsal.outcomes import OUTCOMES, Exchange, Outcome, Talk
from services.gateway.rehearsal.questions import BadRow


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A run, and what of it did not come to a reply."""

    shop: str
    gateway: str
    file: str
    started_at: str
    """ISO 8601, with the zone."""
    took_s: float
    concurrency: int
    questions: int
    """How many of the file could be asked."""
    bad_rows: list[BadRow] = []
    unread: list[str] = []
    anonymous: int = 0
    """Questions that name a customer and were asked without signing in."""
    anonymous_why: str = ""
    waits: int = 0
    """Times that a 429 was waited for."""
    left_behind: list[str] = []
    """Sessions that could not be deleted."""
    ended_by: str = ""
    """Why not everything was asked; empty where it was."""


class Cited(msgspec.Struct, frozen=True):
    """A document and how many answers quote it."""

    document: str
    title: str
    count: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a report begins with. All counts are of questions."""

    asked: int
    outcomes: dict[Outcome, int]
    sources: list[tuple[str, int]]
    """Of what was answered, as tools and documents are; all lists begin with the most frequent."""
    tools: list[tuple[str, int]]
    degraded: list[tuple[str, int]]
    errors: list[tuple[str, int]]
    documents: list[Cited]
    gaps: list[Gap]
    partly: int
    after_handover: int
    p50_s: float | None
    p95_s: float | None

    def share(self, count: int) -> float:
        """Return a count's share of all questions asked, 0 to 1."""
        return count / self.asked if self.asked else 0.0


def summarise(talks: Sequence[Talk]) -> Summary:
    """Return the figures of what was asked."""
    all_asked = [exchange for talk in talks for exchange in talk.exchanges]
    answered = [exchange for exchange in all_asked if exchange.outcome == "answered"]
    outcomes = Counter(exchange.outcome for exchange in all_asked)
    replied = sorted(one.seconds for one in all_asked if one.outcome != "error")
    return Summary(
        asked=len(all_asked),
        outcomes={outcome: outcomes[outcome] for outcome in OUTCOMES},
        sources=_ranked(one.source for one in answered),
        tools=_ranked(tool for one in answered for tool in dict.fromkeys(one.tools)),
        degraded=_ranked(what for one in all_asked for what in one.degraded),
        errors=_ranked(one.error for one in all_asked if one.error),
        documents=_documents(answered),
        gaps=gaps_of(all_asked),
        partly=sum(one.partly for one in all_asked),
        after_handover=sum(one.after_handover for one in all_asked),
        p50_s=percentile(replied, 0.5),
        p95_s=percentile(replied, 0.95),
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile of sorted values; None where there are none."""
    return values[max(1, math.ceil(share * len(values))) - 1] if values else None


def _documents(exchanges: Iterable[Exchange]) -> list[Cited]:
    counts: Counter[str] = Counter()
    titles: dict[str, str] = {}
    for exchange in exchanges:
        cited = {one.get("document", ""): one.get("title", "") for one in exchange.citations}
        counts.update(cited.keys())
        titles |= cited
    return [Cited(name, titles[name] or name, count) for name, count in _ranked_counts(counts)]


def _ranked(values: Iterable[str]) -> list[tuple[str, int]]:
    return _ranked_counts(Counter(values))


def _ranked_counts(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
