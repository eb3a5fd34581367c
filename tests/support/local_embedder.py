"""An embedder without a server: the real model in this process."""

import asyncio
from collections.abc import Sequence

from services.inference.embedder.models import EmbeddingModel


class LocalEmbedder:
    """Gives the loader and the gateway vectors as the endpoint would.

    Attributes:
        model: the model's name.
        texts: how many were embedded so far.
    """

    def __init__(self, model: EmbeddingModel) -> None:
        self._model = model
        self.model = model.name
        self.texts = 0

    async def embed(self, texts: Sequence[str], timeout_s: float | None = None) -> list[bytes]:
        del timeout_s
        self.texts += len(texts)
        rows = await asyncio.to_thread(self._model.encode, list(texts))
        return [row.tobytes() for row in rows]

    async def question(self, text: str) -> bytes | None:
        return (await self.embed([text]))[0]
