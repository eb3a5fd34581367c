from pathlib import Path

import pytest

from deploy.local.errors import SettingsError
from deploy.local.settings import load_settings, ports


def test_defaults_are_the_documented_ports(tmp_path: Path) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path)})
    assert {name: port for name, (_, port, _) in ports(settings).items()} == {
        "gateway": 8080,
        "tools": 8081,
        "embedder": 8083,
        "router": 8082,
        "router's metrics": 9082,
        "node-1": 8101,
        "redis": 6390,
    }
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/shop.db"
    assert settings.model_dir == tmp_path / "models"


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path), "NODES": "", "MODEL_URL": " "})
    assert settings.nodes == 1
    assert settings.model_url is None


def test_services_get_the_data_folder_as_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"DATA_DIR": "here"})
    assert settings.environ["DATA_DIR"] == str(tmp_path / "here")


def test_two_nodes_take_two_ports() -> None:
    found = ports(load_settings({"NODES": "2"}))
    assert found["node-2"][1] == found["node-1"][1] + 1


def test_foreign_services_need_no_port() -> None:
    elsewhere = {"MODEL_URL": "http://x/v1", "EMBEDDINGS_URL": "http://y/v1"}
    found = ports(load_settings({**elsewhere, "REDIS_URL": "redis://x"}))
    assert set(found) == {"gateway", "tools"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NODES", "3"),
        ("NODES", "two"),
        ("GATEWAY_PORT", "0"),
        ("GATEWAY_PORT", "70000"),
        ("MODEL_URL", "localhost:11434"),
        ("EMBEDDINGS_URL", "localhost:11434"),
        ("TOOLS_PORT", "8080"),
    ],
)
def test_an_unusable_value_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: value})


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:8080"), ("::1", "http://[::1]:8080")],
)
def test_the_printed_address_can_be_called(host: str, url: str) -> None:
    assert load_settings({"GATEWAY_HOST": host}).gateway_url == url


def test_secrets_are_not_in_the_representation() -> None:
    text = repr(load_settings({"REDIS_URL": "redis://:hunter2@x", "OPENAI_API_KEY": "hunter2"}))
    assert "hunter2" not in text
