"""Composes training dialogues: a shop, a customer's turns, the right calls and answers.

Output is a list of chat messages in OpenAI's form, tool arguments as objects. The facts come
from ``world.py``, the customers' words from ``phrases.py``, the assistant's from ``answers.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.inference.demo import answers
from services.inference.demo.phrases import Phrases, Topic, mistype, roughen
from services.inference.demo.world import Language, Order, Product, World

Message = dict[str, Any]
Call = tuple[str, dict[str, str], dict[str, Any]]

CONTRACT: dict[str, Any] = json.loads(
    Path(__file__).with_name("contract.json").read_text(encoding="utf-8")
)

_OPENERS = {
    "order_status": 12, "order_tracking": 4, "order_items": 3, "order_time": 2.5, "order_eta": 4,
    "order_no_number": 15, "order_eta_no_number": 3, "order_list": 5,
    "price": 11, "stock": 10, "ships_from": 4, "warranty": 5.5, "overview": 5,
    "price_stock": 2, "price_warranty": 1.5, "stock_ships": 1.5, "quantity": 3,
    "compare": 5, "both_stock": 1.5, "order_and_price": 2, "order_and_stock": 1.5, "joined": 10,
    "policy": 60, "policy_unknown": 8, "unknown_fact": 11, "passage": 5,
    "greeting": 2, "who_are_you": 1, "offtopic": 5, "complaint": 1.5, "unclear": 1.5,
    "order_action": 2.5, "thanks": 0.7, "bye": 0.5,
}  # fmt: skip
_ORDER_ASKS = {"order_status": "status", "order_tracking": "tracking", "order_items": "items",
               "order_time": "time", "order_eta": "eta"}  # fmt: skip
_PRODUCT_ASKS = ("price", "stock", "ships_from", "warranty", "overview", "price_stock",
                 "price_warranty", "stock_ships", "quantity", "unknown_fact")  # fmt: skip
# A question on one of these may be answered by a statement on another, so it is not "unknown".
_NEAR_TOPICS: tuple[frozenset[str], ...] = (
    frozenset({"free_shipping", "shipping_fee", "remote_areas"}),
    frozenset({"returns_window", "exchange", "opened_items", "return_shipping_fee"}),
    frozenset({"refund_time", "refund_method"}),
    frozenset({"dispatch_time", "delivery_time", "presale_deposit"}),
    frozenset({"invoice", "company_invoice"}),
    frozenset({"payment_methods", "cash_on_delivery", "instalments"}),
    frozenset({"coupon_use", "coupon_stacking"}),
    frozenset({"member_discount", "points", "student_discount", "bulk_purchase"}),
    frozenset({"warranty_service", "repair", "damaged_on_arrival", "missing_parts"}),
    frozenset({"service_hours", "contact_phone"}),
    frozenset({"order_cancel_rule", "change_address_rule"}),
    frozenset({"packaging", "gift_wrap"}),
    frozenset({"couriers", "self_pickup"}),
)
_ENOUGH_BYTES = 700  # a dialogue this long gets no further turn, so that most fit a training block
_LATIN_TAIL = re.compile(r"([\u4e00-\u9fff])([A-Za-z0-9]+)$")
_SHIPPING = frozenset({"free_shipping", "shipping_fee"})
_FOLLOW_PRODUCT = ("fu_price", "fu_stock", "fu_ships", "fu_warranty", "fu_unknown")
_UNKNOWN = frozenset({"unknown_fact", "fu_unknown"})
_FOLLOW_ORDER = {
    "fu_tracking": "tracking",
    "fu_items": "items",
    "fu_status": "status",
    "fu_eta": "eta",
}


@dataclass(frozen=True)
class Shop:
    """What the system prompt says of a shop."""

    language: Language
    name: str
    system: str
    stated: dict[str, str]
    silent: dict[str, Topic]


@dataclass
class _State:
    """What the conversation is about so far."""

    shop: Shop
    signed_in: bool
    messages: list[Message]
    product: Product | None = None
    order: Order | None = None
    order_ask: str = "status"
    listed: list[Order] = field(default_factory=list)
    missed_order: bool = False
    ended: bool = False
    weighed: bool = False  # the last answer took a decision of its own, not only its calls


class Composer:
    """Draws shops and dialogues of one language and split."""

    def __init__(self, phrases: Phrases, world: World) -> None:
        self.phrases = phrases
        self.world = world
        self.rng = world.rng
        self.language = phrases.language

    # -- shops ---------------------------------------------------------------------------

    def shop(self) -> Shop:
        """Draw a shop with four to eleven stated policies."""
        rng = self.rng
        keys = list(self.phrases.topics)
        stated_keys = rng.sample(keys, rng.randint(4, 11))
        stated = {
            key: self._fill(rng.choice(self.phrases.topics[key].statements), self._numbers())
            for key in stated_keys
        }
        name = rng.choice(self.world.words.shops)
        system = CONTRACT["system"].format(
            name=name,
            tone=rng.choice(self.world.words.tones),
            policies="\n".join(f"- {line}" for line in stated.values()),
        )
        near = {key for group in _NEAR_TOPICS if group & stated.keys() for key in group}
        silent = {
            key: topic
            for key, topic in self.phrases.topics.items()
            if key not in stated and key not in near
        }
        return Shop(self.language, name, system, stated, silent)

    def _numbers(self) -> dict[str, str]:
        rng = self.rng
        return {
            "n": str(rng.choice((rng.randint(1, 10), rng.randint(2, 36)))),
            "days": str(
                rng.choice((1, 2, 3, 5, 7, 10, 14, 15, 20, 30, 45, 60, rng.randint(1, 90)))
            ),
            "amount": str(
                rng.choice((5, 8, 10, 20, 49, 59, 79, 88, 99, 129, 199, 299, rng.randint(1, 999)))
            ),
            "time": f"{rng.randint(6, 23)}:{rng.choice(('00', '30'))}",
        }

    @staticmethod
    def _fill(template: str, slots: dict[str, str]) -> str:
        for key, value in slots.items():
            template = template.replace("{" + key + "}", value)
        return template

    # -- what a customer types ---------------------------------------------------------------

    def _line(self, intent: str, **slots: str) -> str:
        template = roughen(self.phrases.pick(intent, self.rng), self.language, self.rng)
        return self._fill(template, slots)

    def _dress(self, text: str) -> str:
        """Put small talk and back-story around a question, as people do."""
        rng = self.rng
        if rng.random() < 0.16:
            text = self._before(self._line("preamble")) + text
        if rng.random() < 0.16:
            text = self._before(self._line("opener")) + text
        if rng.random() < 0.12:
            text = self._before(text) + self._line("closer")
        return text

    def _before(self, text: str) -> str:
        """End a piece so that another can follow; people forget the stop but leave some gap."""
        text = text.rstrip()
        if self.language == "en":
            return text + (self.rng.choice((" ", ". ", ", ")) if text[-1].isalnum() else " ")
        return text + (self.rng.choice(("，", "，", " ", "。")) if text[-1].isalnum() else "")

    def _mention(self, product: Product) -> str:
        """Name a product as a customer would; the call's argument is the same characters."""
        rng, name = self.rng, product.name
        if rng.random() < 0.07:
            return product.sku if rng.random() < 0.7 else product.sku.lower()
        if product.shorter and rng.random() < 0.2:
            name = rng.choice(product.shorter)
        if self.language == "en":
            if rng.random() < 0.45:
                name = name.lower()
            return mistype(name, rng) if rng.random() < 0.07 else name
        if rng.random() < 0.12:
            name = name.lower()
        if rng.random() < 0.08:
            name = _LATIN_TAIL.sub(r"\1 \2", name)
        return name

    def _number(self, order_id: str) -> str:
        """Type an order number as a customer would."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.14:
            return order_id.lower()
        if draw < 0.2 and order_id[:3].isalpha():
            return f"{order_id[:3]} {order_id[3:]}"
        if draw < 0.24 and len(order_id) > 10:
            cut = rng.randint(4, len(order_id) - 4)
            return f"{order_id[:cut]}{rng.choice((' ', '-'))}{order_id[cut:]}"
        return order_id

    # -- exchanges ---------------------------------------------------------------------------

    def _exchange(self, state: _State, user: str, calls: list[Call], answer: str) -> None:
        state.messages.append({"role": "user", "content": user})
        if calls:
            state.messages.append(
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [
                        {"type": "function", "function": {"name": name, "arguments": arguments}}
                        for name, arguments, _ in calls
                    ],
                }
            )
            state.messages.extend(
                {
                    "role": "tool",
                    "content": json.dumps(result, ensure_ascii=False, separators=(",", ":")),
                }
                for _, _, result in calls
            )
        state.messages.append({"role": "assistant", "content": answer})

    def _order_call(self, state: _State, order: Order, typed: str, *, may_miss: bool) -> Call:
        result: dict[str, Any] = order.result()
        state.missed_order = False
        draw = self.rng.random()
        if not state.signed_in:
            result = {"error": "sign_in_required"}
        elif draw < 0.025:
            result = {"error": "tool_unavailable"}
        elif may_miss and draw < 0.12:
            result = {"error": "order_not_found"}
            state.missed_order = True
        state.order = None if "error" in result else order
        state.product = None
        return ("query_order_status", {"order_id": typed}, result)

    def _product_call(self, state: _State, product: Product, typed: str, *, may_miss: bool) -> Call:
        result: dict[str, Any] = product.result()
        draw = self.rng.random()
        if draw < 0.02:
            result = {"error": "tool_unavailable"}
        elif may_miss and draw < 0.09:
            result = {"error": "product_not_found"}
        elif may_miss and draw < 0.16:
            rivals = [product.name] + [
                self._sibling(product.name) for _ in range(self.rng.choice((0, 1, 1, 2)))
            ]
            self.rng.shuffle(rivals)
            result = {"error": "ambiguous_product", "candidates": rivals}
        state.product = None if "error" in result else product
        state.order = None
        return ("query_inventory", {"product": typed}, result)

    def _sibling(self, name: str) -> str:
        gap = "" if self.language == "zh" else " "
        return name + gap + self.rng.choice(self.world.words.suffixes)

    def _order_turn(self, state: _State, intent: str, ask: str, order: Order) -> None:
        typed = self._number(order.order_id)
        user = self._dress(self._line(intent, order_id=typed))
        call = self._order_call(state, order, typed, may_miss=True)
        state.order_ask = ask
        state.weighed = ask == "eta"
        self._exchange(
            state, user, [call], answers.order_answer(self.language, ask, call[2], typed)
        )

    def _same_order_turn(self, state: _State, order: Order, intent: str, ask: str) -> None:
        call = self._order_call(state, order, order.order_id, may_miss=False)
        answer = answers.order_answer(self.language, ask, call[2], order.order_id)
        self._exchange(state, self._line(intent), [call], answer)

    def _list_turn(self, state: _State, intent: str, ask: str) -> None:
        user = self._dress(self._line(intent))
        orders = self.world.orders()
        result: dict[str, Any] = {"orders": [order.entry() for order in orders]}
        if not state.signed_in:
            result = {"error": "sign_in_required"}
        elif self.rng.random() < 0.025:
            result = {"error": "tool_unavailable"}
        known = orders if "error" not in result else []
        state.product, state.order = None, known[0] if known and ask != "all" else None
        state.listed = known if ask == "all" else []
        call = ("list_recent_orders", dict[str, str](), result)
        self._exchange(state, user, [call], answers.list_answer(self.language, ask, result))

    def _pick_turn(self, state: _State) -> None:
        listed, rng = state.listed, self.rng
        if rng.random() < 0.3:
            order = rng.choice(listed)
            item = order.items[0]["name"]
            if sum(item in str(other.items) for other in listed) == 1:
                typed = item.lower() if self.language == "en" and rng.random() < 0.5 else item
                self._pick(state, order, "pick_item", product=typed)
                return
        index = rng.randrange(len(listed))
        last = index == len(listed) - 1 and (index > 2 or rng.random() < 0.4)
        intent = "pick_last" if last else f"pick_{index + 1}"
        if index > 2 and not last:
            index, intent = 0, "pick_1"
        self._pick(state, listed[index], intent)

    def _pick(self, state: _State, order: Order, intent: str, **slots: str) -> None:
        call = self._order_call(state, order, order.order_id, may_miss=False)
        state.listed = []
        answer = answers.order_answer(self.language, "status", call[2], order.order_id)
        self._exchange(state, self._line(intent, **slots), [call], answer)

    def _product_turn(self, state: _State, intent: str) -> None:
        product = self.world.product()
        typed = self._mention(product)
        n = self.rng.choice((2, 3, 5, 10, 20, 50, self.rng.randint(2, 300)))
        user = self._dress(self._line(intent, product=typed, n=str(n)))
        call = self._product_call(state, product, typed, may_miss=True)
        self._exchange(state, user, [call], self._product_answer(state, intent, call))
        if call[2].get("error") == "ambiguous_product" and self.rng.random() < 0.7:
            self._choose_turn(state, product)

    def _product_answer(self, state: _State, intent: str, call: Call) -> str:
        """State the facts found, or that the one asked for is not among them."""
        if intent in _UNKNOWN:
            state.weighed = True
            if "error" not in call[2]:
                return answers.say(self.language, "unconfirmed")
        return answers.product_answer(self.language, call[2], call[1]["product"])

    def _choose_turn(self, state: _State, product: Product) -> None:
        """The customer names one of the candidates; the first question stands."""
        user = (
            product.name
            if self.rng.random() < 0.5
            else self._line("fu_other", product=product.name)
        )
        call = self._product_call(state, product, product.name, may_miss=False)
        answer = answers.product_answer(self.language, call[2], product.name)
        self._exchange(state, user, [call], answer)

    def _same_product_turn(self, state: _State, product: Product, intent: str) -> None:
        call = self._product_call(state, product, product.name, may_miss=False)
        answer = self._product_answer(state, intent, call)
        self._exchange(state, self._line(intent), [call], answer)

    def _two_product_turn(self, state: _State, intent: str) -> None:
        first, second = self.world.product(), self.world.product()
        if self.rng.random() < 0.3:
            second = self.world.product(self._sibling(first.name))
        typed = [self._mention(first), self._mention(second)]
        user = self._dress(self._line(intent, product=typed[0], product2=typed[1]))
        if user.find(typed[1]) < user.find(typed[0]):
            first, second, typed = second, first, typed[::-1]
        calls = [
            self._product_call(state, first, typed[0], may_miss=self.rng.random() < 0.3),
            self._product_call(state, second, typed[1], may_miss=self.rng.random() < 0.3),
        ]
        state.product = None
        answer = self._join(
            [
                answers.product_answer(self.language, call[2], name)
                for call, name in zip(calls, typed, strict=True)
            ]
        )
        self._exchange(state, user, calls, answer)

    def _order_and_product_turn(self, state: _State, intent: str) -> None:
        order, product = self.world.order(), self.world.product()
        number, mention = self._number(order.order_id), self._mention(product)
        user = self._dress(self._line(intent, order_id=number, product=mention))
        parts: list[tuple[Call, str]] = []
        call = self._order_call(state, order, number, may_miss=True)
        parts.append((call, answers.order_answer(self.language, "status", call[2], number)))
        call = self._product_call(state, product, mention, may_miss=True)
        parts.append((call, answers.product_answer(self.language, call[2], mention)))
        if user.find(mention) < user.find(number):
            parts.reverse()
        state.product = None
        self._exchange(
            state, user, [call for call, _ in parts], self._join([text for _, text in parts])
        )

    def _join(self, sentences: list[str]) -> str:
        return ("" if self.language == "zh" else " ").join(dict.fromkeys(sentences))

    def _part(self, state: _State) -> tuple[str, list[Call], str]:
        """One half of a message that asks two things."""
        rng, kind = (
            self.rng,
            self.rng.choices(("product", "order", "policy", "unknown"), (40, 25, 28, 7))[0],
        )
        if kind == "product":
            ask = rng.choice(("price", "stock", "ships_from", "warranty"))
            product = self.world.product()
            typed = self._mention(product)
            call = self._product_call(state, product, typed, may_miss=True)
            text = self._line(ask, product=typed)
            return text, [call], answers.product_answer(self.language, call[2], typed)
        if kind == "order":
            intent = rng.choice(("order_status", "order_tracking", "order_eta"))
            order = self.world.order()
            number = self._number(order.order_id)
            call = self._order_call(state, order, number, may_miss=True)
            answer = answers.order_answer(self.language, _ORDER_ASKS[intent], call[2], number)
            return self._line(intent, order_id=number), [call], answer
        if kind == "policy":
            key = rng.choice(list(state.shop.stated))
            return self._question(self.phrases.topics[key]), [], state.shop.stated[key]
        topic = rng.choice(list(state.shop.silent.values()))
        return self._question(topic), [], answers.say(self.language, "unconfirmed")

    def _joined_turn(self, state: _State) -> None:
        first, second = self._part(state), self._part(state)
        joiner = self.phrases.pick("joiner", self.rng)
        strip = "。？！?.! "
        user = self._fill(joiner, {"a": first[0].rstrip(strip), "b": second[0].rstrip(strip)})
        if user.find(second[0].rstrip(strip)) < user.find(first[0].rstrip(strip)):
            first, second = second, first
        state.product = state.order = None
        self._exchange(
            state, self._dress(user), first[1] + second[1], self._join([first[2], second[2]])
        )

    def _question(self, topic: Topic) -> str:
        return roughen(self.rng.choice(topic.questions), self.language, self.rng)

    def _policy_turn(self, state: _State) -> None:
        key = self.rng.choice(list(state.shop.stated))
        asked = key
        if key in _SHIPPING and not _SHIPPING - {key} & state.shop.stated.keys():
            asked = self.rng.choice(sorted(_SHIPPING))  # either rule answers either question
        user = self._dress(self._question(self.phrases.topics[asked]))
        self._exchange(state, user, [], state.shop.stated[key])

    def _plain_turn(self, state: _State, user: str, key: str) -> None:
        self._exchange(state, user, [], answers.say(self.language, key, shop=state.shop.name))

    def _passage_turn(self, state: _State) -> None:
        """Passages of the shop's documents come with the question; nothing follows."""
        rng = self.rng
        passages = rng.sample(
            self.phrases.passages, min(rng.choice((1, 2, 2, 3)), len(self.phrases.passages))
        )
        slots = [self._numbers() for _ in passages]
        index = rng.randrange(len(passages))
        target = passages[index]
        if rng.random() < 0.25:
            question, answer = (
                rng.choice(target.unanswerable),
                answers.say(self.language, "unconfirmed"),
            )
        else:
            question, answer = rng.choice(target.qa)
        blocks = "\n".join(
            f"[{passage.title}] {self._fill(passage.text, numbers)}"
            for passage, numbers in zip(passages, slots, strict=True)
        )
        question = self._fill(roughen(question, self.language, rng), slots[index])
        user = f"<context>\n{blocks}\n</context>\n{question}"
        self._exchange(state, user, [], self._fill(answer, slots[index]))
        state.ended = True

    # -- dialogues ---------------------------------------------------------------------------

    def _open(self, state: _State) -> None:
        intent = self.rng.choices(list(_OPENERS), list(_OPENERS.values()))[0]
        if intent in _ORDER_ASKS:
            self._order_turn(state, intent, _ORDER_ASKS[intent], self.world.order())
        elif intent in _PRODUCT_ASKS:
            self._product_turn(state, intent)
        elif intent in {"compare", "both_stock"}:
            self._two_product_turn(state, intent)
        else:
            self._other_turns(state)[intent]()

    def _other_turns(self, state: _State) -> dict[str, Callable[[], None]]:
        rng, world = self.rng, self.world

        def plain(intent: str, key: str, **slots: str) -> Callable[[], None]:
            return lambda: self._plain_turn(state, self._dress(self._line(intent, **slots)), key)

        def talk(intent: str) -> Callable[[], None]:
            return lambda: self._plain_turn(state, self._line(intent), intent)

        def silent() -> None:
            topic = rng.choice(list(state.shop.silent.values()))
            self._plain_turn(state, self._dress(self._question(topic)), "unconfirmed")

        def order_action() -> None:
            named = rng.random() < 0.4
            plain(
                "order_action_id" if named else "order_action",
                "order_action",
                order_id=world.order_id(),
            )()

        turns: dict[str, Callable[[], None]] = {
            "order_no_number": lambda: self._list_turn(state, "order_no_number", "all"),
            "order_eta_no_number": lambda: self._list_turn(state, "order_eta_no_number", "eta"),
            "order_list": lambda: self._list_turn(state, "order_list", "all"),
            "order_and_price": lambda: self._order_and_product_turn(state, "order_and_price"),
            "order_and_stock": lambda: self._order_and_product_turn(state, "order_and_stock"),
            "joined": lambda: self._joined_turn(state),
            "policy": lambda: self._policy_turn(state),
            "policy_unknown": silent,
            "passage": lambda: self._passage_turn(state),
            "order_action": order_action,
        }
        talks = ("greeting", "who_are_you", "offtopic", "complaint", "unclear", "thanks", "bye")
        return turns | {intent: talk(intent) for intent in talks}

    def _follow(self, state: _State) -> bool:
        """Continue on what was just talked about, if there is something; tell whether it did."""
        rng = self.rng
        if state.product is not None:
            draw = rng.random()
            if draw < 0.2:
                self._product_turn(state, "fu_other")
            else:
                intent = rng.choice(_FOLLOW_PRODUCT)
                self._same_product_turn(state, state.product, intent)
        elif state.order is not None:
            if rng.random() < 0.25:
                self._order_turn(state, "order_other", state.order_ask, self.world.order())
            else:
                intent = rng.choice(list(_FOLLOW_ORDER))
                self._same_order_turn(state, state.order, intent, _FOLLOW_ORDER[intent])
        elif state.missed_order:
            self._order_turn(state, "order_correction", state.order_ask, self.world.order())
        elif state.listed:
            self._pick_turn(state)
        else:
            return False
        return True

    def dialogue(self, shop: Shop, *, decision_only: bool = False) -> list[Message]:
        """Compose one dialogue of one to three exchanges in ``shop``; system message included.

        ``decision_only``: a short one that ends with its last call, if its last reply has one.
        """
        rng = self.rng
        state = _State(shop, rng.random() > 0.1, [{"role": "system", "content": shop.system}])
        turns = rng.choices((1, 2, 3), (70, 30, 0) if decision_only else (25, 50, 25))[0]
        for turn in range(turns):
            state.weighed = False
            if turn and rng.random() < 0.06:
                self._plain_turn(state, self._line("thanks"), "thanks")
            elif not (turn and rng.random() < 0.72 and self._follow(state)):
                self._open(state)
            if state.ended or _bytes(state.messages) > _ENOUGH_BYTES:
                break
        if decision_only and not state.weighed:
            return _until_last_call(state.messages)
        return state.messages


def _until_last_call(messages: list[Message]) -> list[Message]:
    """Cut off the results and the answer that follow the last call, if the dialogue ends so."""
    if len(messages) > 3 and messages[-2]["role"] == "tool":
        last = max(i for i, message in enumerate(messages) if message.get("tool_calls"))
        return messages[: last + 1]
    return messages


def _bytes(messages: list[Message]) -> int:
    return sum(len(message["content"].encode()) for message in messages[1:])
