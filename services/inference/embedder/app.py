"""The embedder's application: OpenAI's `POST /v1/embeddings` over a small model on the CPU."""

import asyncio
import base64
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec
from litestar import Litestar, Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from services.inference.embedder.models import EmbeddingModel

MOST_TEXTS = 256
"""In one request; the gateway's loader sends fewer."""
MOST_CHARS = 20_000
"""In one text; longer ones are not what this is for."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class EmbeddingRequest(msgspec.Struct):
    """OpenAI's request, as far as it is meant here."""

    input: str | list[str]
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"


class Embedding(msgspec.Struct):
    """One vector of the reply."""

    index: int
    embedding: list[float] | str
    object: str = "embedding"


class Usage(msgspec.Struct):
    """Characters stand for tokens: the model's own are of no interest to anybody."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingReply(msgspec.Struct):
    """OpenAI's reply."""

    data: list[Embedding]
    model: str
    usage: Usage
    object: str = "list"


def create_app(model: EmbeddingModel) -> Litestar:
    """Return the application for a loaded model."""
    # A thread a core: loading documents keeps them all busy, and the loop stays free.
    cores = len(os.sched_getaffinity(0))
    registry = CollectorRegistry()
    texts_total = Counter(
        "xiaoer_embedder_texts_total", "Texts that were given vectors.", registry=registry
    )
    seconds = Histogram(
        "xiaoer_embedder_request_seconds",
        "Time that a request took, waiting for a thread included.",
        buckets=_SECONDS,
        registry=registry,
    )
    worker = ThreadPoolExecutor(max_workers=cores, thread_name_prefix="embed")

    @post("/v1/embeddings", status_code=HTTP_200_OK)
    async def embeddings(data: JSONBody[EmbeddingRequest]) -> EmbeddingReply:
        texts = [data.input] if isinstance(data.input, str) else data.input
        if not texts or len(texts) > MOST_TEXTS:
            raise HTTPException(f"input must be 1 to {MOST_TEXTS} texts", status_code=400)
        if any(not text.strip() or len(text) > MOST_CHARS for text in texts):
            raise HTTPException(
                f"each text must have 1 to {MOST_CHARS} characters", status_code=400
            )
        if data.model not in {"", model.name}:
            raise HTTPException(f"this endpoint serves {model.name}", status_code=404)
        loop = asyncio.get_running_loop()
        with seconds.time():
            vectors = await loop.run_in_executor(worker, model.encode, texts)
        texts_total.inc(len(texts))
        base64_wanted = data.encoding_format == "base64"
        chars = sum(map(len, texts))
        return EmbeddingReply(
            data=[
                Embedding(
                    index,
                    base64.b64encode(row.tobytes()).decode() if base64_wanted else row.tolist(),
                )
                for index, row in enumerate(vectors)
            ],
            model=model.name,
            usage=Usage(chars, chars),
        )

    @get("/v1/models")
    async def models() -> dict[str, object]:
        entry = {"id": model.name, "object": "model", "owned_by": "xiaoer"}
        return {"object": "list", "data": [entry]}

    @get("/metrics")
    async def metrics() -> Response[bytes]:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    @get("/health")
    async def health() -> Response[str]:
        return Response("ok", media_type="text/plain")

    return Litestar(
        [embeddings, models, metrics, health],
        exception_handlers={HTTPException: _error},
        on_shutdown=[lambda: worker.shutdown(wait=False)],
        openapi_config=None,
        logging_config=None,
    )


def _error(_: object, exc: HTTPException) -> Response[dict[str, object]]:
    """Return an error in OpenAI's shape."""
    kind = "server_error" if exc.status_code >= 500 else "invalid_request_error"
    error = {"message": exc.detail, "type": kind, "param": None, "code": None}
    return Response({"error": error}, status_code=exc.status_code)
