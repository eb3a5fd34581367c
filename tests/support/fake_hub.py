"""A model hub on loopback: file listings with hashes, and downloads with range requests.

It speaks the part of the hub's HTTP interface that ``huggingface_hub`` uses for one public
model, and breaks on request: cut connections, wrong content, changed listings, no permission.
"""

import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit


@dataclass
class HubFile:
    """One file; ``large`` ones are announced with a SHA-256, others with git's blob SHA-1."""

    content: bytes
    large: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def blob_id(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.blob_id


@dataclass
class Request:
    """A request as it came in."""

    method: str
    path: str
    range_start: int | None


@dataclass
class FakeHub:
    """One repository with any number of commits.

    Attributes:
        repo: ``owner/name``.
        commits: files by commit id (40 hexadecimal digits).
        main: the commit that ``main`` points to.
        cut: bytes after which a download of that path is cut off, and how often still.
        replaced: content sent instead of the announced one, by path.
        deny: HTTP status for everything, or None.
        chunk_delay_s: pause after each 64 KiB sent.
        requests: everything that was asked.
    """

    repo: str
    commits: dict[str, dict[str, HubFile]]
    main: str
    cut: dict[str, tuple[int, int]] = field(default_factory=dict)
    replaced: dict[str, bytes] = field(default_factory=dict)
    deny: int | None = None
    chunk_delay_s: float = 0.0
    requests: list[Request] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    @property
    def endpoint(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def downloads(self, path: str) -> list[Request]:
        return [r for r in self.requests if r.method == "GET" and r.path.endswith(f"/{path}")]

    def resolve(self, revision: str) -> tuple[str, dict[str, HubFile]] | None:
        commit = self.main if revision == "main" else revision
        files = self.commits.get(commit)
        return None if files is None else (commit, files)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeHub

    def log_message(self, *_: object) -> None:
        return

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def _answer(self, *, send_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        match = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match.group(1)) if match else None
        self.fake.requests.append(Request(self.command, path, start))
        if self.fake.deny is not None:
            self._json(self.fake.deny, {"error": "denied"})
            return
        repo = re.escape(self.fake.repo)
        if match := re.fullmatch(rf"/api/models/{repo}(?:/revision/(.+))?", path):
            self._listing(match.group(1) or "main")
        elif match := re.fullmatch(rf"/{repo}/resolve/([^/]+)/(.+)", path):
            self._file(match.group(1), match.group(2), start or 0, send_body=send_body)
        else:
            self._json(404, {"error": "not found"}, code="RepoNotFound")

    def _listing(self, revision: str) -> None:
        found = self.fake.resolve(revision)
        if found is None:
            self._json(404, {"error": "no such revision"}, code="RevisionNotFound")
            return
        commit, files = found
        siblings = []
        for name, file in files.items():
            entry: dict[str, Any] = {
                "rfilename": name,
                "size": len(file.content),
                "blobId": file.blob_id,
            }
            if file.large:
                entry["lfs"] = {
                    "sha256": file.sha256,
                    "size": len(file.content),
                    "pointerSize": 130,
                }
            siblings.append(entry)
        self._json(200, {"id": self.fake.repo, "sha": commit, "siblings": siblings})

    def _file(self, revision: str, name: str, start: int, *, send_body: bool) -> None:
        found = self.fake.resolve(revision)
        file = found[1].get(name) if found else None
        if found is None or file is None:
            self._json(404, {"error": "no such file"}, code="EntryNotFound")
            return
        content = self.fake.replaced.get(name, file.content)
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{file.etag}"')
        self.send_header("X-Repo-Commit", found[0])
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if send_body:
            self._send(name, body)

    def _send(self, name: str, body: bytes) -> None:
        limit, times = self.fake.cut.get(name, (len(body), 0))
        cut = times > 0
        if cut:
            self.fake.cut[name] = (limit, times - 1)
        sent = body[:limit] if cut else body
        try:
            for offset in range(0, len(sent), 1 << 16):
                self.wfile.write(sent[offset : offset + (1 << 16)])
                if self.fake.chunk_delay_s:
                    self.wfile.flush()
                    time.sleep(self.fake.chunk_delay_s)
        except ConnectionError:
            cut = True
        if cut:
            self.close_connection = True

    def _json(self, status: int, data: dict[str, Any], code: str | None = None) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
