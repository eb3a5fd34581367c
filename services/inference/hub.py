"""The model hub, through its own client; the client's errors end here.

``huggingface_hub`` is imported when the first call needs it: it reads the environment at import,
and serving a model needs none of it.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from services.inference.errors import (
    DiskFullError,
    FetchError,
    HubRefusedError,
    HubUnreachableError,
)
from services.inference.lock import FileRecord, safe_path

# What vLLM reads, and the licence that has to travel with the weights. Weights in other formats
# that some repositories keep beside (PyTorch pickles, "original/", "consolidated") are left out.
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "LICENSE*", "NOTICE*", "USE_*")
UNWANTED = ("original/*", "consolidated*", "*.pth", "*.bin", "*.gguf", "onnx/*", ".*")

_LISTING_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository's files at one commit.

    Attributes:
        revision: the commit, 40 hexadecimal digits.
        files: the files that a model's folder gets, sorted by path.
    """

    revision: str
    files: tuple[FileRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The hub or a mirror of it.

    Attributes:
        endpoint: base URL, or None for the hub itself.
        token: bearer token, or None.
    """

    endpoint: str | None = None
    token: str | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.endpoint or "the model hub"

    def list_files(self, repo: str, revision: str) -> Listing:
        """The files of a repository with the hashes that the hub has for them.

        Raises:
            HubUnreachableError, HubRefusedError: as they say.
            FetchError: a file without a hash, or no weights at all.
        """
        from huggingface_hub import HfApi

        with self._translated(repo):
            info = HfApi(endpoint=self.endpoint, token=self.token or False).model_info(
                repo, revision=revision, files_metadata=True, timeout=_LISTING_TIMEOUT_S
            )
        files = []
        for sibling in sorted(info.siblings or [], key=lambda item: item.rfilename):
            if not _wanted(sibling.rfilename):
                continue
            sha256 = sibling.lfs.sha256 if sibling.lfs else None
            digest = sha256 or sibling.blob_id
            if digest is None or sibling.size is None:
                raise FetchError(
                    f"{self.name} gives no hash for {sibling.rfilename} of {repo}; "
                    "use the hub itself or a mirror that passes file metadata on."
                )
            files.append(
                FileRecord(
                    path=safe_path(sibling.rfilename),
                    size=sibling.size,
                    algorithm="sha256" if sha256 else "git-sha1",
                    digest=digest,
                )
            )
        if info.sha is None or not any(file.path.endswith(".safetensors") for file in files):
            raise FetchError(f"{repo} at {self.name} holds no safetensors weights.")
        return Listing(revision=info.sha, files=tuple(files))

    def download(self, repo: str, revision: str, record: FileRecord, part: Path) -> None:
        """Append to ``part`` what is missing of a file.

        The client's ``hf_hub_download`` starts a file again when its process was stopped; its
        ``http_get`` continues one.

        Raises:
            HubUnreachableError, HubRefusedError, DiskFullError: as they say.
        """
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get

        url = hf_hub_url(repo, record.path, revision=revision, endpoint=self.endpoint)
        # A compressed answer has no byte positions to continue from.
        headers = {"accept-encoding": "identity"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        with self._translated(repo), part.open("ab") as stream:
            http_get(
                url,
                stream,
                resume_size=stream.tell(),
                headers=headers,
                expected_size=record.size,
                displayed_filename=record.path,
            )

    @contextmanager
    def _translated(self, repo: str) -> Iterator[None]:
        import httpx2
        from huggingface_hub import errors

        try:
            yield
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as exc:
            raise HubRefusedError(
                f"{self.name} has no {repo} at that revision, or wants a token for it; "
                "check the name, or set HF_TOKEN."
            ) from exc
        except errors.EntryNotFoundError as exc:
            raise HubRefusedError(
                f"{self.name} lists a file of {repo} and does not have it."
            ) from (exc)
        except errors.HfHubHTTPError as exc:
            status = exc.response.status_code if exc.response is not None else 0
            if status in (401, 403):
                raise HubRefusedError(
                    f"{self.name} refuses {repo} (HTTP {status}); accept its licence there and "
                    "set HF_TOKEN."
                ) from exc
            raise HubUnreachableError(f"{self.name} answers HTTP {status}; try again later.") from (
                exc
            )
        except httpx2.HTTPError as exc:
            raise HubUnreachableError(self._unreachable(exc)) from exc
        except OSError as exc:
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(
                    "The disk is full; what has arrived is kept. Free some room and run fetch "
                    "again."
                ) from exc
            if exc.errno is not None:
                raise FetchError(
                    f"{exc.filename or 'The model folder'} cannot be written ({exc.strerror}); "
                    "check MODEL_DIR."
                ) from exc
            # The client's word for an answer that ended early or ran on too long.
            raise HubUnreachableError(self._unreachable(exc)) from exc

    def _unreachable(self, exc: Exception) -> str:
        return (
            f"{self.name} cannot be reached ({type(exc).__name__}); what has arrived is kept. "
            "Check the network and run fetch again, set HF_ENDPOINT to a mirror, or copy the "
            "model's folder and its .lock.json from another machine."
        )


def _wanted(path: str) -> bool:
    if any(fnmatch(path, pattern) for pattern in UNWANTED):
        return False
    return any(fnmatch(path, pattern) for pattern in WANTED)
