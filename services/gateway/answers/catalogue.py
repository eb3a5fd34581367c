"""Each shop's product words, read from the tools service over and over.

A catalogue is good for one epoch: where the epoch has moved since it was read, questions are not
compared by their words until it was read again.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httpx2
import msgspec

from services.gateway.answers.epoch import Epochs
from services.gateway.answers.lexicon import known_words
from services.gateway.answers.vocabulary import ProductWords
from services.gateway.errors import MemoryAwayError
from services.gateway.identity.tokens import ServiceTokens

REFRESH_S = 30.0
RETRY_S = 1.0
"""How soon a catalogue that was asked for, or could not be read, is tried again."""
TIMEOUT_S = 20.0
"""For reading 100,000 names."""
_THREAD_FROM = 200
"""Catalogues of more products are prepared in a thread, so that the loop is not held up."""


class _Product(msgspec.Struct):
    sku: str
    names: list[str]


class _Catalogue(msgspec.Struct):
    version: int | str
    products: list[_Product]


@dataclass(frozen=True, slots=True)
class Known:
    """A shop's product words, and the epoch they belong to (empty: none yet)."""

    words: ProductWords
    version: str
    epoch: str


class Catalogues:
    """Knows the product words of shops.

    Args:
        client: with the tools service as base URL; closed by whoever made it.
        tokens: mints the service token.
        epochs: of the answers; a new version moves them.
        shops: the shops' ids.
        log: called with an event name and fields.
    """

    def __init__(
        self,
        client: httpx2.AsyncClient,
        tokens: ServiceTokens,
        epochs: Epochs,
        shops: Callable[[], Iterable[str]],
        log: Callable[..., object],
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._epochs = epochs
        self._shops = shops
        self._log = log
        self._known: dict[str, Known] = {}
        self._wanted = asyncio.Event()
        self._failing: set[str] = set()

    def known(self, shop: str) -> Known | None:
        """Return a shop's product words; None until they could be read."""
        return self._known.get(shop)

    def ask(self) -> None:
        """Have the catalogues read soon: an epoch has moved."""
        self._wanted.set()

    async def keep_reading(self) -> None:
        """Read the catalogues over and over, until cancelled."""
        while True:
            self._wanted.clear()
            shops = list(self._shops())
            for shop in [shop for shop in self._known if shop not in shops]:
                del self._known[shop]
            fine = [await self._tried(shop) for shop in shops]
            if not all(fine):
                await asyncio.sleep(RETRY_S)
                continue
            try:
                async with asyncio.timeout(REFRESH_S):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    async def _tried(self, shop: str) -> bool:
        try:
            settled = await self.read(shop)
        except (httpx2.HTTPError, msgspec.MsgspecError, MemoryAwayError, TimeoutError) as exc:
            if shop not in self._failing:
                self._failing.add(shop)
                self._log("catalogue_not_read", shop=shop, reason=type(exc).__name__)
            return False
        self._failing.discard(shop)
        return settled

    async def read(self, shop: str) -> bool:
        """Read a shop's catalogue. Tell whether nothing changed while it was read.

        Raises:
            httpx2.HTTPError: the tools service does not answer as it should.
            msgspec.MsgspecError: its answer is no catalogue.
            MemoryAwayError: Redis is away.
            TimeoutError: it takes too long.
        """
        known = self._known.get(shop)
        before = await self._epochs.now(shop)
        token = self._tokens.mint(shop_id=shop, customer=None, request_id="catalogue")
        headers = {"authorization": f"Bearer {token}"}
        if known:
            headers["if-none-match"] = f'"{known.version}"'
        async with asyncio.timeout(TIMEOUT_S):
            response = await self._client.get("/v1/catalogue", headers=headers, timeout=TIMEOUT_S)
            if known and response.status_code == httpx2.codes.NOT_MODIFIED:
                words, version = known.words, known.version
            else:
                response.raise_for_status()
                words, version = await _prepared(response.content)
        epoch = await self._epochs.seen(shop, version, before)
        self._known[shop] = Known(words, version, epoch)
        return bool(epoch)


async def _prepared(body: bytes) -> tuple[ProductWords, str]:
    catalogue = msgspec.json.decode(body, type=_Catalogue)
    products = [(product.sku, product.names) for product in catalogue.products]
    if len(products) > _THREAD_FROM:
        words = await asyncio.to_thread(ProductWords, products, known_words())
    else:
        words = ProductWords(products, known_words())
    return words, str(catalogue.version)
