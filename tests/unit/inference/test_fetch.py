import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.inference.__main__ import main
from services.inference.errors import (
    DiskFullError,
    FetchError,
    HashMismatchError,
    HubRefusedError,
    HubUnreachableError,
    ModelDamagedError,
    UpstreamChangedError,
)
from services.inference.fetch import fetch, lock_path
from services.inference.hub import Hub
from services.inference.lock import read_lock
from services.inference.modelfiles import check_complete
from services.inference.profiles import get_profile
from tests.support.fake_hub import FakeHub, HubFile

PROFILE = get_profile("edge-gpu")
REPO = "Qwen/Qwen2.5-7B-Instruct-AWQ"
FIRST = "a" * 40
SECOND = "b" * 40
WEIGHTS = "model-00001-of-00001.safetensors"


def repository(weights: bytes = b"w" * 300_000) -> dict[str, HubFile]:
    return {
        "config.json": HubFile(b'{"num_hidden_layers": 28}'),
        "tokenizer.json": HubFile(b'{"version": "1.0"}'),
        WEIGHTS: HubFile(weights, large=True),
        "LICENSE": HubFile(b"Apache License"),
        "pytorch_model.bin": HubFile(b"a pickle nobody wants", large=True),
        ".gitattributes": HubFile(b"*.safetensors filter=lfs"),
    }


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with FakeHub(repo=REPO, commits={FIRST: repository()}, main=FIRST) as hub:
        yield hub


def bring(fake: FakeHub, model_dir: Path, **options: Any) -> tuple[Path, list[str]]:
    lines: list[str] = []
    folder = fetch(PROFILE, model_dir, Hub(endpoint=fake.endpoint), lines.append, **options)
    return folder, lines


def test_a_model_arrives_whole_checked_and_recorded(fake: FakeHub, tmp_path: Path) -> None:
    folder, lines = bring(fake, tmp_path)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["LICENSE", "config.json", WEIGHTS, "tokenizer.json"]
    lock = read_lock(lock_path(PROFILE, tmp_path))
    assert lock is not None
    assert (lock.repo, lock.revision) == (REPO, FIRST)
    assert {file.algorithm for file in lock.files} == {"sha256", "git-sha1"}
    assert not (tmp_path / f"{PROFILE.directory}.partial").exists()
    assert any(WEIGHTS in line for line in lines)
    check_complete(PROFILE, folder, tmp_path)


def test_a_second_fetch_checks_and_downloads_nothing(fake: FakeHub, tmp_path: Path) -> None:
    bring(fake, tmp_path)
    before = len(fake.requests)
    _, lines = bring(fake, tmp_path)
    assert len(fake.requests) == before
    assert any("nothing to fetch" in line for line in lines)


def test_a_cut_connection_is_continued_not_repeated(tmp_path: Path) -> None:
    # The client writes in pieces of 10 MiB; what it had not written when the line broke is lost.
    weights = os.urandom(1 << 20) * 24
    with FakeHub(repo=REPO, commits={FIRST: repository(weights)}, main=FIRST) as fake:
        fake.cut[WEIGHTS] = (12 << 20, 1)
        folder, _ = bring(fake, tmp_path)
        starts = [request.range_start for request in fake.downloads(WEIGHTS)]
        assert starts[0] is None
        assert (starts[1] or 0) >= 10_000_000
        assert (folder / WEIGHTS).read_bytes() == weights


def test_half_a_file_left_by_an_earlier_run_is_continued(fake: FakeHub, tmp_path: Path) -> None:
    partial = tmp_path / f"{PROFILE.directory}.partial"
    partial.mkdir()
    (partial / f"{WEIGHTS}.part").write_bytes(b"w" * 123_456)
    (partial / "config.json.part").write_bytes(b"longer than the file will ever be")
    folder, _ = bring(fake, tmp_path)
    assert [request.range_start for request in fake.downloads(WEIGHTS)] == [123_456]
    assert (folder / WEIGHTS).read_bytes() == b"w" * 300_000


def test_half_a_file_of_other_content_is_found_out(fake: FakeHub, tmp_path: Path) -> None:
    partial = tmp_path / f"{PROFILE.directory}.partial"
    partial.mkdir()
    (partial / f"{WEIGHTS}.part").write_bytes(b"x" * 123_456)
    with pytest.raises(HashMismatchError):
        bring(fake, tmp_path)
    folder, _ = bring(fake, tmp_path)
    assert (folder / WEIGHTS).read_bytes() == b"w" * 300_000


def test_wrong_content_is_refused_thrown_away_and_never_a_model(
    fake: FakeHub, tmp_path: Path
) -> None:
    fake.replaced[WEIGHTS] = b"x" * 300_000
    with pytest.raises(HashMismatchError, match=WEIGHTS):
        bring(fake, tmp_path)
    assert not (tmp_path / PROFILE.directory).exists()
    assert not (tmp_path / f"{PROFILE.directory}.partial" / f"{WEIGHTS}.part").exists()
    fake.replaced.clear()
    folder, _ = bring(fake, tmp_path)
    assert (folder / WEIGHTS).read_bytes() == b"w" * 300_000


def test_wrong_content_of_a_small_file_is_refused(fake: FakeHub, tmp_path: Path) -> None:
    fake.replaced["config.json"] = b'{"num_hidden_layers": 99}'
    with pytest.raises(HashMismatchError, match=r"config\.json.*git-sha1"):
        bring(fake, tmp_path)


def test_other_files_under_the_recorded_commit_are_refused(fake: FakeHub, tmp_path: Path) -> None:
    fake.replaced[WEIGHTS] = b"x" * 300_000
    with pytest.raises(HashMismatchError):
        bring(fake, tmp_path)
    fake.replaced.clear()
    fake.commits[FIRST] = repository(b"v" * 300_000)
    with pytest.raises(UpstreamChangedError, match=WEIGHTS):
        bring(fake, tmp_path)
    assert not (tmp_path / PROFILE.directory).exists()


def test_a_moved_branch_does_not_move_a_recorded_model(fake: FakeHub, tmp_path: Path) -> None:
    folder, _ = bring(fake, tmp_path)
    fake.commits[SECOND] = repository(b"n" * 300_000)
    fake.main = SECOND
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder, _ = bring(fake, tmp_path)
    assert (folder / WEIGHTS).read_bytes() == b"w" * 300_000


def test_a_record_of_another_repository_is_refused(fake: FakeHub, tmp_path: Path) -> None:
    bring(fake, tmp_path)
    (tmp_path / PROFILE.directory).rename(tmp_path / "elsewhere")
    path = lock_path(PROFILE, tmp_path)
    record = json.loads(path.read_text()) | {"repo": "somebody/else"}
    path.write_text(json.dumps(record))
    with pytest.raises(UpstreamChangedError, match="somebody/else"):
        bring(fake, tmp_path)


def test_a_damaged_model_is_found_by_fetch_and_by_the_launcher(
    fake: FakeHub, tmp_path: Path
) -> None:
    folder, _ = bring(fake, tmp_path)
    (folder / WEIGHTS).write_bytes(b"w" * 299_999 + b"x")
    with pytest.raises(ModelDamagedError, match=WEIGHTS):
        bring(fake, tmp_path)
    (folder / WEIGHTS).write_bytes(b"w")
    with pytest.raises(ModelDamagedError, match="another size"):
        check_complete(PROFILE, folder, tmp_path)


def test_a_folder_without_a_record_is_not_taken_for_checked(fake: FakeHub, tmp_path: Path) -> None:
    (tmp_path / PROFILE.directory).mkdir()
    with pytest.raises(ModelDamagedError, match="no record"):
        bring(fake, tmp_path)


def test_a_broken_record_is_named(fake: FakeHub, tmp_path: Path) -> None:
    lock_path(PROFILE, tmp_path).write_text('{"repo": 1}')
    with pytest.raises(ModelDamagedError, match=r"lock\.json is not a record"):
        bring(fake, tmp_path)


def test_too_little_disk_is_refused_before_any_download(fake: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match="MODEL_DIR"):
        bring(fake, tmp_path, free_bytes=lambda _: 1 << 29)
    assert fake.downloads(WEIGHTS) == []


@pytest.mark.parametrize("name", ["sub/../../evil.json", "/etc/evil.json"])
def test_a_file_outside_the_folder_is_refused(fake: FakeHub, tmp_path: Path, name: str) -> None:
    fake.commits[FIRST][name] = HubFile(b"{}")
    with pytest.raises(FetchError, match="no path for a model file"):
        bring(fake, tmp_path)
    assert not (tmp_path.parent / "evil.json").exists()


def test_a_repository_without_weights_is_refused(fake: FakeHub, tmp_path: Path) -> None:
    del fake.commits[FIRST][WEIGHTS]
    with pytest.raises(FetchError, match="no safetensors"):
        bring(fake, tmp_path)


@pytest.mark.parametrize("status", [401, 403])
def test_no_permission_names_the_token(fake: FakeHub, tmp_path: Path, status: int) -> None:
    fake.deny = status
    with pytest.raises(HubRefusedError, match="HF_TOKEN"):
        bring(fake, tmp_path)


def test_an_unknown_model_is_named(tmp_path: Path) -> None:
    with (
        FakeHub(repo="other/model", commits={FIRST: repository()}, main=FIRST) as hub,
        pytest.raises(HubRefusedError, match=REPO),
    ):
        bring(hub, tmp_path)


def test_no_network_is_one_sentence_with_remedies(tmp_path: Path) -> None:
    hub = Hub(endpoint="http://127.0.0.1:9")
    with pytest.raises(HubUnreachableError, match="HF_ENDPOINT"):
        fetch(PROFILE, tmp_path, hub, lambda _: None)


def test_an_assembled_model_is_not_on_the_hub(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="demo assemble"):
        fetch(get_profile("cpu-demo"), tmp_path, Hub(), lambda _: None)


def command(fake: FakeHub, model_dir: Path) -> subprocess.Popen[str]:
    environ = {
        **os.environ,
        "HF_ENDPOINT": fake.endpoint,
        "MODEL_DIR": str(model_dir),
        "PYTHONUNBUFFERED": "1",
    }
    environ.pop("HF_HUB_OFFLINE", None)
    argv = [sys.executable, "-m", "services.inference", "fetch", "edge-gpu"]
    return subprocess.Popen(
        argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_killed_fetch_leaves_no_model_and_is_continued(tmp_path: Path) -> None:
    # More than the client's pieces of 10 MiB, so that something is on disk to continue.
    weights = os.urandom(1 << 20) * 24
    with FakeHub(repo=REPO, commits={FIRST: repository(weights)}, main=FIRST) as fake:
        fake.chunk_delay_s = 0.01
        process = command(fake, tmp_path)
        partial = tmp_path / f"{PROFILE.directory}.partial"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            started = [path for path in partial.glob(f"{WEIGHTS}.part") if path.stat().st_size]
            if started or process.poll() is not None:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert started
        assert not (tmp_path / PROFILE.directory).exists()

        fake.chunk_delay_s = 0.0
        again = command(fake, tmp_path)
        output, _ = again.communicate(timeout=60)
        assert again.returncode == 0, output
        assert (tmp_path / PROFILE.directory / WEIGHTS).read_bytes() == weights
        continued = fake.downloads(WEIGHTS)[-1].range_start
        assert continued is not None
        assert continued > 0


def test_two_fetches_at_once_do_not_mix(tmp_path: Path) -> None:
    with FakeHub(repo=REPO, commits={FIRST: repository(b"w" * 4_000_000)}, main=FIRST) as fake:
        fake.chunk_delay_s = 0.05
        first = command(fake, tmp_path)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not fake.downloads(WEIGHTS):
            time.sleep(0.02)
        second = command(fake, tmp_path)
        output, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert "Another process is fetching" in output
        output, _ = first.communicate(timeout=60)
        assert first.returncode == 0, output


def test_the_command_obeys_a_forbidden_hub(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    assert main(["fetch", "edge-gpu"]) == 1
    assert "HF_HUB_OFFLINE" in capsys.readouterr().err


def test_verify_compares_with_the_record(
    fake: FakeHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, _ = bring(fake, tmp_path)
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    assert main(["verify", "edge-gpu"]) == 0
    (folder / "config.json").write_bytes(b"{}")
    assert main(["verify", "edge-gpu"]) == 1
    assert "config.json differs" in capsys.readouterr().err


def test_a_model_folder_that_cannot_be_made_is_one_sentence(
    fake: FakeHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MODEL_DIR", str(tmp_path / "file" / "models"))
    monkeypatch.setenv("HF_ENDPOINT", fake.endpoint)
    assert main(["fetch", "edge-gpu"]) == 1
    assert "check MODEL_DIR" in capsys.readouterr().err
