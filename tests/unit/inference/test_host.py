import socket
from pathlib import Path

import pytest

from services.inference.errors import PortTakenError, UnsupportedMachineError
from services.inference.host import (
    check_port,
    check_processor,
    check_vllm,
    read_card,
    read_host_memory,
    thread_binding,
)
from services.inference.profiles import get_profile

MEMINFO = "MemTotal: 16000000 kB\nMemFree: 1000000 kB\nMemAvailable: 9000000 kB\n"


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    path = tmp_path / "meminfo"
    path.write_text(MEMINFO)
    return path


def test_memory_of_the_host(meminfo: Path, tmp_path: Path) -> None:
    memory = read_host_memory(meminfo, tmp_path / "no-cgroup")
    assert memory.total_bytes == 16_000_000 * 1024
    assert memory.available_bytes == 9_000_000 * 1024


def test_a_container_limit_counts_and_its_page_cache_does_not(
    meminfo: Path, tmp_path: Path
) -> None:
    (tmp_path / "memory.max").write_text("4000000000\n")
    (tmp_path / "memory.current").write_text("3000000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 500000000\n")
    memory = read_host_memory(meminfo, tmp_path)
    assert memory.total_bytes == 4_000_000_000
    assert memory.available_bytes == 1_500_000_000


def test_an_unlimited_container_is_the_host(meminfo: Path, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert read_host_memory(meminfo, tmp_path).total_bytes == 16_000_000 * 1024


def test_no_meminfo_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMachineError, match="MODEL_URL"):
        read_host_memory(tmp_path / "absent", tmp_path)


def test_a_card_is_read_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = tmp_path / "fake-smi"
    smi.write_text("#!/bin/sh\necho 'NVIDIA GeForce RTX 3060, 12288, 11900'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    card = read_card(0, "fake-smi")
    assert card is not None
    assert card.name == "NVIDIA GeForce RTX 3060"
    assert card.total_bytes == 12 * (1 << 30)
    assert card.free_bytes == 11_900 * (1 << 20)


def test_no_driver_means_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_card(0, "no-such-command") is None
    broken = tmp_path / "broken-smi"
    broken.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert read_card(0, "broken-smi") is None


@pytest.mark.parametrize(
    ("machine", "system", "flags", "supported"),
    [
        ("x86_64", "Linux", "fpu sse4_2 avx avx2", True),
        ("x86_64", "Linux", "fpu sse4_2 avx", False),
        ("aarch64", "Linux", "", True),
        ("arm64", "Darwin", "", False),
        ("x86_64", "Windows", "avx2", False),
    ],
)
def test_processors(machine: str, system: str, flags: str, supported: bool, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    if supported:
        check_processor(machine, system, cpuinfo)
    else:
        with pytest.raises(UnsupportedMachineError, match="MODEL_URL"):
            check_processor(machine, system, cpuinfo)


def test_the_missing_build_is_named_with_its_extra() -> None:
    check_vllm(get_profile("cpu-demo"))
    with pytest.raises(UnsupportedMachineError, match=r"vllm 0\.32\.0 .*gpu extra.*MODEL_URL"):
        check_vllm(get_profile("edge-gpu"))


def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


def test_cores_are_named_or_left_to_vllm() -> None:
    binding = thread_binding()
    assert binding == "auto" or all(core.isdigit() for core in binding.split(","))
