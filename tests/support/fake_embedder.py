"""An embedder without a model: like texts get like vectors, and it counts what it is asked."""

import hashlib
from collections.abc import Sequence

import numpy as np

from services.gateway.embedder import EmbedderAwayError
from services.gateway.safety.folding import folded

DIMENSIONS = 64


class FakeEmbedder:
    """Vectors of character pairs.

    Attributes:
        model: the model's name.
        texts: what was embedded, in order.
        fail_after: texts after which it is away; None: never.
    """

    def __init__(self, model: str = "fake", fail_after: int | None = None) -> None:
        self.model = model
        self.texts: list[str] = []
        self.fail_after = fail_after

    async def embed(self, texts: Sequence[str], timeout_s: float | None = None) -> list[bytes]:
        del timeout_s
        if self.fail_after is not None and len(self.texts) + len(texts) > self.fail_after:
            raise EmbedderAwayError("the embedder gave no vectors: told so")
        self.texts.extend(texts)
        return [vector_of(text) for text in texts]


def vector_of(text: str) -> bytes:
    """Return a text's vector: little-endian float32, of length 1."""
    row = np.full(DIMENSIONS, 1e-3, "<f4")
    plain = folded(text)
    for place in range(len(plain) - 1):
        digest = hashlib.sha256(plain[place : place + 2].encode()).digest()
        row[digest[0] % DIMENSIONS] += 1
    made: bytes = (row / np.linalg.norm(row)).astype("<f4").tobytes()
    return made
