"""Settings of the tools service: read once, from the environment, here only."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from services.tools.errors import ConfigurationError

_MIN_SECRET_BYTES = 32  # RFC 7518 §3.2: an HS256 key is at least as long as the hash
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_LOOPBACK_HOSTS = ("127.0.0.1", "127.0.0.1:*", "localhost", "localhost:*", "[::1]", "[::1]:*")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?:\d{1,5}|\*))?")
_LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the shop's data is. All that an import or a migration needs.

    Attributes:
        url: SQLAlchemy URL with the async driver filled in.
        pool_size: connections kept open by one process.
        connect_timeout_s: to open a connection, or to get one from the pool.
        statement_timeout_s: for one query of a tool; imports and migrations are exempt.

    """

    url: URL
    pool_size: int = 10
    connect_timeout_s: float = 3.0
    statement_timeout_s: float = 4.0

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "DatabaseSettings":
        """Read DATABASE_URL, DATA_DIR and TOOLS_DB_*; ConfigurationError if one is unusable."""
        env = os.environ if environ is None else environ
        default = f"sqlite+aiosqlite:///{Path(env.get('DATA_DIR') or 'data') / 'shop.db'}"
        return cls(
            url=_database_url(env.get("DATABASE_URL") or default),
            pool_size=_integer(env, "TOOLS_DB_POOL_SIZE", 10, 1, 1000),
        )

    @property
    def is_sqlite(self) -> bool:
        """Whether the data is in a SQLite file."""
        return self.url.get_backend_name() == "sqlite"


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """Whom the importer tells that a catalogue is new.

    Attributes:
        gateway_urls: of gateways that share one Redis, tried in order; none: nobody is told.
        service_token_secret: HS256 key shared with the gateway; needed where one is named.

    """

    gateway_urls: tuple[str, ...] = ()
    service_token_secret: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "NoticeSettings":
        """Read GATEWAY_URL and SERVICE_TOKEN_SECRET; ConfigurationError if one is unusable."""
        env = os.environ if environ is None else environ
        urls = tuple(
            url.strip().rstrip("/") for url in env.get("GATEWAY_URL", "").split(",") if url.strip()
        )
        for url in urls:
            if not re.fullmatch(r"https?://[^\s/]+(?:/\S*)?", url):
                raise ConfigurationError(
                    "GATEWAY_URL must be one or more URLs such as http://127.0.0.1:8080, "
                    f"separated by commas, and not {url[:80]!r}"
                )
        secret = env.get("SERVICE_TOKEN_SECRET", "")
        if urls and len(secret.encode()) < _MIN_SECRET_BYTES:
            raise ConfigurationError(
                "SERVICE_TOKEN_SECRET must be the gateway's, at least 32 bytes, for the importer "
                "to tell it of the import; without GATEWAY_URL nobody is told"
            )
        return cls(urls, secret)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the running service needs.

    Attributes:
        database: where the shop's data is.
        service_token_secret: HS256 key shared with the gateway, at least 32 bytes.
        host: address to listen on.
        port: port to listen on; 0 lets the system choose.
        max_body_bytes: larger request bodies get a 413.
        deadline_s: a tool call that takes longer gets a 503.
        mcp_hosts: Host headers that /mcp answers to; `name:*` stands for any port.
        log_level: debug, info, warning or error.

    """

    database: DatabaseSettings
    service_token_secret: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8081
    max_body_bytes: int = 65_536
    deadline_s: float = 5.0
    mcp_hosts: tuple[str, ...] = _LOOPBACK_HOSTS
    log_level: str = "info"

    def __post_init__(self) -> None:
        if len(self.service_token_secret.encode()) < _MIN_SECRET_BYTES:
            raise ConfigurationError(
                "SERVICE_TOKEN_SECRET must be set to at least 32 bytes, the same for gateway and "
                "tools: python -c 'import secrets; print(secrets.token_hex(32))'"
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment; ConfigurationError names the first unusable setting."""
        env = os.environ if environ is None else environ
        log_level = (env.get("LOG_LEVEL") or "info").lower()
        if log_level not in _LOG_LEVELS:
            raise ConfigurationError(f"LOG_LEVEL must be one of {', '.join(_LOG_LEVELS)}")
        return cls(
            database=DatabaseSettings.from_env(env),
            service_token_secret=env.get("SERVICE_TOKEN_SECRET", ""),
            host=env.get("TOOLS_HOST") or "127.0.0.1",
            port=_integer(env, "TOOLS_PORT", 8081, 0, 65535),
            max_body_bytes=_integer(env, "TOOLS_MAX_BODY_BYTES", 65_536, 1024, 16_777_216),
            deadline_s=_seconds(env, "TOOLS_DEADLINE_S", 5.0),
            mcp_hosts=_hosts(env.get("TOOLS_MCP_HOSTS") or ""),
            log_level=log_level,
        )


def _database_url(text: str) -> URL:
    try:
        url = make_url(text)
        driver = _DRIVERS[url.drivername]
    except (ArgumentError, KeyError) as exc:
        # The value may hold a password, so the message does not repeat it.
        raise ConfigurationError(
            "DATABASE_URL must look like sqlite+aiosqlite:///data/shop.db or "
            "postgresql+asyncpg://user:password@host/database"
        ) from exc
    if driver.startswith("sqlite") and url.database in {None, "", ":memory:"}:
        raise ConfigurationError("DATABASE_URL must name a file for SQLite, not a memory database")
    return url.set(drivername=driver)


def _hosts(text: str) -> tuple[str, ...]:
    """Names in TOOLS_MCP_HOSTS besides this machine's own, which always are answered."""
    hosts = [host.strip() for host in text.split(",") if host.strip()]
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ConfigurationError(
                "TOOLS_MCP_HOSTS must be names with or without a port, separated by commas, such "
                f"as tools:8081,tools.example.com:* and not {host[:80]!r}"
            )
    return (*_LOOPBACK_HOSTS, *hosts)


def _integer(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError as exc:
        raise ConfigurationError(f"{name} must be a whole number") from exc
    if not low <= value <= high:
        raise ConfigurationError(f"{name} must be between {low} and {high}")
    return value


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError as exc:
        raise ConfigurationError(f"{name} must be a number of seconds") from exc
    if not 0 < value <= 600:
        raise ConfigurationError(f"{name} must be above 0 and at most 600 seconds")
    return value
