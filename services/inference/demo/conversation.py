"""A conversation under way: its messages, and what they have been about so far."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from services.inference.demo.context import with_context
from services.inference.demo.contract import Message
from services.inference.demo.shops import Shop
from services.inference.demo.world import Order, Product, World

Call = tuple[str, dict[str, str], dict[str, Any]]
Told = Literal["call", "start", "reply"]
"""Where the last exchange's decisions end: its calls, its reply's start, or the whole reply."""


@dataclass
class Conversation:
    """Messages in OpenAI's form, and what a follow-up may refer to."""

    shop: Shop
    world: World
    signed_in: bool
    messages: list[Message]
    product: Product | None = None
    order: Order | None = None
    order_ask: str = "status"
    listed: list[Order] = field(default_factory=list)
    missed_order: bool = False
    ended: bool = False
    told: Told = "start"
    passages: list[str] | None = None
    """What retrieval finds for the last question; None where nothing was said of it."""
    _question: int = 0
    _exchanges: list[tuple[int, bool]] = field(default_factory=list)

    def exchange(
        self,
        user: str,
        calls: list[Call],
        answer: str,
        passages: list[str] | None = None,
        *,
        quoted: bool = False,
    ) -> None:
        """Add a question, the calls it takes with their results, and the answer.

        Args:
            user: the question.
            calls: name, arguments and result of each.
            answer: the reply that ends the exchange.
            passages: what retrieval finds for the question, where the answer depends on it; only
                the last question shows it.
            quoted: whether the answer cannot be given without them.
        """
        self.passages, self._question = passages, len(self.messages)
        self._exchanges.append((len(self.messages), quoted))
        self.messages.append({"role": "user", "content": user})
        if calls:
            self.messages.append(
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [
                        {"type": "function", "function": {"name": name, "arguments": arguments}}
                        for name, arguments, _ in calls
                    ],
                }
            )
            self.messages.extend(
                {
                    "role": "tool",
                    "content": json.dumps(result, ensure_ascii=False, separators=(",", ":")),
                }
                for _, _, result in calls
            )
        self.messages.append({"role": "assistant", "content": answer})

    def settle(self) -> list[Message]:
        """Return the messages as the model sees them: passages with the last question only.

        What was answered from passages that are gone is in the history and not to be learnt:
        its replies are marked so.
        """
        for (_, quoted), (following, _) in pairwise(self._exchanges):
            if quoted:
                self.messages[following - 1]["learn"] = False
        last = self.messages[self._question]
        last["content"] = with_context(self.passages or [], last["content"])
        return self.messages

    def order_call(self, order: Order, typed: str, *, may_miss: bool) -> Call:
        """Look an order up by what was typed; now and then it is not found or the tool is down."""
        result: dict[str, Any] = order.result()
        self.missed_order = False
        draw = self.world.rng.random()
        if not self.signed_in:
            result = {"error": "sign_in_required"}
        elif draw < 0.025:
            result = {"error": "tool_unavailable"}
        elif may_miss and draw < 0.12:
            result = {"error": "order_not_found"}
            self.missed_order = True
        self.order = None if "error" in result else order
        self.product = None
        return ("query_order_status", {"order_id": typed}, result)

    def product_call(self, product: Product, typed: str, *, may_miss: bool) -> Call:
        """Look a product up; now and then it is not found, or the name fits several."""
        result: dict[str, Any] = product.result()
        draw = self.world.rng.random()
        if draw < 0.02:
            result = {"error": "tool_unavailable"}
        elif may_miss and draw < 0.09:
            result = {"error": "product_not_found"}
        elif may_miss and draw < 0.16:
            rivals = [product.name] + [
                self.world.sibling(product.name) for _ in range(self.world.rng.choice((0, 1, 1, 2)))
            ]
            self.world.rng.shuffle(rivals)
            result = {"error": "ambiguous_product", "candidates": rivals}
        self.product = None if "error" in result else product
        self.order = None
        return ("query_inventory", {"product": typed}, result)
