"""The local stack's settings: the only module of it that reads the environment.

`make run NODES=2` puts its variables there. An empty variable counts as unset.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.errors import SettingsError

# A customer's token is for trying things out on one's own machine; a shop's own page makes one
# for each visit.
DEFAULT_TOKEN_TTL_S = 7 * 24 * 3600
MAX_TOKEN_TTL_S = 31 * 24 * 3600
"""The gateway accepts no token that ends later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """What `make run` can be told.

    Attributes:
        data_dir: everything that is kept: database, Redis, secrets, logs, models (`DATA_DIR`).
        model_dir: folder with one folder per model (`MODEL_DIR`, `DATA_DIR/models`).
        nodes: vLLM nodes to start, 1 or 2 (`NODES`).
        profile: how vLLM serves which model (`PROFILE`).
        gateway_host: address the gateway listens on (`GATEWAY_HOST`).
        gateway_port: the port customers' pages call (`GATEWAY_PORT`).
        tools_port: the tools service (`TOOLS_PORT`).
        router_port: the router (`ROUTER_PORT`).
        router_metrics_port: the router's Prometheus metrics (`ROUTER_METRICS_PORT`).
        embedder_port: the embedder (`EMBEDDER_PORT`).
        node_port: the first node; others follow (`NODE_PORT`).
        redis_port: the embedded Redis (`REDIS_PORT`).
        model_url: an OpenAI-compatible endpoint to use instead of own nodes (`MODEL_URL`).
        embeddings_url: an OpenAI-shaped endpoint of embeddings to use instead of the embedder
            (`EMBEDDINGS_URL`; its model's name is `EMBEDDINGS_MODEL`).
        redis_url: a Redis to use instead of the embedded one (`REDIS_URL`).
        database_url: the shop's data (`DATABASE_URL`, a SQLite file in `DATA_DIR`).
        shops_file: the public part of the shops (`SHOPS_FILE`).
        start_limit_s: seconds a node may take to load its model (`START_LIMIT_S`).
        token_ttl_s: life of the customer tokens that are printed (`TOKEN_TTL_S`).
        started_s: monotonic time at which the user's command began, where it is known.
        environ: the environment as found, for the services.

    """

    data_dir: Path
    model_dir: Path
    nodes: int = 1
    profile: str = "cpu-demo"
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8080
    tools_port: int = 8081
    router_port: int = 8082
    router_metrics_port: int = 9082
    embedder_port: int = 8083
    node_port: int = 8101
    redis_port: int = 6390
    model_url: str | None = None
    embeddings_url: str | None = None
    redis_url: str | None = field(default=None, repr=False)
    database_url: str = field(repr=False)
    shops_file: Path
    start_limit_s: int = 600
    token_ttl_s: int = DEFAULT_TOKEN_TTL_S
    started_s: float | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def secrets_dir(self) -> Path:
        """Folder of keys and secrets, readable by its owner alone."""
        return self.data_dir / "secrets"

    @property
    def logs_dir(self) -> Path:
        """Folder of one log file per service."""
        return self.data_dir / "logs"

    @property
    def state_file(self) -> Path:
        """What is running: process ids and URLs, as JSON, while the stack runs."""
        return self.data_dir / "run.json"

    @property
    def gateway_url(self) -> str:
        """Where the gateway is reached from this machine."""
        everywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound # nosec B104
        host = "127.0.0.1" if self.gateway_host in everywhere else self.gateway_host
        return (
            f"http://[{host}]:{self.gateway_port}"
            if ":" in host
            else f"http://{host}:{self.gateway_port}"
        )


def load_settings(environ: Mapping[str, str] | None = None) -> LocalSettings:
    """Read the environment.

    Raises:
        SettingsError: naming the variable that cannot be used.

    """
    env = dict(os.environ if environ is None else environ)
    data_dir = Path(_text(env, "DATA_DIR", "data")).expanduser().absolute()
    settings = LocalSettings(
        data_dir=data_dir,
        model_dir=Path(_text(env, "MODEL_DIR", str(data_dir / "models"))).expanduser().absolute(),
        nodes=_whole(env, "NODES", 1, 1, 2),
        profile=_text(env, "PROFILE", "cpu-demo"),
        gateway_host=_text(env, "GATEWAY_HOST", "127.0.0.1"),
        gateway_port=_whole(env, "GATEWAY_PORT", 8080, 1, 65535),
        tools_port=_whole(env, "TOOLS_PORT", 8081, 1, 65535),
        router_port=_whole(env, "ROUTER_PORT", 8082, 1, 65535),
        router_metrics_port=_whole(env, "ROUTER_METRICS_PORT", 9082, 1, 65535),
        embedder_port=_whole(env, "EMBEDDER_PORT", 8083, 1, 65535),
        node_port=_whole(env, "NODE_PORT", 8101, 1, 65534),
        redis_port=_whole(env, "REDIS_PORT", 6390, 1, 65535),
        model_url=_endpoint(env, "MODEL_URL"),
        embeddings_url=_endpoint(env, "EMBEDDINGS_URL"),
        redis_url=_text(env, "REDIS_URL", "") or None,
        database_url=_text(env, "DATABASE_URL", f"sqlite+aiosqlite:///{data_dir / 'shop.db'}"),
        shops_file=Path(
            _text(env, "SHOPS_FILE", str(Path(__file__).with_name("shops.yaml")))
        ).absolute(),
        start_limit_s=_whole(env, "START_LIMIT_S", 600, 5, 36_000),
        token_ttl_s=_whole(env, "TOKEN_TTL_S", DEFAULT_TOKEN_TTL_S, 1, MAX_TOKEN_TTL_S),
        started_s=_seconds(env.get("XIAOER_STARTED_S")),
        # Services are started from the repository's root: what was relative to us is not to them.
        environ={**env, "DATA_DIR": str(data_dir)},
    )
    _check_ports_differ(settings)
    return settings


def ports(settings: LocalSettings) -> dict[str, tuple[str, int, str]]:
    """List the ports this start will listen on: service -> (host, port, variable)."""
    found = {
        "gateway": (settings.gateway_host, settings.gateway_port, "GATEWAY_PORT"),
        "tools": ("127.0.0.1", settings.tools_port, "TOOLS_PORT"),
    }
    if settings.embeddings_url is None:
        found["embedder"] = ("127.0.0.1", settings.embedder_port, "EMBEDDER_PORT")
    if settings.redis_url is None:
        found["redis"] = ("127.0.0.1", settings.redis_port, "REDIS_PORT")
    if settings.model_url is None:
        found["router"] = ("127.0.0.1", settings.router_port, "ROUTER_PORT")
        found["router's metrics"] = (
            "127.0.0.1",
            settings.router_metrics_port,
            "ROUTER_METRICS_PORT",
        )
        for index in range(settings.nodes):
            found[f"node-{index + 1}"] = ("127.0.0.1", settings.node_port + index, "NODE_PORT")
    return found


def _check_ports_differ(settings: LocalSettings) -> None:
    seen: dict[int, str] = {}
    for service, (_, port, variable) in ports(settings).items():
        if port in seen:
            raise SettingsError(
                f"{service} and {seen[port]} are both set to port {port}; change {variable}."
            )
        seen[port] = service


def _text(env: Mapping[str, str], name: str, default: str) -> str:
    return env.get(name, "").strip() or default


def _endpoint(env: Mapping[str, str], name: str) -> str | None:
    url = _text(env, name, "") or None
    if url is not None and not url.startswith(("http://", "https://")):
        raise SettingsError(
            f"{name} is {url!r}; give the base URL of an OpenAI-compatible endpoint, "
            "such as http://127.0.0.1:11434/v1."
        )
    return url


def _whole(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = _text(env, name, str(default))
    try:
        value = int(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}; use a whole number.") from None
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value}; use a number from {low} to {high}.")
    return value


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
