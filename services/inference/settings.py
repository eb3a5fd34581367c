"""The only place in this service that reads (or sets) environment variables.

Everything is parsed once into a frozen :class:`Settings` and passed on; a value that cannot be
used stops the start with a sentence that names the variable.
"""

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.inference.errors import SettingsError

# vLLM waits this long for answers in progress when it is asked to stop. The gateway's own
# deadline for a request is 30 s, so nothing that is still wanted takes longer.
DEFAULT_SHUTDOWN_S = 30

# It goes into a header and a label.
_NODE_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one inference node.

    Attributes:
        model_dir: folder that holds one folder per model (``MODEL_DIR``; by default
            ``$DATA_DIR/models``, and ``data/models`` without ``DATA_DIR``).
        host: address to serve on (``INFERENCE_HOST``, 127.0.0.1).
        port: TCP port to serve on (``INFERENCE_PORT``, 8101).
        node: this node's name in its answers (``INFERENCE_NODE``; by default the host's).
        api_key: key that vLLM asks of its clients (``INFERENCE_API_KEY``); None: no key.
        cpus: cores of this node, in vLLM's notation such as ``0``, ``0-3`` or ``0,2``
            (``INFERENCE_CPUS``); None: chosen by the launcher. CPU profiles only.
        kv_gib: KV cache of a CPU profile in whole GiB (``INFERENCE_KV_GIB``); None: the
            profile's.
        speculation: False switches a profile's n-gram speculation off
            (``INFERENCE_SPECULATION=off``); it never switches one on that a profile lacks.
        compile: True lets vLLM compile a CPU profile's model, which decodes faster and starts
            a minute later (``INFERENCE_COMPILE=1``).
        shutdown_s: seconds that vLLM may finish answers in when it is stopped
            (``INFERENCE_SHUTDOWN_S``, 30).
        hub_endpoint: the model hub or a mirror of it (``HF_ENDPOINT``); None: the hub.
        hub_token: token for models that need one (``HF_TOKEN``); None: no token.
        hub_offline: the user has forbidden the hub (``HF_HUB_OFFLINE=1``).
        visible_card: index of the card to plan for, the first of ``CUDA_VISIBLE_DEVICES``.
        environ: the environment as it was found, for the process that replaces this one.
    """

    model_dir: Path = Path("data/models")
    host: str = "127.0.0.1"
    port: int = 8101
    node: str = "node"
    api_key: str | None = field(default=None, repr=False)
    cpus: str | None = None
    kv_gib: int | None = None
    speculation: bool = True
    compile: bool = False
    shutdown_s: int = DEFAULT_SHUTDOWN_S
    hub_endpoint: str | None = None
    hub_token: str | None = field(default=None, repr=False)
    hub_offline: bool = False
    visible_card: int = 0
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Parse the environment.

    Args:
        environ: variables to read instead of the process's own.

    Raises:
        SettingsError: naming the variable that cannot be used.
    """
    env = dict(os.environ if environ is None else environ)
    data_dir = Path(env.get("DATA_DIR") or "data")
    return Settings(
        model_dir=Path(env.get("MODEL_DIR") or data_dir / "models"),
        host=env.get("INFERENCE_HOST") or "127.0.0.1",
        port=_integer(env, "INFERENCE_PORT", default=8101, low=1, high=65535),
        node=_node_name(env),
        api_key=env.get("INFERENCE_API_KEY") or None,
        cpus=env.get("INFERENCE_CPUS") or None,
        kv_gib=_optional_integer(env, "INFERENCE_KV_GIB", low=1, high=4096),
        speculation=_switch(env, "INFERENCE_SPECULATION", default=True),
        compile=_switch(env, "INFERENCE_COMPILE", default=False),
        shutdown_s=_integer(
            env, "INFERENCE_SHUTDOWN_S", default=DEFAULT_SHUTDOWN_S, low=0, high=3600
        ),
        hub_endpoint=(env.get("HF_ENDPOINT") or "").rstrip("/") or None,
        hub_token=env.get("HF_TOKEN") or None,
        hub_offline=_switch(env, "HF_HUB_OFFLINE", default=False),
        visible_card=_first_card(env.get("CUDA_VISIBLE_DEVICES")),
        environ=env,
    )


def prepare_hub_client() -> None:
    """Set what the hub's client reads when it is imported; call before the first import of it.

    Plain HTTP instead of the Xet protocol: it continues half a file with a range request, and
    a mirror serves it, where Xet's storage has an address of its own.
    """
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


def _node_name(env: Mapping[str, str]) -> str:
    name = env.get("INFERENCE_NODE") or socket.gethostname()
    if not _NODE_NAME.fullmatch(name):
        raise SettingsError(
            f"INFERENCE_NODE is {name!r}; use up to 253 letters, digits, dots, hyphens and "
            "underscores."
        )
    return name


def _switch(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = env.get(name, "").strip().lower()
    if not value:
        return default
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise SettingsError(f"{name} is {env[name]!r}; use on or off.")


def _integer(env: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    value = _optional_integer(env, name, low=low, high=high)
    return default if value is None else value


def _optional_integer(env: Mapping[str, str], name: str, *, low: int, high: int) -> int | None:
    text = env.get(name, "").strip()
    if not text:
        return None
    try:
        value = int(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}; use a whole number.") from None
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value}; use a number from {low} to {high}.")
    return value


def _first_card(devices: str | None) -> int:
    # A UUID instead of an index is legal there; nvidia-smi is then asked for the first card.
    first = (devices or "").split(",")[0].strip()
    return int(first) if first.isdigit() else 0
