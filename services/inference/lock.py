"""The record of a model's files: commit, sizes and hashes, made on first use, enforced after.

The hub announces a SHA-256 for files in its large-file store and the git blob's SHA-1 for the
small ones; those are what is recorded. A record lies in ``MODEL_DIR`` beside the model's folder,
or is committed in ``profiles/locks``; the committed one wins.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from services.inference.errors import FetchError, ModelDamagedError

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file as the hub announced it.

    Attributes:
        path: path inside the model's folder, with forward slashes.
        size: bytes.
        algorithm: ``sha256`` of the content, or ``git-sha1`` of git's blob object.
        digest: the hash in hexadecimal.
    """

    path: str
    size: int
    algorithm: Literal["sha256", "git-sha1"]
    digest: str

    def matches(self, file: Path) -> bool:
        """Whether the file is there with this size and this hash; reads all of it."""
        return file.is_file() and file.stat().st_size == self.size and self._hash(file)

    def _hash(self, file: Path) -> bool:
        if self.algorithm == "sha256":
            hasher = hashlib.sha256()
        else:
            # git hashes "blob <size>\0" and then the content.
            hasher = hashlib.sha1(usedforsecurity=False)
            hasher.update(f"blob {self.size}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                hasher.update(chunk)
        return hasher.hexdigest() == self.digest


@dataclass(frozen=True, slots=True)
class ModelLock:
    """What a model's folder must hold.

    Attributes:
        repo: ``owner/name`` on the hub.
        revision: the commit, 40 hexadecimal digits.
        recorded_at: when this record was made, ISO 8601 in UTC.
        files: every file, by path.
    """

    repo: str
    revision: str
    recorded_at: str
    files: tuple[FileRecord, ...]

    @property
    def total_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size for file in self.files)


def new_lock(repo: str, revision: str, files: tuple[FileRecord, ...]) -> ModelLock:
    """A record made now."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return ModelLock(repo=repo, revision=revision, recorded_at=now, files=files)


def write_lock(path: Path, lock: ModelLock) -> None:
    """Write the record in one step, so that half a record never exists."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(asdict(lock), indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def read_lock(path: Path) -> ModelLock | None:
    """The record at ``path``, or None where there is none.

    Raises:
        ModelDamagedError: the file is there and is not a record.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return _parse(json.loads(text))
    except (ValueError, KeyError, TypeError) as exc:
        raise ModelDamagedError(
            f"{path} is not a record of model files ({exc}); delete it and run fetch again."
        ) from exc


def safe_path(path: str) -> str:
    """``path`` if it stays inside the model's folder.

    Raises:
        FetchError: it is absolute or climbs out.
    """
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or not parts.parts:
        raise FetchError(f"The hub lists a file named {path!r}, which is no path for a model file.")
    return path


def _parse(data: dict[str, Any]) -> ModelLock:
    files = tuple(
        FileRecord(
            path=safe_path(str(entry["path"])),
            size=int(entry["size"]),
            algorithm=_algorithm(entry["algorithm"]),
            digest=str(entry["digest"]),
        )
        for entry in data["files"]
    )
    return ModelLock(
        repo=str(data["repo"]),
        revision=str(data["revision"]),
        recorded_at=str(data["recorded_at"]),
        files=files,
    )


def _algorithm(value: str) -> Literal["sha256", "git-sha1"]:
    if value == "sha256":
        return "sha256"
    if value == "git-sha1":
        return "git-sha1"
    raise ValueError(f"unknown hash {value!r}")
