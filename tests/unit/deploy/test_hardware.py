import os
import socket
from pathlib import Path

import pytest

from deploy.local import hardware
from deploy.local.errors import PreflightError
from deploy.local.hardware import GIB
from deploy.local.preflight import check
from deploy.local.settings import LocalSettings, load_settings
from tests.support.stack import PORT_VARIABLES, free_ports

GLIBC = ("glibc", "2.36")


@pytest.mark.parametrize(
    ("system", "machine", "flags", "libc", "says"),
    [
        ("Darwin", "arm64", (), ("", ""), "Linux"),
        ("Windows", "AMD64", ("avx2",), ("", ""), "Linux"),
        ("Linux", "riscv64", (), GLIBC, "riscv64"),
        ("Linux", "x86_64", ("avx",), GLIBC, "AVX2"),
        ("Linux", "x86_64", ("avx2",), ("glibc", "2.17"), "glibc"),
        ("Linux", "x86_64", ("avx2",), ("", ""), "another C library"),
    ],
)
def test_an_unsupported_machine_is_told_why(
    system: str, machine: str, flags: tuple[str, ...], libc: tuple[str, str], says: str
) -> None:
    reason = hardware.unsupported_reason(system, machine, frozenset(flags), libc)
    assert reason is not None
    assert says in reason


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_supported_machine_is_not_refused(machine: str) -> None:
    assert hardware.unsupported_reason("Linux", machine, frozenset({"avx2"}), GLIBC) is None


def test_the_container_s_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 8000000 kB\n")
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    assert hardware.available_memory_bytes(tmp_path) == 8000000 * 1024
    (group / "memory.max").write_text("3000000000\n")
    (group / "memory.current").write_text("1000000000\n")
    assert hardware.available_memory_bytes(tmp_path) == 2000000000
    (group / "memory.max").write_text("max\n")
    assert hardware.available_memory_bytes(tmp_path) == 8000000 * 1024


def test_a_listener_is_found_with_its_process() -> None:
    (port,) = free_ports(1)
    assert hardware.port_is_free("127.0.0.1", port)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        assert not hardware.port_is_free("127.0.0.1", port)
        assert f"pid {os.getpid()}" in (hardware.port_holder(port) or "")
    assert hardware.port_is_free("127.0.0.1", port)
    assert hardware.port_holder(port) is None


def _settings(folder: Path, **variables: str) -> LocalSettings:
    ports = dict(zip(PORT_VARIABLES, map(str, free_ports(len(PORT_VARIABLES))), strict=True))
    return load_settings({"DATA_DIR": str(folder), **ports, **variables})


def test_too_little_memory_is_refused_with_the_need(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"2 node\(s\) need 7\.4 GiB.*NODES=1.*MODEL_URL="):
        check(_settings(tmp_path, NODES="2"), memory_bytes=5 * GIB)


def test_enough_memory_passes(tmp_path: Path) -> None:
    check(_settings(tmp_path), memory_bytes=5 * GIB)
    assert hardware.unsupported_reason() is None


def test_an_endpoint_elsewhere_needs_no_memory_for_a_node(tmp_path: Path) -> None:
    settings = _settings(tmp_path, MODEL_URL="http://127.0.0.1:1/v1")
    check(settings, memory_bytes=1 * GIB)
    assert settings.model_url is not None


def test_a_taken_port_names_holder_and_variable(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", settings.redis_port))
        holder.listen()
        with pytest.raises(PreflightError, match=f"{settings.redis_port}.*pid.*REDIS_PORT="):
            check(settings, memory_bytes=5 * GIB)
