"""What a tool is given besides its arguments: who asks, in which language, and the data."""

from dataclasses import dataclass

import msgspec

from services.tools.catalogue.store import CatalogueStore
from services.tools.db.engine import Database
from services.tools.text import Language


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose data may be read. Comes from the service token and from nowhere else.

    Attributes:
        shop: the shop.
        customer: its customer, or None for a visitor who is not signed in.
        token_id: the token's `jti`, which is the gateway's request id.

    """

    shop: str
    customer: str | None
    token_id: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool.

    Attributes:
        caller: whose data may be read.
        language: language of the names in the result.
        database: the shop's data.
        catalogue: its product names.

    """

    caller: Caller
    language: Language
    database: Database
    catalogue: CatalogueStore

    def name(self, name_zh: str, name_en: str) -> str:
        """Pick a product's name in the call's language, or the one there is."""
        first, second = (name_zh, name_en) if self.language == "zh" else (name_en, name_zh)
        return first or second


class Miss(msgspec.Struct, omit_defaults=True):
    """An expected miss: a result like any other, for the model to explain.

    Attributes:
        error: order_not_found, product_not_found, ambiguous_product or sign_in_required.
        candidates: names to choose from, for ambiguous_product.

    """

    error: str
    candidates: list[str] | msgspec.UnsetType = msgspec.UNSET
