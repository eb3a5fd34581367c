import argparse
from pathlib import Path

import pytest
import yaml
from vllm_router.router_args import RouterArgs  # type: ignore[import-untyped]

from deploy.local.credentials import load_credentials
from deploy.local.settings import load_settings
from deploy.local.units import (
    ASSEMBLED_MARK,
    DEMO_KNOWLEDGE_CHARS,
    Unit,
    node_cores,
    plan_units,
    service_environment,
)
from tests.support.stack import ROOT


def plan(folder: Path, **variables: str) -> dict[str, Unit]:
    settings = load_settings({"DATA_DIR": str(folder), **variables})
    return {unit.name: unit for unit in plan_units(settings, load_credentials(folder / "s"))}


def test_the_first_start_imports_the_sample_and_assembles_the_model(tmp_path: Path) -> None:
    units = plan(tmp_path)
    first = ["sample shop", "redis", "model", "node-1", "router", "embedder"]
    assert list(units) == [*first, "tools", "gateway"]
    assert units["node-1"].after == ("model",)
    assert units["tools"].after == ("sample shop",)


def test_the_sample_is_imported_once_per_database(tmp_path: Path) -> None:
    mark = plan(tmp_path)["sample shop"].mark
    assert mark is not None
    mark.touch()
    assert "sample shop" not in plan(tmp_path)
    assert "sample shop" in plan(tmp_path, DATABASE_URL="postgresql+asyncpg://elsewhere/shop")


def test_the_sample_documents_are_loaded_once_and_into_no_redis_of_the_users(
    tmp_path: Path,
) -> None:
    assert "sample documents" not in plan(tmp_path), "too many for the demonstration model"
    elsewhere = {"MODEL_URL": "http://x/v1"}
    assert "sample documents" not in plan(tmp_path, REDIS_URL="redis://elsewhere", **elsewhere)
    step = plan(tmp_path, **elsewhere)["sample documents"]
    assert step.after == ("redis", "embedder")
    assert step.mark is not None
    step.mark.touch()
    assert "sample documents" not in plan(tmp_path, **elsewhere)


def test_only_the_demonstration_model_gets_short_passages(tmp_path: Path) -> None:
    assert plan(tmp_path)["gateway"].env["KNOWLEDGE_CHARS"] == DEMO_KNOWLEDGE_CHARS
    assert plan(tmp_path, KNOWLEDGE_CHARS="900")["gateway"].env["KNOWLEDGE_CHARS"] == "900"
    assert "KNOWLEDGE_CHARS" not in plan(tmp_path, MODEL_URL="http://x/v1")["gateway"].env


def test_a_command_beside_the_services_finds_them(tmp_path: Path) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path)})
    found = service_environment(settings)
    assert found["REDIS_URL"] == plan(tmp_path)["gateway"].env["REDIS_URL"]
    assert "GATEWAY_URL" not in found
    settings.state_file.touch()
    assert service_environment(settings)["GATEWAY_URL"] == "http://127.0.0.1:8080"


def test_a_model_that_we_did_not_make_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "cpu-demo"
    folder.mkdir(parents=True)
    assert "model" not in plan(tmp_path)
    (folder / ASSEMBLED_MARK).touch()
    assert "model" in plan(tmp_path)


def test_an_endpoint_elsewhere_needs_neither_node_nor_router(tmp_path: Path) -> None:
    units = plan(tmp_path, MODEL_URL="http://10.0.0.9:8000/v1", REDIS_URL="redis://10.0.0.8/0")
    assert list(units) == ["sample shop", "embedder", "tools", "gateway"]
    assert units["gateway"].env["MODEL_URL"] == "http://10.0.0.9:8000/v1"
    assert units["gateway"].env["REDIS_URL"] == "redis://10.0.0.8/0"


def test_the_gateway_stops_first_and_redis_last(tmp_path: Path) -> None:
    ranks = {name: unit.stop_rank for name, unit in plan(tmp_path).items() if unit.probe}
    assert min(ranks, key=lambda name: ranks[name]) == "gateway"
    assert max(ranks, key=lambda name: ranks[name]) == "redis"
    assert ranks["node-1"] > ranks["router"]


def test_the_router_understands_its_flags(tmp_path: Path) -> None:
    argv = list(plan(tmp_path, NODES="2")["router"].argv)
    parser = argparse.ArgumentParser()
    RouterArgs.add_cli_args(parser)
    flags = parser.parse_args(argv[argv.index("vllm_router.launch_router") + 1 :])
    assert flags.policy == "sticky_least_loaded"
    assert flags.worker_urls == ["http://127.0.0.1:8101", "http://127.0.0.1:8102"]
    assert flags.health_check_interval_secs == 1
    assert flags.cb_failure_threshold == 2
    assert flags.cb_timeout_duration_secs <= 5
    assert flags.retry_max_retries <= 2


def test_redis_listens_at_home_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    argv = " ".join(plan(tmp_path)["redis"].argv)
    assert "--bind 127.0.0.1 " in argv
    assert "--appendonly yes" in argv
    assert Path(plan(tmp_path)["redis"].argv[0]).is_file()


def test_two_nodes_share_no_core(tmp_path: Path) -> None:
    units = plan(tmp_path, NODES="2")
    assert units["node-1"].env["INFERENCE_PORT"] != units["node-2"].env["INFERENCE_PORT"]
    assert "INFERENCE_CPUS" in units["node-1"].env
    assert "INFERENCE_CPUS" not in plan(tmp_path)["node-1"].env


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        ([0, 1], ["0", "1"]),
        ([0, 1, 2, 3], ["0,1", "2,3"]),
        ([4, 6, 7], ["4", "6"]),
        ([0], ["0", "0"]),
    ],
)
def test_cores_are_split_evenly(cores: list[int], expected: list[str]) -> None:
    assert [node_cores(cores, 2, index) for index in range(2)] == expected


def test_secrets_are_not_on_a_command_line(tmp_path: Path) -> None:
    secret = load_credentials(tmp_path / "s").service_token_secret
    for unit in plan(tmp_path, REDIS_URL="redis://:hunter2@x/0").values():
        assert secret not in " ".join(unit.argv)
        assert "hunter2" not in " ".join(unit.argv)
        assert secret not in repr(unit)


def test_the_demo_shops_policies_are_short_sentences_in_both_languages() -> None:
    shop = yaml.safe_load((ROOT / "deploy/local/shops.yaml").read_text("utf-8"))["shops"]["demo"]
    chinese, english = shop["policies"]["zh"], shop["policies"]["en"]
    assert len(chinese) == len(english) == 9
    assert all(len(line) <= 28 and line.endswith("。") for line in chinese)
    assert all(len(line.split()) <= 18 and line.endswith(".") for line in english)
