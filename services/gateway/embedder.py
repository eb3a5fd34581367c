"""The embedder as the gateway sees it: texts in, vectors out, or nothing when it is away.

One vector of a question serves the answer cache and the retrieval; whoever is first asks for it.
"""

import base64
from collections.abc import Callable, Sequence

import httpx2
import msgspec
import openai

QUESTION_TIMEOUT_S = 0.5
"""An embedding takes milliseconds; a question goes on without it rather than wait longer."""


class _Item(msgspec.Struct):
    index: int
    embedding: str


class _Reply(msgspec.Struct):
    data: list[_Item]


class EmbedderAwayError(Exception):
    """The embedder did not answer, or not with vectors; says why."""


class Embedder:
    """Asks an OpenAI-shaped `/v1/embeddings` endpoint.

    Args:
        client: of the endpoint; its timeout holds for loading documents.
        model: the model's name there; vectors of another name are never compared with its own.
        warn: called with an event name and fields when the endpoint is away.
    """

    def __init__(self, client: openai.AsyncOpenAI, model: str, warn: Callable[..., object]) -> None:
        self._client = client
        self._warn = warn
        self.model = model
        self._away = False

    async def embed(self, texts: Sequence[str], timeout_s: float | None = None) -> list[bytes]:
        """Return a vector for each text: little-endian float32, of length 1.

        Raises:
            EmbedderAwayError: there are none.
        """
        try:
            # As base64 and unread by the client: parsing 512 numbers as text costs more than the
            # embedding does.
            raw = await self._client.post(
                "/embeddings",
                cast_to=httpx2.Response,
                body={"model": self.model, "input": list(texts), "encoding_format": "base64"},
                options={} if timeout_s is None else {"timeout": timeout_s},
            )
            reply = msgspec.json.decode(raw.content, type=_Reply)
            vectors = {item.index: base64.b64decode(item.embedding) for item in reply.data}
            return [vectors[index] for index in range(len(texts))]
        except (openai.OpenAIError, msgspec.MsgspecError, ValueError, KeyError) as exc:
            raise EmbedderAwayError(f"the embedder gave no vectors: {exc}") from exc

    async def question(self, text: str) -> bytes | None:
        """Return a question's vector; None while the embedder is away, which the log says once."""
        try:
            (vector,) = await self.embed([text], QUESTION_TIMEOUT_S)
        except EmbedderAwayError as exc:
            if not self._away:
                self._away = True
                self._warn("embedder_away", cause=str(exc), effect="questions match by words only")
            return None
        self._away = False
        return vector
