"""What rounds of measuring add up to: latencies, rates, CPU, and what one stage adds to another."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.load.bench.generator import Volley
from tests.load.figures import percentile


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked, over how many connections."""

    streamed: bool
    connections: int

    @property
    def name(self) -> str:
        """As shown."""
        return f"{'stream' if self.streamed else 'plain'} × {self.connections}"


@dataclass(slots=True)
class Tally:
    """All rounds of one case against one stage.

    Attributes:
        round_p50_s: each round's median, to see how much rounds differ.
        cpu_s: CPU seconds of the stage's own processes; 0 where they are not looked at.
        generator_s: CPU seconds of the load generator.

    """

    full_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    round_p50_s: list[float] = field(default_factory=list)
    events: int = 0
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    generator_s: float = 0.0
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, volley: Volley, cpu_s: float, generator_s: float) -> None:
        """Add a round."""
        self.full_s += volley.full_s
        self.first_s += volley.first_s
        self.events += volley.events
        self.elapsed_s += volley.elapsed_s
        self.cpu_s += cpu_s
        self.generator_s += generator_s
        self.wrong.update(volley.wrong)
        if volley.full_s:
            self.round_p50_s.append(percentile(sorted(volley.full_s), 0.5))

    @property
    def failures(self) -> int:
        """How many replies were not complete and right."""
        return sum(self.wrong.values())

    @property
    def per_s(self) -> float:
        """Right replies a second."""
        return len(self.full_s) / self.elapsed_s if self.elapsed_s else 0.0

    def p_ms(self, share: float) -> float:
        """Return a percentile of the full time in milliseconds; NaN where nothing came."""
        return percentile(sorted(self.full_s), share) * 1000 if self.full_s else float("nan")

    def first_ms(self, share: float) -> float:
        """Return a percentile of the time to first content in milliseconds."""
        return percentile(sorted(self.first_s), share) * 1000 if self.first_s else float("nan")

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds of the stage per right reply; 0 where it is not looked at."""
        return self.cpu_s * 1000 / len(self.full_s) if self.full_s else 0.0

    @property
    def per_core_s(self) -> float:
        """Right replies per second of the stage's CPU; 0 where it is not looked at."""
        return len(self.full_s) / self.cpu_s if self.cpu_s else 0.0

    def as_json(self, chunks: int) -> dict[str, Any]:
        """Return the figures as plain values; `chunks`: of the model, in each stream."""
        streams = {
            "first_p50_ms": self.first_ms(0.5),
            "model_chunks_per_s": self.per_s * chunks,
            "events_per_s": self.events / self.elapsed_s if self.elapsed_s else 0.0,
        }
        return {
            "requests": len(self.full_s),
            "failures": dict(self.wrong),
            "p50_ms": self.p_ms(0.5),
            "p99_ms": self.p_ms(0.99),
            "round_p50_ms": [value * 1000 for value in self.round_p50_s],
            "per_s": self.per_s,
            "cpu_ms": self.cpu_ms,
            "per_core_s": self.per_core_s,
            "generator_cpu_share": self.generator_s / self.elapsed_s if self.elapsed_s else 0.0,
            **(streams if self.first_s else {}),
        }


@dataclass(frozen=True, slots=True)
class Added:
    """What a stage adds to the one below it, and the share of its rate that it keeps."""

    p50_ms: float
    p99_ms: float
    rate_share: float


def added(above: Tally, below: Tally) -> Added:
    """Compare two stages that were measured in turns."""
    return Added(
        above.p_ms(0.5) - below.p_ms(0.5),
        above.p_ms(0.99) - below.p_ms(0.99),
        above.per_s / below.per_s if below.per_s else float("nan"),
    )


def in_turns(stages: Sequence[str], round_number: int) -> list[str]:
    """Return the order of a round; every other one is backwards: no stage is always first."""
    return list(stages) if round_number % 2 == 0 else list(reversed(stages))
