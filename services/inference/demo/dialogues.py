"""Composes training dialogues: a shop, a customer's turns, the right calls and answers.

Output is a list of chat messages in OpenAI's form, tool arguments as objects. The facts come
from ``world.py``, the customers' words from ``phrases.py``, the assistant's from ``answers.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.inference.demo import answers
from services.inference.demo.context import Retrieval
from services.inference.demo.contract import Message
from services.inference.demo.conversation import Call, Conversation
from services.inference.demo.customer import Customer
from services.inference.demo.phrases import Phrases, roughen
from services.inference.demo.shops import Shop, draw_shop, fill, numbers
from services.inference.demo.world import Order, Product, World

_OPENERS = {
    "order_status": 12, "order_tracking": 4, "order_items": 3, "order_time": 2.5, "order_eta": 7,
    "order_no_number": 15, "order_of_product": 9, "order_eta_no_number": 4, "order_list": 5,
    "price": 13, "stock": 11, "ships_from": 4, "warranty": 8, "overview": 4,
    "price_stock": 2, "price_warranty": 1.5, "stock_ships": 1.5, "quantity": 3,
    "compare": 6, "both_stock": 2, "order_and_price": 2, "order_and_stock": 1.5, "joined": 13,
    "policy": 60, "policy_unknown": 6, "shop_unknown": 6, "unknown_fact": 13, "passage": 14,
    "greeting": 2, "who_are_you": 1, "offtopic": 5, "complaint": 1.5, "unclear": 1.5,
    "order_action": 2.5, "thanks": 0.7, "bye": 0.5,
}  # fmt: skip
_ORDER_ASKS = {"order_status": "status", "order_tracking": "tracking", "order_items": "items",
               "order_time": "time", "order_eta": "eta"}  # fmt: skip
_PRODUCT_ASKS = ("price", "stock", "ships_from", "warranty", "overview", "price_stock",
                 "price_warranty", "stock_ships", "quantity", "unknown_fact")  # fmt: skip
_ENOUGH_BYTES = 700  # a dialogue this long gets no further turn, so that most fit a training block
_SHIPPING = frozenset({"free_shipping", "shipping_fee"})
_FOLLOW_PRODUCT = ("fu_price", "fu_stock", "fu_ships", "fu_warranty", "fu_unknown")
_UNKNOWN = frozenset({"unknown_fact", "fu_unknown"})
_FOLLOW_ORDER = {
    "fu_tracking": "tracking",
    "fu_items": "items",
    "fu_status": "status",
    "fu_eta": "eta",
}


class Composer:
    """Draws shops and dialogues of one language and split."""

    def __init__(self, phrases: Phrases, world: World) -> None:
        self.phrases = phrases
        self.world = world
        self.rng = world.rng
        self.language = phrases.language
        self.customer = Customer(phrases, world)
        self.retrieval = Retrieval(phrases, world.rng)

    def shop(self) -> Shop:
        """Draw a shop of this language."""
        return draw_shop(self.phrases, self.world)

    def _order_turn(self, state: Conversation, intent: str, ask: str, order: Order) -> None:
        typed = self.customer.number(order.order_id)
        user = self.customer.ask(intent, order_id=typed)
        call = state.order_call(order, typed, may_miss=True)
        state.order_ask = ask
        state.told = "reply" if ask == "eta" or self.rng.random() < 0.3 else "call"
        state.exchange(user, [call], answers.order_answer(self.language, ask, call[2], typed))

    def _same_order_turn(self, state: Conversation, order: Order, intent: str, ask: str) -> None:
        call = state.order_call(order, order.order_id, may_miss=False)
        state.told = "reply" if ask == "eta" else "call"
        answer = answers.order_answer(self.language, ask, call[2], order.order_id)
        state.exchange(self.customer.line(intent), [call], answer)

    def _list_turn(self, state: Conversation, intent: str, ask: str) -> None:
        orders = self.world.orders()
        bought = self.world.product()
        user = self.customer.ask(intent, product=self.customer.name(bought))
        if intent == "order_of_product" and orders and self.rng.random() < 0.9:
            held = self.rng.choice(orders)
            held.items[0]["name"] = bought.name
        else:
            held = None
        result: dict[str, Any] = {"orders": [order.entry() for order in orders]}
        if not state.signed_in:
            result = {"error": "sign_in_required"}
        elif self.rng.random() < 0.025:
            result = {"error": "tool_unavailable"}
        known = orders if "error" not in result else []
        if ask != "all":
            held = orders[0] if orders else None
        state.product, state.order = None, held if known else None
        state.listed = known if held is None else []
        state.told = "reply" if self.rng.random() < 0.4 else "call"
        call = ("list_recent_orders", dict[str, str](), result)
        answer = answers.list_answer(self.language, ask, result, bought.name)
        state.exchange(user, [call], answer)

    def _pick_turn(self, state: Conversation) -> None:
        listed, rng = state.listed, self.rng
        if rng.random() < 0.6:
            order = rng.choice(listed)
            item = order.items[0]["name"]
            if sum(item in str(other.items) for other in listed) == 1:
                typed = self.customer.part(item, [str(other.items) for other in listed])
                self._pick(state, order, "pick_item", product=typed)
                return
        index = rng.randrange(len(listed))
        last = index == len(listed) - 1 and (index > 2 or rng.random() < 0.4)
        intent = "pick_last" if last else f"pick_{index + 1}"
        if index > 2 and not last:
            index, intent = 0, "pick_1"
        self._pick(state, listed[index], intent)

    def _pick(self, state: Conversation, order: Order, intent: str, **slots: str) -> None:
        call = state.order_call(order, order.order_id, may_miss=False)
        state.listed = []
        state.told = "call"
        answer = answers.order_answer(self.language, "status", call[2], order.order_id)
        state.exchange(self.customer.line(intent, **slots), [call], answer)

    def _product_turn(
        self, state: Conversation, intent: str, product: Product | None = None
    ) -> None:
        product = product or self.world.product()
        typed = self.customer.mention(product)
        n = self.rng.choice((2, 3, 5, 10, 20, 50, self.rng.randint(2, 300)))
        user = self.customer.ask(intent, product=typed, n=str(n))
        call = state.product_call(product, typed, may_miss=True)
        state.exchange(user, [call], self._product_answer(state, intent, call))
        if call[2].get("error") == "ambiguous_product" and self.rng.random() < 0.7:
            self._choose_turn(state, product, intent)

    def _product_answer(self, state: Conversation, intent: str, call: Call) -> str:
        """State the facts found, or that the one asked for is not among them."""
        state.told = "start" if "error" not in call[2] else "call"
        if intent in _UNKNOWN and "error" not in call[2]:
            return answers.say(self.language, "unconfirmed")
        of_warranty = "warranty" in intent
        if of_warranty and call[2].get("warranty_months") is None:
            state.told = "reply"
        return answers.product_answer(
            self.language, call[2], call[1]["product"], of_warranty=of_warranty
        )

    def _choose_turn(self, state: Conversation, product: Product, intent: str) -> None:
        """The customer names one of the candidates; the first question stands."""
        user = (
            product.name
            if self.rng.random() < 0.5
            else self.customer.line("fu_other", product=product.name)
        )
        call = state.product_call(product, product.name, may_miss=False)
        state.exchange(user, [call], self._product_answer(state, intent, call))

    def _same_product_turn(self, state: Conversation, product: Product, intent: str) -> None:
        call = state.product_call(product, product.name, may_miss=False)
        answer = self._product_answer(state, intent, call)
        state.exchange(self.customer.line(intent), [call], answer)

    def _two_product_turn(self, state: Conversation, intent: str) -> None:
        first, second = self.world.product(), self.world.product()
        if self.rng.random() < 0.3:
            second = self.world.product(self.world.sibling(first.name))
        typed = [self.customer.mention(first), self.customer.mention(second)]
        user = self.customer.ask(intent, product=typed[0], product2=typed[1])
        if user.find(typed[1]) < user.find(typed[0]):
            first, second, typed = second, first, typed[::-1]
        calls = [
            state.product_call(first, typed[0], may_miss=self.rng.random() < 0.3),
            state.product_call(second, typed[1], may_miss=self.rng.random() < 0.3),
        ]
        state.product, state.told = None, "call"
        answer = self._join(
            [
                answers.product_answer(self.language, call[2], name)
                for call, name in zip(calls, typed, strict=True)
            ]
        )
        state.exchange(user, calls, answer)

    def _order_and_product_turn(self, state: Conversation, intent: str) -> None:
        order, product = self.world.order(), self.world.product()
        number, mention = self.customer.number(order.order_id), self.customer.mention(product)
        user = self.customer.ask(intent, order_id=number, product=mention)
        parts: list[tuple[Call, str]] = []
        call = state.order_call(order, number, may_miss=True)
        parts.append((call, answers.order_answer(self.language, "status", call[2], number)))
        call = state.product_call(product, mention, may_miss=True)
        parts.append((call, answers.product_answer(self.language, call[2], mention)))
        if user.find(mention) < user.find(number):
            parts.reverse()
        state.product, state.told = None, "call"
        state.exchange(user, [call for call, _ in parts], self._join([text for _, text in parts]))

    def _join(self, sentences: list[str]) -> str:
        return ("" if self.language == "zh" else " ").join(dict.fromkeys(sentences))

    def _part(self, state: Conversation) -> tuple[str, list[Call], str, str]:
        """One half of a message that asks two things; the last is the topic of its policy."""
        rng, kind = (
            self.rng,
            self.rng.choices(("product", "order", "policy", "unknown"), (40, 25, 28, 7))[0],
        )
        if kind == "product":
            ask = rng.choice(("price", "stock", "ships_from", "warranty"))
            product = self.world.product()
            typed = self.customer.mention(product)
            call = state.product_call(product, typed, may_miss=True)
            text = self.customer.line(ask, product=typed)
            answer = answers.product_answer(
                self.language, call[2], typed, of_warranty=ask == "warranty"
            )
            return text, [call], answer, ""
        if kind == "order":
            intent = rng.choice(("order_status", "order_tracking", "order_eta"))
            order = self.world.order()
            number = self.customer.number(order.order_id)
            call = state.order_call(order, number, may_miss=True)
            answer = answers.order_answer(self.language, _ORDER_ASKS[intent], call[2], number)
            return self.customer.line(intent, order_id=number), [call], answer, ""
        if kind == "policy":
            key = rng.choice(list(state.shop.stated))
            asked = self.customer.question(self.phrases.topics[key])
            return asked, [], state.shop.stated[key], key
        topic = rng.choice(list(state.shop.silent.values()))
        return self.customer.question(topic), [], answers.say(self.language, "unconfirmed"), ""

    def _joined_turn(self, state: Conversation) -> None:
        first, second = self._part(state), self._part(state)
        joiner = self.phrases.pick("joiner", self.rng)
        strip = "。？！?.! "
        user = fill(joiner, {"a": first[0].rstrip(strip), "b": second[0].rstrip(strip)})
        if user.find(second[0].rstrip(strip)) < user.find(first[0].rstrip(strip)):
            first, second = second, first
        state.product = state.order = None
        state.told = "reply" if not first[1] or self.rng.random() < 0.3 else "call"
        keys = [part[3] for part in (first, second) if part[3]]
        found = self.retrieval.relevant(state.shop, keys) if keys else None
        answer = self._join([first[2], second[2]])
        user = self.customer.dress(user)
        state.exchange(user, first[1] + second[1], answer, found, quoted=bool(keys))

    def _policy_turn(self, state: Conversation) -> None:
        key = self.rng.choice(list(state.shop.stated))
        asked = key
        if key in _SHIPPING and not _SHIPPING - {key} & state.shop.stated.keys():
            asked = self.rng.choice(sorted(_SHIPPING))  # either rule answers either question
        user = self.customer.ask_policy(self.phrases.topics[asked])
        found = self.retrieval.relevant(state.shop, [key])
        state.exchange(user, [], state.shop.stated[key], found, quoted=True)

    def _plain_turn(self, state: Conversation, user: str, key: str) -> None:
        state.exchange(user, [], answers.say(self.language, key, shop=state.shop.name))

    def _passage_turn(self, state: Conversation) -> None:
        """A question on what a product's page says, or does not say."""
        rng = self.rng
        passages = rng.sample(
            self.phrases.passages, min(rng.choice((1, 2, 2, 3)), len(self.phrases.passages))
        )
        slots = [numbers(rng) for _ in passages]
        index = rng.randrange(len(passages))
        target = passages[index]
        if rng.random() < 0.25:
            question, answer = (
                rng.choice(target.unanswerable),
                answers.say(self.language, "unconfirmed"),
            )
        else:
            question, answer = rng.choice(target.qa)
        found = [
            f"[{passage.title}] {fill(passage.text, numbers)}"
            for passage, numbers in zip(passages, slots, strict=True)
        ]
        if rng.random() < 0.3:
            found += self.retrieval.irrelevant(state.shop)[:1]
        question = fill(roughen(question, self.language, rng), slots[index])
        state.exchange(question, [], fill(answer, slots[index]), found, quoted=True)

    # -- dialogues ---------------------------------------------------------------------------

    def _open(self, state: Conversation) -> None:
        intent = self.rng.choices(list(_OPENERS), list(_OPENERS.values()))[0]
        if intent in _ORDER_ASKS:
            self._order_turn(state, intent, _ORDER_ASKS[intent], self.world.order())
        elif intent in _PRODUCT_ASKS:
            self._product_turn(state, intent)
        elif intent in {"compare", "both_stock"}:
            self._two_product_turn(state, intent)
        else:
            self._other_turns(state)[intent]()

    def _other_turns(self, state: Conversation) -> dict[str, Callable[[], None]]:
        rng, world = self.rng, self.world

        def plain(intent: str, key: str, **slots: str) -> Callable[[], None]:
            return lambda: self._plain_turn(state, self.customer.ask(intent, **slots), key)

        def talk(intent: str) -> Callable[[], None]:
            return lambda: self._plain_turn(state, self.customer.line(intent), intent)

        def silent() -> None:
            topic = rng.choice(list(state.shop.silent.values()))
            found = self.retrieval.irrelevant(state.shop)
            user = self.customer.ask_policy(topic)
            state.exchange(user, [], answers.say(self.language, "unconfirmed"), found, quoted=True)

        def order_action() -> None:
            named = rng.random() < 0.4
            plain(
                "order_action_id" if named else "order_action",
                "order_action",
                order_id=world.order_id(),
            )()

        turns: dict[str, Callable[[], None]] = {
            "shop_unknown": plain("shop_unknown", "unconfirmed"),
            "order_no_number": lambda: self._list_turn(state, "order_no_number", "all"),
            "order_of_product": lambda: self._list_turn(state, "order_of_product", "all"),
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

    def _follow(self, state: Conversation) -> bool:
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
            draw = rng.random()
            if draw < 0.22:
                self._order_turn(state, "order_other", state.order_ask, self.world.order())
            elif draw < 0.34:
                bought = self.world.product(state.order.items[0]["name"])
                self._product_turn(state, rng.choice(("price", "stock", "warranty")), bought)
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

    def dialogue(self, shop: Shop) -> list[Message]:
        """Compose one dialogue of one to three exchanges in ``shop``; system message included."""
        return self._compose(shop, (25, 50, 25)).settle()

    def decision(self, shop: Shop) -> tuple[list[Message], bool]:
        """Compose a short dialogue for its last decision; tell whether only the reply's start is.

        It ends with its last call, if what follows from the results goes without saying.
        """
        state = self._compose(shop, (70, 30, 0))
        messages = state.settle()
        if state.told == "call":
            return _until_last_call(messages), False
        return messages, state.told == "start"

    def _compose(self, shop: Shop, turn_weights: tuple[int, int, int]) -> Conversation:
        rng = self.rng
        state = Conversation(
            shop, self.world, rng.random() > 0.1, [{"role": "system", "content": shop.system}]
        )
        for turn in range(rng.choices((1, 2, 3), turn_weights)[0]):
            state.told = "start"
            if turn and rng.random() < 0.06:
                self._plain_turn(state, self.customer.line("thanks"), "thanks")
            elif turn and rng.random() < 0.18:
                self._policy_turn(state)  # "and can I return it?", while something else is known
            elif not (turn and rng.random() < 0.72 and self._follow(state)):
                self._open(state)
            if state.ended or _bytes(state.messages) > _ENOUGH_BYTES:
                break
        if state.passages is None and rng.random() < 0.4:
            state.passages = self.retrieval.irrelevant(state.shop)
        return state


def _until_last_call(messages: list[Message]) -> list[Message]:
    """Cut off the results and the answer that follow the last call, if the dialogue ends so."""
    if len(messages) > 3 and messages[-2]["role"] == "tool":
        last = max(i for i, message in enumerate(messages) if message.get("tool_calls"))
        return messages[: last + 1]
    return messages


def _bytes(messages: list[Message]) -> int:
    return sum(len(message["content"].encode()) for message in messages[1:])
