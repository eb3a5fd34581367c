from typing import Any

import pytest

from services.tools.errors import ConfigurationError
from services.tools.settings import DatabaseSettings, Settings

SECRET = {"SERVICE_TOKEN_SECRET": "s" * 32}


def test_defaults() -> None:
    settings = Settings.from_env(SECRET)
    assert (settings.host, settings.port) == ("127.0.0.1", 8081)
    assert settings.database.url.render_as_string() == "sqlite+aiosqlite:///data/shop.db"
    assert "ssss" not in repr(settings)


def test_the_data_folder_can_be_moved() -> None:
    settings = DatabaseSettings.from_env({"DATA_DIR": "/srv/xiaoer"})
    assert settings.url.database == "/srv/xiaoer/shop.db"


def test_names_for_mcp_come_on_top_of_this_machines_own() -> None:
    hosts = Settings.from_env(SECRET | {"TOOLS_MCP_HOSTS": "tools:8081, [fd00::7]:*,"}).mcp_hosts
    assert hosts[-2:] == ("tools:8081", "[fd00::7]:*")
    assert "localhost:*" in hosts


def test_urls_get_the_async_driver() -> None:
    settings = DatabaseSettings.from_env({"DATABASE_URL": "postgresql://u:p@db/shop"})
    assert settings.url.drivername == "postgresql+asyncpg"
    assert not settings.is_sqlite


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SERVICE_TOKEN_SECRET": ""}, "SERVICE_TOKEN_SECRET"),
        ({"SERVICE_TOKEN_SECRET": "short"}, "32 bytes"),
        ({"TOOLS_PORT": "http"}, "TOOLS_PORT must be a whole number"),
        ({"TOOLS_PORT": "70000"}, "TOOLS_PORT must be between"),
        ({"TOOLS_DEADLINE_S": "never"}, "TOOLS_DEADLINE_S"),
        ({"TOOLS_DEADLINE_S": "0"}, "TOOLS_DEADLINE_S"),
        ({"TOOLS_MCP_HOSTS": "http://tools:8081"}, "TOOLS_MCP_HOSTS must be names"),
        ({"TOOLS_MCP_HOSTS": "*"}, "TOOLS_MCP_HOSTS must be names"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"DATABASE_URL": "mysql://db"}, "DATABASE_URL"),
        ({"DATABASE_URL": "no url"}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///:memory:"}, "must name a file"),
    ],
)
def test_an_unusable_setting_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Settings.from_env(SECRET | changes)


def test_a_bad_url_keeps_its_password_to_itself() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env(SECRET | {"DATABASE_URL": "mysql://root:hunter2@db/shop"})
    assert "hunter2" not in str(caught.value)
