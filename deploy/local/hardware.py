"""What this machine is and has: processor, memory, disk, who holds a port.

Standard library only, since the set-up asks before anything is installed.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
from pathlib import Path

GIB = 1 << 30


def unsupported_reason(
    system: str | None = None,
    machine: str | None = None,
    cpu_flags: frozenset[str] | None = None,
    libc: tuple[str, str] | None = None,
) -> str | None:
    """Why vLLM's CPU build cannot run here, or None where it can.

    The published wheels are for glibc 2.28 or newer on x86-64 and 64-bit ARM; on x86-64 their
    kernels need AVX2 (`vllm.platforms.cpu.import_kernels`). Arguments stand in for this machine's
    own values in tests.
    """
    system = system or platform.system()
    machine = (machine or platform.machine()).lower()
    where = f"{system} on {machine}"
    if system != "Linux":
        return f"vLLM's CPU build is for Linux; this is {where}"
    if machine not in {"x86_64", "amd64", "aarch64", "arm64"}:
        return f"vLLM's CPU build is for x86-64 and 64-bit ARM processors; this is {where}"
    name, version = libc if libc is not None else platform.libc_ver()
    if name != "glibc" or _numbers(version) < (2, 28):
        found = f"{name} {version}" if name == "glibc" else "another C library"
        return f"vLLM's CPU build needs glibc 2.28 or newer; this system has {found}"
    if machine in {"x86_64", "amd64"}:
        flags = cpu_flags if cpu_flags is not None else _cpu_flags()
        if "avx2" not in flags:
            return "vLLM's CPU build needs a processor with AVX2, which this one lacks"
    return None


def endpoint_hint() -> str:
    """How to go on where no model can be served."""
    return (
        "Point the gateway at an OpenAI-compatible endpoint you have: "
        "make run MODEL_URL=http://HOST:PORT/v1 MODEL_NAME=NAME"
    )


def available_memory_bytes(root: Path = Path("/")) -> int | None:
    """Memory that can be had without swapping, the container's limit counted; None if unknown."""
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError):
        return None
    group = root / "sys/fs/cgroup"
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            found.append(int((group / limit).read_text()) - int((group / used).read_text()))
        except (OSError, ValueError):  # no such version of cgroups, or no limit ("max")
            continue
    return min(found) if found else None


def free_disk_bytes(path: Path) -> int:
    """Free bytes where `path` is, or will be."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def cores() -> list[int]:
    """Numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As servers do: connections that are still closing are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def port_holder(port: int) -> str | None:
    """`name, pid 123` of the process that listens on the port, where the system tells us."""
    inodes = _listening_inodes(port)
    for folder in Path("/proc").glob("[0-9]*") if inodes else ():
        try:
            if any(_target(link) in inodes for link in (folder / "fd").iterdir()):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                return f"{command.decode(errors='replace').strip()[:80]}, pid {folder.name}"
        except OSError:  # the process is gone, or another user's
            continue
    return None


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            # Column 1 is address:port in hexadecimal, 3 the state (0A: LISTEN), 9 the inode.
            if columns[3] == "0A" and int(columns[1].rsplit(":", 1)[1], 16) == port:
                found.add(f"socket:[{columns[9]}]")
    return found


def _cpu_flags() -> frozenset[str]:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.split(":", 1)[1].split())
    except OSError:
        pass
    return frozenset()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
