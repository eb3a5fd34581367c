"""Percentiles and rows: what is counted as what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load.figures import Sample, groups, percentile, row, times


def sample(**changes: object) -> Sample:
    fields: dict[str, object] = {
        "status": 200,
        "started_s": 0.0,
        "ttft_s": 0.5,
        "full_s": 1.0,
        "asked_s": 1.0,
        "tools": ("query_inventory",),
        "source": "model",
        **changes,
    }
    return Sample(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("share", "rank"), [(0.5, 10), (0.95, 19), (0.99, 20), (1.0, 20), (0.05, 1), (0.001, 1)]
)
def test_a_percentile_is_a_measured_value_of_the_nearest_rank(share: float, rank: int) -> None:
    assert percentile([float(n) for n in range(1, 21)], share) == rank


@given(
    st.lists(st.floats(0, 100), min_size=1),
    st.floats(0.001, 1.0),
)
def test_at_least_the_share_of_values_is_not_above_the_percentile(
    values: list[float], share: float
) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= round(share * len(ordered), 9)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        percentile([1.0], share)


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_times_of_nothing_are_none() -> None:
    assert times([]).p99_s is None
    assert times([]).count == 0


def test_times_do_not_depend_on_the_order_of_samples() -> None:
    found = times([3.0, 1.0, 2.0])
    assert (found.mean_s, found.p50_s, found.p99_s, found.max_s) == (2.0, 2.0, 3.0, 3.0)


def test_failures_429s_and_degraded_answers_are_counted_apart() -> None:
    found = row(
        "hot",
        [
            sample(),
            sample(status=503, failure="HTTP 503: model_unavailable", ttft_s=None),
            sample(status=429, ttft_s=None, retry_after_s=1.0),
            sample(degraded=("memory",)),
        ],
    )
    assert (found.requests, found.failures, found.busy, found.degraded) == (4, 1, 1, 1)
    assert found.failed_for == {"HTTP 503: model_unavailable": 1}
    assert found.sources == {"model": 2}


def test_times_are_of_answered_requests_only() -> None:
    found = row("hot", [sample(full_s=1.0), sample(full_s=30.0, failure="missed deadline")])
    assert found.full.max_s == 1.0
    assert found.with_tool == 1


def test_retries_have_a_time_of_their_own_where_there_were_any() -> None:
    calm = row("hot", [sample()])
    busy = row("hot", [sample(status=429), sample(full_s=1.0, asked_s=4.0)])
    assert calm.asked is None
    assert busy.asked is not None
    assert (busy.full.max_s, busy.asked.max_s) == (1.0, 4.0)


def test_the_rate_is_over_the_time_from_first_sending_to_last_end() -> None:
    found = row("hot", [sample(started_s=10.0), sample(started_s=13.0)])
    assert found.per_s == pytest.approx(2 / 4)


def test_groups_are_rows_of_their_own() -> None:
    samples = [sample(group="zh", full_s=2.0), sample(group="en", full_s=1.0), sample()]
    assert groups(samples) == ["zh", "en"]
    assert row("one", samples, "zh").full.mean_s == 2.0
    assert row("one", samples).requests == 3


def test_a_row_of_nothing_is_all_zeros() -> None:
    found = row("hot", [])
    assert (found.requests, found.per_s, found.full.count) == (0, 0.0, 0)
