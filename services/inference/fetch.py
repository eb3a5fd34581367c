"""Fetch a model from the hub so that half a download never becomes a model.

Files arrive in ``<folder>.partial``, each is checked against its recorded hash, and one rename
makes the folder. A fetch that stops anywhere before that is continued by the next one.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.inference.errors import (
    DiskFullError,
    FetchError,
    FetchInProgressError,
    HashMismatchError,
    HubUnreachableError,
    ModelDamagedError,
    UpstreamChangedError,
)
from services.inference.hub import Hub, Listing
from services.inference.lock import FileRecord, ModelLock, new_lock, read_lock, write_lock
from services.inference.profiles import SHIPPED_LOCKS_DIR
from services.inference.profiles.types import HubModel, Profile

# Room that must remain when everything has arrived: logs and databases share the disk.
_SPARE_BYTES = 1 << 30

# Each attempt continues where the last one stopped, and the client retries by itself besides.
_ATTEMPTS = 3

_GB = 1e9


def lock_path(profile: Profile, model_dir: Path) -> Path:
    """Where the record of this profile's model is, or will be written on first use."""
    shipped = SHIPPED_LOCKS_DIR / f"{profile.directory}.lock.json"
    return shipped if shipped.exists() else model_dir / f"{profile.directory}.lock.json"


def fetch(
    profile: Profile,
    model_dir: Path,
    hub: Hub,
    echo: Callable[[str], None],
    free_bytes: Callable[[Path], int] | None = None,
) -> Path:
    """Bring the profile's model to ``model_dir`` and return its folder.

    Args:
        profile: whose model.
        model_dir: folder of all models; made if missing.
        hub: where it comes from.
        echo: receives each line of progress.
        free_bytes: free disk below a folder; for tests.

    Raises:
        FetchError: any of its kinds; the partial folder stays for the next attempt.
        ModelDamagedError: the folder is there and differs from its record.
    """
    if not isinstance(profile.source, HubModel):
        raise FetchError(
            f"The model of {profile.name} is not on the hub; it is assembled by "
            f"`{profile.source.remedy}`."
        )
    model_dir.mkdir(parents=True, exist_ok=True)
    with _only_one(model_dir / f"{profile.directory}.fetch.lock"):
        path = lock_path(profile, model_dir)
        lock = read_lock(path)
        final = model_dir / profile.directory
        if final.exists():
            verify(final, lock, echo)
            echo(f"{final} is complete; nothing to fetch.")
            return final
        lock = _pin(profile.source, hub, lock, path, echo)
        partial = model_dir / f"{profile.directory}.partial"
        partial.mkdir(exist_ok=True)
        _check_disk(lock, partial, free_bytes or (lambda folder: shutil.disk_usage(folder).free))
        for number, record in enumerate(lock.files, start=1):
            label = f"[{number}/{len(lock.files)}] {record.path} ({record.size / _GB:.2f} GB)"
            _bring(lock, record, partial, hub, label, echo)
        _publish(lock, partial, final)
        echo(f"{final}: {len(lock.files)} files, {lock.total_bytes / _GB:.2f} GB, all checked.")
        return final


def verify(folder: Path, lock: ModelLock | None, echo: Callable[[str], None]) -> None:
    """Read every file of a model and compare it with the record.

    Raises:
        ModelDamagedError: naming the first file that differs, or no record at all.
    """
    if lock is None:
        raise ModelDamagedError(
            f"{folder} has no record of its files, so it cannot be checked; delete or rename the "
            "folder and run fetch again."
        )
    echo(f"checking {len(lock.files)} files of {folder}")
    for record in lock.files:
        if not record.matches(folder / record.path):
            raise ModelDamagedError(
                f"{folder / record.path} differs from its record; delete {folder} and run fetch "
                "again."
            )


def _pin(
    source: HubModel, hub: Hub, lock: ModelLock | None, path: Path, echo: Callable[[str], None]
) -> ModelLock:
    """The record to fetch by: the one there is, if the hub still agrees, else a new one."""
    if lock is not None and lock.repo != source.repo:
        raise UpstreamChangedError(
            f"{path} records {lock.repo}, and the profile names {source.repo}; delete the record "
            "to take the other model."
        )
    listing = hub.list_files(source.repo, lock.revision if lock else source.revision)
    if lock is None:
        lock = new_lock(source.repo, listing.revision, listing.files)
        write_lock(path, lock)
        echo(f"recorded {source.repo} at {listing.revision} in {path}")
    else:
        _compare(lock, listing, hub, path)
    return lock


def _compare(lock: ModelLock, listing: Listing, hub: Hub, path: Path) -> None:
    announced = {file.path: file for file in listing.files}
    for record in lock.files:
        if announced.get(record.path) != record:
            raise UpstreamChangedError(
                f"{hub.name} announces another {record.path} for {lock.repo} at "
                f"{lock.revision} than was recorded on {lock.recorded_at} in {path}; nothing was "
                "fetched. Delete the record only if you trust the new files."
            )


def _check_disk(lock: ModelLock, partial: Path, free_bytes: Callable[[Path], int]) -> None:
    arrived = sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())
    missing = max(0, lock.total_bytes - arrived)
    free = free_bytes(partial)
    if free < missing + _SPARE_BYTES:
        raise DiskFullError(
            f"{partial.parent} has {free / _GB:.1f} GB free; the model still needs "
            f"{missing / _GB:.1f} GB and {_SPARE_BYTES / _GB:.1f} GB shall remain. Free some room, "
            "or set MODEL_DIR to another disk."
        )


def _bring(
    lock: ModelLock,
    record: FileRecord,
    partial: Path,
    hub: Hub,
    label: str,
    echo: Callable[[str], None],
) -> None:
    target = partial / record.path
    if record.matches(target):
        echo(f"{label} is here")
        return
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    if part.exists() and part.stat().st_size > record.size:
        part.unlink()
    echo(label)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            hub.download(lock.repo, lock.revision, record, part)
            break
        except HubUnreachableError:
            if attempt == _ATTEMPTS:
                raise
            echo(f"{label}: connection lost, continuing ({attempt} of {_ATTEMPTS - 1})")
    if not record.matches(part):
        part.unlink(missing_ok=True)
        raise HashMismatchError(
            f"{record.path} of {lock.repo} arrived with another {record.algorithm} than "
            f"{record.digest[:12]}…, which {hub.name} announced; it was thrown away. Run fetch "
            "again, and use another mirror if it happens again."
        )
    part.replace(target)


def _publish(lock: ModelLock, partial: Path, final: Path) -> None:
    """Turn the checked partial folder into the model's folder in one step."""
    wanted = {partial / record.path for record in lock.files}
    for file in partial.rglob("*"):
        if file.is_file() and file not in wanted:
            file.unlink()
    # The rename must not reach the disk before the content does.
    for file in wanted:
        _sync(file)
    _sync(partial)
    partial.replace(final)
    _sync(final.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold an advisory lock that ends with the process, however it ends."""
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise FetchInProgressError(
                f"Another process is fetching this model ({path} is locked); wait for it."
            ) from exc
        yield
