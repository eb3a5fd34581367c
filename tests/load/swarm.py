"""Plays scenarios with Locust.

Importing this module makes sockets cooperative in the whole process (Locust's gevent patch), so
only `python -m tests.load` imports it, before anything else that talks.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import gevent  # type: ignore[import-untyped]  # its stubs are a package of their own
import gevent.event  # type: ignore[import-untyped]
from locust import User, task
from locust.env import Environment
from locust.exception import StopUser
from locust.html import get_html_report
from locust.stats import stats_history

from tests.load.client import SLACK_S, ask
from tests.load.figures import Sample
from tests.load.resources import Meter, Usage
from tests.load.scenarios import Scenario, Step
from tests.load.target import Target

SEED = 20_241_201
SAMPLE_EVERY_S = 2.0
TELL_EVERY_S = 5.0
UNHURRIED_S = 600.0
"""How long a scenario without a duration of its own may take."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a scenario.

    Attributes:
        samples: every request that ended.
        faults: errors of the load generator itself; nothing can be said where there are any.
        usage: each service's cost.
        html: Locust's report.
        unfinished: whether it was cut off before its behaviour ended.

    """

    samples: list[Sample]
    faults: list[str]
    usage: list[Usage]
    html: str
    unfinished: bool


class Swarm:
    """Plays scenarios against one gateway.

    Args:
        target: the gateway.
        deadline_s: an answer that ends later counts as failed.
        tell: shows a line of progress.

    """

    def __init__(self, target: Target, deadline_s: float, tell: Callable[[str], None]) -> None:
        self._target = target
        self._deadline_s = deadline_s
        self._tell = tell

    def play(self, scenario: Scenario) -> Played:
        """Run a scenario to its end, questions under way included."""
        self._tell(f"{scenario.name}: {scenario.about}")
        samples: list[Sample] = []
        ended = gevent.event.Event()
        environment = Environment(
            user_classes=[self._user_class(scenario, samples, ended)],
            host=self._target.url,
            # Who has asked gets to hear the answer: the slow ones must not go uncounted.
            stop_timeout=self._deadline_s + 2 * SLACK_S,
        )
        runner = environment.create_local_runner()
        history = gevent.spawn(stats_history, runner)
        meter = Meter(self._target.processes)
        runner.start(scenario.users, spawn_rate=scenario.users)
        self._watch(scenario, samples, ended, meter)
        runner.stop()
        usage = meter.usage()
        html = get_html_report(environment, show_download_link=False)  # type: ignore[no-untyped-call]
        faults = [str(fault["msg"]) for fault in runner.exceptions.values()]
        runner.quit()
        history.kill()
        unfinished = scenario.seconds is None and not ended.is_set()
        return Played(samples, faults, usage, html, unfinished)

    def _watch(
        self, scenario: Scenario, samples: list[Sample], ended: gevent.event.Event, meter: Meter
    ) -> None:
        """Wait until the scenario's time is over or its behaviour ends; sample and tell."""
        began = time.monotonic()
        limit_s = scenario.seconds or UNHURRIED_S
        told = began
        while (elapsed := time.monotonic() - began) < limit_s:
            if ended.wait(min(SAMPLE_EVERY_S, limit_s - elapsed)):
                return
            meter.sample()
            if time.monotonic() - told >= TELL_EVERY_S:
                told = time.monotonic()
                self._tell(progress(scenario, samples, told - began))

    def _user_class(
        self, scenario: Scenario, samples: list[Sample], ended: gevent.event.Event
    ) -> type[User]:
        callers = {
            signed_in: self._target.caller(signed_in=signed_in, deadline_s=self._deadline_s)
            for signed_in in (False, True)
        }
        seeds = random.Random(SEED)

        class Shopper(User):
            """One user: takes a step, waits, takes the next."""

            def on_start(self) -> None:
                self._steps = scenario.behaviour(random.Random(seeds.random()))
                self._again: Step | None = None
                self._first_asked_s = 0.0
                self._pause_s = 0.0

            def wait_time(self) -> float:
                return self._pause_s

            @task
            def step(self) -> None:
                step = self._again or next(self._steps, None)
                if step is None:
                    ended.set()
                    raise StopUser
                now = time.perf_counter()
                if self._again is None:
                    self._first_asked_s = now
                sample = ask(callers[step.signed_in], step.text, step.session, step.group)
                waited_s = sample.started_s - self._first_asked_s
                sample = replace(sample, asked_s=waited_s + sample.full_s)
                samples.append(sample)
                self._again = step if sample.busy else None
                self._pause_s = sample.retry_after_s if sample.busy else step.pause_s
                self._show(sample)

            def _show(self, sample: Sample) -> None:
                """Tell Locust, for its report. To it, a 429 is neither answer nor failure."""
                fire = self.environment.events.request.fire
                rows = [("full", sample.full_s)]
                if sample.ttft_s is not None:
                    rows.append(("first token", sample.ttft_s))
                name = scenario.name + (f" {sample.group}" if sample.group else "")
                for kind, seconds in rows:
                    fire(
                        request_type="429" if sample.busy else kind,
                        name=name,
                        response_time=seconds * 1000,
                        response_length=len(sample.text.encode()),
                        exception=RuntimeError(sample.failure) if sample.failure else None,
                        context={},
                    )

        return Shopper


def progress(scenario: Scenario, samples: list[Sample], elapsed_s: float) -> str:
    """Return a line that says how far a scenario is."""
    answered = sum(one.answered for one in samples)
    failures = sum(one.failure is not None for one in samples)
    busy = sum(one.busy for one in samples)
    limit = f"/{scenario.seconds:.0f}" if scenario.seconds else ""
    return (
        f"{scenario.name}: {elapsed_s:.0f}{limit} s, answers {answered}, failures {failures}, "
        f"429s {busy}"
    )
