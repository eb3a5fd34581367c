import json
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.build import FOLDER, files
from tests.unit.observability.boards import GRAFANA, Target, boards, filled, targets
from tests.unit.observability.promql import functions, metrics

BOARDS = boards()
TARGETS = targets()


def test_the_committed_json_is_what_the_code_builds() -> None:
    committed = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    assert committed == files(), "run `python -m deploy.grafana` and commit what it writes"


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_grafanas_own_model_reads_it_back(board: dict[str, Any]) -> None:
    register_default_plugins()
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    assert read == board


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_query_is_promql_and_invents_no_data(target: Target) -> None:
    assert "$" not in target.expr
    assert metrics(target.expr)
    assert functions(target.expr).isdisjoint({"vector", "absent", "scalar"})


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_panels_say_what_they_show_and_fill_their_row(board: dict[str, Any]) -> None:
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert panels
    for panel in panels:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


def test_dashboards_use_the_data_source_that_is_provisioned() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())
    (source,) = provisioned["datasources"]
    used = {
        (part["datasource"]["type"], part["datasource"]["uid"])
        for board in BOARDS.values()
        for panel in board["panels"]
        for part in (panel, *panel.get("targets", ()))
        if part.get("type") != "row"
    }
    assert used == {(source["type"], source["uid"])}


def test_the_dashboards_folder_is_provisioned() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning/dashboards/xiaoer.yaml").read_text())
    (provider,) = provisioned["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "$XIAOER_DASHBOARDS"


def test_each_subject_of_the_issue_has_its_panels() -> None:
    titles = {name: {panel["title"] for panel in board["panels"]} for name, board in BOARDS.items()}
    assert titles["shop"] >= {
        *("Automation rate, 24 h", "Handed to a person, by reason"),
        *("Cache hit rate", "Time to first words"),
    }
    assert titles["nodes"] >= {"KV cache in use", "Queue", "Prefix cache hits"}
    assert titles["reliability"] >= {"Availability burn", "Latency burn"}


def test_variables_are_filled_in() -> None:
    assert filled('rate(a{shop=~"$shop"}[$__rate_interval])') == 'rate(a{shop=~".*"}[1m])'
