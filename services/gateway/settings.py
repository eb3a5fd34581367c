"""The gateway's settings: read from the environment once, checked, and passed in.

This is the only module of the service that reads the environment.
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from services.gateway.errors import SettingsError
from services.gateway.limits.address import Network

SECRET_BYTES = 32
"""Least length of an HS256 secret (RFC 7518, section 3.2: as long as the hash)."""
_SHOPS_FILE = "deploy/local/shops.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Each field's environment variable is its name in capitals."""

    service_token_secret: str
    """HS256 secret shared with the tools service; signs the service token. Required."""
    shop_secrets_file: Path
    """JSON with each shop's hashed keys and token rules, mode 0600. Required; see `make shop`."""
    shops_file: Path = Path(_SHOPS_FILE)
    """YAML with the public part of each shop: name, tone, policies."""
    gateway_host: str = "127.0.0.1"
    """Address to listen on."""
    gateway_port: int = 8080
    """Port to listen on."""
    gateway_workers: int = 1
    """Worker processes. Each has its own /metrics: scale with replicas rather than workers."""
    model_url: tuple[str, ...] = ("http://127.0.0.1:8082/v1",)
    """Base URL of an OpenAI-compatible endpoint: the router, a node, Ollama. Several routers,
    separated by commas: a session keeps to one and takes the next when that is away."""
    model_name: str = "xiaoer"
    """The model's name at that endpoint."""
    model_api_key: str = ""
    """Key for that endpoint, where it wants one."""
    model_rail_url: str = ""
    """Base URL of an OpenAI-compatible endpoint with a guard model; empty: no such rail."""
    model_rail_name: str = "Qwen/Qwen3Guard-Gen-0.6B"
    """The guard model's name at that endpoint."""
    model_rail_api_key: str = ""
    """Key for that endpoint, where it wants one."""
    model_rail_timeout_s: float = 1.0
    """Seconds that an answer waits for the guard's verdict; then it goes on without."""
    embeddings_url: str = ""
    """Base URL of an OpenAI-shaped endpoint of embeddings; empty: questions match by words only."""
    embeddings_model: str = "use-multilingual-3"
    """The embedding model's name at that endpoint; documents are loaded with the same."""
    embeddings_api_key: str = ""
    """Key for that endpoint, where it wants one."""
    knowledge_chars: int = 2400
    """Most characters of the shop's documents in a prompt; 24000 for a model of long context."""
    tools_url: str = "http://127.0.0.1:8081"
    """Base URL of the tools service."""
    redis_url: str = "redis://127.0.0.1:6390/0"
    """Where sessions are kept."""
    session_turns: int = 5
    """How many of the last turns a session remembers."""
    session_ttl_s: int = 3600
    """Seconds from the last message until a session is forgotten."""
    session_tokens: int = 2000
    """Most (estimated) tokens of history in a prompt; older turns are dropped first."""
    deadline_s: float = 30.0
    """Seconds within which every request ends, with an answer or a clear error."""
    stream_gap_s: float = 3.0
    """Longest silence inside a model's stream; after it another node goes on with the answer."""
    tool_rounds: int = 4
    """Most rounds of tool calls in one turn."""
    tool_timeout_s: float = 5.0
    """Seconds that one tool call may take."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks of reverse proxies whose `X-Forwarded-For` is believed (`TRUSTED_PROXIES`)."""
    max_body_bytes: int = 262144
    """Largest request body."""
    max_message_chars: int = 8000
    """Longest message."""
    log_level: str = "info"
    """debug, info, warning or error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopFiles:
    """The two settings that the shops' command line needs."""

    shops_file: Path
    shop_secrets_file: Path


def load_shop_files(env: Mapping[str, str] | None = None) -> ShopFiles:
    """Read the names of the shops' files from `env` (the process's environment when absent).

    Raises:
        SettingsError: `SHOP_SECRETS_FILE` is not set.
    """
    reader = _Reader(os.environ if env is None else env)
    return ShopFiles(
        shops_file=Path(reader.text("SHOPS_FILE", _SHOPS_FILE)),
        shop_secrets_file=Path(
            reader.required("SHOP_SECRETS_FILE", "the JSON file with each shop's hashed keys")
        ),
    )


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `env` (the process's environment when absent).

    Raises:
        SettingsError: a value is missing or cannot be used; the message says which and how to
            set it.
    """
    reader = _Reader(os.environ if env is None else env)
    secret = reader.required(
        "SERVICE_TOKEN_SECRET",
        "a random string of at least 32 bytes, shared with the tools service",
    )
    if len(secret.encode()) < SECRET_BYTES:
        raise SettingsError(
            f"SERVICE_TOKEN_SECRET must have at least {SECRET_BYTES} bytes; "
            f"it has {len(secret.encode())}."
        )
    secrets_file = reader.required(
        "SHOP_SECRETS_FILE", "the JSON file with each shop's hashed keys and token rules"
    )
    return Settings(
        service_token_secret=secret,
        shop_secrets_file=Path(secrets_file),
        shops_file=Path(reader.text("SHOPS_FILE", _SHOPS_FILE)),
        gateway_host=reader.text("GATEWAY_HOST", "127.0.0.1"),
        gateway_port=reader.whole("GATEWAY_PORT", 8080, 1, 65535),
        gateway_workers=reader.whole("GATEWAY_WORKERS", 1, 1, 64),
        model_url=reader.urls("MODEL_URL", "http://127.0.0.1:8082/v1", ("http", "https")),
        model_name=reader.text("MODEL_NAME", "xiaoer"),
        model_api_key=reader.text("MODEL_API_KEY", ""),
        model_rail_url=reader.url("MODEL_RAIL_URL", "", ("http", "https")),
        model_rail_name=reader.text("MODEL_RAIL_NAME", "Qwen/Qwen3Guard-Gen-0.6B"),
        model_rail_api_key=reader.text("MODEL_RAIL_API_KEY", ""),
        model_rail_timeout_s=reader.number("MODEL_RAIL_TIMEOUT_S", 1.0, 0.05, 60.0),
        embeddings_url=reader.url("EMBEDDINGS_URL", "", ("http", "https")),
        embeddings_model=reader.text("EMBEDDINGS_MODEL", "use-multilingual-3"),
        embeddings_api_key=reader.text("EMBEDDINGS_API_KEY", ""),
        knowledge_chars=reader.whole("KNOWLEDGE_CHARS", 2400, 100, 400_000),
        tools_url=reader.url("TOOLS_URL", "http://127.0.0.1:8081", ("http", "https")),
        redis_url=reader.url("REDIS_URL", "redis://127.0.0.1:6390/0", ("redis", "rediss", "unix")),
        session_turns=reader.whole("SESSION_TURNS", 5, 1, 100),
        session_ttl_s=reader.whole("SESSION_TTL_S", 3600, 1, 31_536_000),
        session_tokens=reader.whole("SESSION_TOKENS", 2000, 0, 1_000_000),
        deadline_s=reader.number("DEADLINE_S", 30.0, 0.1, 600.0),
        stream_gap_s=reader.number("STREAM_GAP_S", 3.0, 0.05, 600.0),
        tool_rounds=reader.whole("TOOL_ROUNDS", 4, 1, 16),
        tool_timeout_s=reader.number("TOOL_TIMEOUT_S", 5.0, 0.05, 600.0),
        trusted_proxies=reader.networks("TRUSTED_PROXIES"),
        max_body_bytes=reader.whole("MAX_BODY_BYTES", 262144, 1024, 104_857_600),
        max_message_chars=reader.whole("MAX_MESSAGE_CHARS", 8000, 1, 1_000_000),
        log_level=reader.one_of("LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
    )


class _Reader:
    """Typed reading of an environment; an empty variable counts as unset."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def text(self, name: str, default: str) -> str:
        return self._env.get(name, "").strip() or default

    def required(self, name: str, what: str) -> str:
        value = self.text(name, "")
        if not value:
            raise SettingsError(f"{name} is not set. Set it to {what}.")
        return value

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        raw = self.text(name, str(default))
        try:
            value = int(raw)
        except ValueError as exc:
            raise SettingsError(f"{name} must be a whole number, not {raw!r}.") from exc
        if not least <= value <= most:
            raise SettingsError(f"{name} must be from {least} to {most}, not {value}.")
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        raw = self.text(name, str(default))
        try:
            value = float(raw)
        except ValueError as exc:
            raise SettingsError(f"{name} must be a number, not {raw!r}.") from exc
        if not least <= value <= most:
            raise SettingsError(f"{name} must be from {least} to {most}, not {raw}.")
        return value

    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value == default:
            return value
        parts = urlsplit(value)
        if parts.scheme not in schemes or not (parts.netloc or parts.path):
            raise SettingsError(f"{name} must be a URL starting {schemes[0]}://, not {value!r}.")
        return value.rstrip("/")

    def urls(self, name: str, default: str, schemes: tuple[str, ...]) -> tuple[str, ...]:
        parts = [part.strip() for part in self.text(name, default).split(",")]
        return tuple(
            _Reader({name: part}).url(name, default, schemes) for part in parts if part
        ) or (default,)

    def networks(self, name: str) -> tuple[Network, ...]:
        found = []
        for part in self.text(name, "").split(","):
            if part.strip():
                try:
                    found.append(ipaddress.ip_network(part.strip()))
                except ValueError as exc:
                    raise SettingsError(
                        f"{name} must be networks such as 10.0.0.0/8, separated by commas, "
                        f"not {part.strip()!r}."
                    ) from exc
        return tuple(found)

    def one_of(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default).lower()
        if value not in choices:
            raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        return value
