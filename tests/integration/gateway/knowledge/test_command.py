"""The command as an operator runs it, against a real Redis and the embedder's own application."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from services.gateway.knowledge.__main__ import main
from services.inference.embedder.app import create_app
from services.inference.embedder.models import EmbeddingModel
from tests.support.fake_embedder import vector_of
from tests.support.gateway import ServerThread
from tests.support.redis_server import RedisServer


def encode(texts: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.float32]]":
    return np.stack([np.frombuffer(vector_of(text), "<f4") for text in texts])


@pytest.fixture
def env(search_server: RedisServer) -> Iterator[dict[str, str]]:
    store = redis.Redis.from_url(search_server.url)
    store.flushall()
    with ServerThread(create_app(EmbeddingModel("fake", encode))) as embedder:
        yield {
            "REDIS_URL": search_server.url,
            "EMBEDDINGS_URL": f"{embedder.url}/v1",
            "EMBEDDINGS_MODEL": "fake",
        }
    store.close()


def test_a_load_tells_what_it_did_by_its_words_and_exit_code(
    env: dict[str, str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = ["load", str(folder), "--shop", "demo", "--no-wait"]
    assert main(load, env) == 0
    assert "3 documents, 4 chunks" in capsys.readouterr().err
    (folder / "bad[1].csv").write_text("a,b\n1,2,3\n")
    assert main(load, env) == 3
    told = capsys.readouterr().err
    assert "4 were unchanged" in told
    assert "left out bad[1].csv: line 2 has 3 cells" in told.replace("\n", " ")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["load", str(empty), "--shop", "demo"], env) == 1
    assert main(["load", str(tmp_path / "none"), "--shop", "demo"], env) == 1
    assert "is no folder" in " ".join(capsys.readouterr().err.split())
    assert main(load, {**env, "EMBEDDINGS_MODEL": "wrong"}) == 1
    assert "EMBEDDINGS_URL" in capsys.readouterr().err
    assert main(load, {**env, "REDIS_URL": "redis://127.0.0.1:1/0"}) == 1
    assert "REDIS_URL" in capsys.readouterr().err


def test_gaps_are_shown(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gaps", "--shop", "demo"], env) == 0
    assert "Nothing was asked in vain" in capsys.readouterr().err
    store = redis.Redis.from_url(env["REDIS_URL"])
    for text in ("do you engrave flasks", "do you engrave flasks?", "a shop in Rome"):
        store.xadd("xiaoer:demo:knowledge:gaps", {"text": text, "model": ""})
    store.close()
    assert main(["gaps", "--shop", "demo"], env) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.split()[0] == "2"
    assert "engrave" in first
