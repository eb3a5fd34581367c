import pytest

from services.inference.errors import PlanRefusedError
from services.inference.host import Card, HostMemory
from services.inference.modelfiles import ModelFolder
from services.inference.plan import make_plan
from services.inference.profiles import all_profiles, get_profile
from services.inference.profiles.types import GIB, GpuTarget, KvShape

EDGE_HOST = HostMemory(total_bytes=16 * GIB, available_bytes=None)
EDGE_CARD = Card(name="RTX 3060", total_bytes=12 * GIB, free_bytes=None)


def test_a_token_costs_what_the_model_card_says() -> None:
    edge = get_profile("edge-gpu")
    assert edge.kv.bytes_per_token("auto") == 57_344
    assert edge.kv.bytes_per_token("fp8") == 28_672
    assert get_profile("cpu-demo").kv.bytes_per_token("auto") == 23_040


def test_every_profile_for_a_card_fits_twelve_gib_and_a_sixteen_gib_host() -> None:
    plans = {
        profile.name: make_plan(profile, EDGE_HOST, EDGE_CARD)
        for profile in all_profiles()
        if isinstance(profile.target, GpuTarget)
    }
    assert len(plans) == 5
    assert all(plan.refusals == () for plan in plans.values())
    assert all(plan.full_sequences >= 1 for plan in plans.values())


def test_the_guard_fits_a_card_of_four_gib_with_one_longest_message() -> None:
    plan = make_plan(get_profile("guard"), EDGE_HOST)
    assert plan.refusals == ()
    assert plan.full_sequences == 1
    assert get_profile("guard").kv.bytes_per_token("auto") == 114_688
    assert "UNVERIFIED" in plan.table()


def test_the_long_profile_holds_one_sequence_of_131072_tokens() -> None:
    plan = make_plan(get_profile("edge-gpu-long"), EDGE_HOST, EDGE_CARD)
    assert plan.full_sequences == 1
    assert plan.kv_tokens >= 131_072
    assert "UNVERIFIED" in plan.table()


def test_the_arithmetic_of_the_production_profile_adds_up() -> None:
    plan = make_plan(get_profile("edge-gpu"), EDGE_HOST, EDGE_CARD)
    sizes = {row.label: row.size_bytes or 0 for row in plan.rows}
    left = (
        sizes["card"] + sizes["- CUDA context, display"] + sizes["- weights"] + sizes["- workspace"]
    )
    assert sizes["= KV cache"] == left
    assert plan.kv_tokens == left // 57_344
    assert plan.typical_sequences == 32


def test_a_small_card_is_refused_with_the_arithmetic() -> None:
    card = Card(name="GTX 1660", total_bytes=6 * GIB, free_bytes=None)
    plan = make_plan(get_profile("edge-gpu"), EDGE_HOST, card)
    with pytest.raises(PlanRefusedError) as caught:
        plan.enforce()
    assert "short of one sequence of 16,384 tokens" in str(caught.value)
    assert "weights" in caught.value.table
    assert "GTX 1660" in caught.value.table


def test_a_card_that_others_use_is_refused() -> None:
    card = Card(name="RTX 3060", total_bytes=12 * GIB, free_bytes=9 * GIB)
    plan = make_plan(get_profile("edge-gpu"), EDGE_HOST, card)
    assert len(plan.refusals) == 1
    assert "9.00 GiB of the card are free" in plan.refusals[0]


def test_a_small_host_is_refused_and_a_stated_one_counts_the_other_services() -> None:
    host = HostMemory(total_bytes=8 * GIB, available_bytes=None)
    plan = make_plan(get_profile("edge-gpu"), host, EDGE_CARD)
    assert any("The host is" in reason for reason in plan.refusals)
    assert any("other services" in row.label for row in plan.rows)


def test_the_available_memory_decides_on_a_real_host() -> None:
    enough = HostMemory(total_bytes=8 * GIB, available_bytes=4 * GIB)
    short = HostMemory(total_bytes=8 * GIB, available_bytes=3 * GIB)
    demo = get_profile("cpu-demo")
    assert make_plan(demo, enough).refusals == ()
    assert len(make_plan(demo, short).refusals) == 1
    assert len(make_plan(demo, enough, kv_gib=3).refusals) == 1


def test_the_files_on_disk_replace_the_stated_figures() -> None:
    folder = ModelFolder(
        weights_bytes=7 * GIB,
        largest_file_bytes=7 * GIB,
        kv=KvShape(layers=64, kv_heads=8, head_dim=128),
    )
    plan = make_plan(get_profile("edge-gpu"), EDGE_HOST, EDGE_CARD, folder)
    assert "as on disk" in plan.table()
    assert any("short of one sequence" in reason for reason in plan.refusals)


def test_a_kv_cache_that_holds_no_full_sequence_names_the_setting() -> None:
    folder = ModelFolder(
        weights_bytes=GIB // 4,
        largest_file_bytes=GIB // 4,
        kv=KvShape(layers=64, kv_heads=32, head_dim=128),
    )
    host = HostMemory(total_bytes=64 * GIB, available_bytes=60 * GIB)
    plan = make_plan(get_profile("cpu-demo"), host, folder=folder)
    assert any("INFERENCE_KV_GIB=4" in reason for reason in plan.refusals)
