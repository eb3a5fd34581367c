"""What can be known before anything starts: each refusal is one sentence with the remedy."""

from deploy.local import hardware
from deploy.local.errors import PreflightError
from deploy.local.hardware import GIB
from deploy.local.settings import LocalSettings, ports
from deploy.local.units import DEMO_PROFILE

# `python -m services.inference plan cpu-demo` adds up to 3.3 GiB: weights, 1 GiB of KV cache and
# vLLM's three processes. The rest is for gateway, tools, router, Redis, and the model's assembly
# (which is over before a node loads).
NODE_BYTES = int(3.4 * GIB)
REST_BYTES = int(0.6 * GIB)
# The assembled model (0.3 GB), the package it comes from (0.1 GB), logs and data.
DISK_BYTES = 1 * GIB


def check(settings: LocalSettings, memory_bytes: int | None = None) -> None:
    """Refuse a start that cannot succeed.

    Args:
        settings: what is to be started.
        memory_bytes: available memory, instead of this machine's.

    Raises:
        PreflightError: the first obstacle found.

    """
    if settings.model_url is None and settings.profile == DEMO_PROFILE:
        reason = hardware.unsupported_reason()
        if reason:
            raise PreflightError(f"{reason}. {hardware.endpoint_hint()}")
        _check_memory(settings, memory_bytes or hardware.available_memory_bytes())
    _check_disk(settings)
    _check_ports(settings)


def _check_memory(settings: LocalSettings, available: int | None) -> None:
    need = settings.nodes * NODE_BYTES + REST_BYTES
    if available is not None and available < need:
        fewer = " or start one node (NODES=1)," if settings.nodes > 1 else ""
        raise PreflightError(
            f"{settings.nodes} node(s) need {need / GIB:.1f} GiB of memory and "
            f"{available / GIB:.1f} GiB are available: close other programs,{fewer} or use an "
            "endpoint you have: MODEL_URL=http://HOST:PORT/v1"
        )


def _check_disk(settings: LocalSettings) -> None:
    free = hardware.free_disk_bytes(settings.data_dir)
    if free < DISK_BYTES:
        raise PreflightError(
            f"{settings.data_dir} has {free / GIB:.1f} GiB of disk free and "
            f"{DISK_BYTES / GIB:.1f} GiB are needed: free some, or put the data elsewhere with "
            "DATA_DIR=/path"
        )


def _check_ports(settings: LocalSettings) -> None:
    for service, (host, port, variable) in ports(settings).items():
        if hardware.port_is_free(host, port):
            continue
        holder = hardware.port_holder(port)
        by = f"taken by {holder}" if holder else "taken by another program"
        raise PreflightError(
            f"Port {port}, which {service} needs, is {by}: stop that, or choose another port with "
            f"{variable}={port + 100 if port < 65000 else port - 100}. A stack started earlier is "
            "stopped with: make stop"
        )
