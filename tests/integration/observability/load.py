"""A little of everything that customers do, and of what goes wrong meanwhile."""

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Iterator

import httpx

from tests.support.fake_model import FakeModel, call, say
from tests.support.gateway import ServerThread
from tests.support.stack import Stack

HEADPHONES = "Wireless Noise-Cancelling Headphones Pro"
PRICE = ("query_inventory", {"product": HEADPHONES})
ORDER = ("query_order_status", {"order_id": "ORD20241201001"})


class Shoppers:
    """Customers of the demo shop.

    Args:
        stack: the shop's services.
        model: what the nodes answer with.
    """

    def __init__(self, stack: Stack, model: FakeModel) -> None:
        self._stack = stack
        self._model = model
        self._headers = {
            "authorization": f"Bearer {stack.key()}",
            "x-customer-token": stack.token("alice"),
        }
        self._http = httpx.Client(base_url=stack.url, timeout=40, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, text: str, *, stream: bool = True) -> int:
        """Ask in a session of one's own; return the status."""
        body = {
            "model": "xiaoer",
            "stream": stream,
            "messages": [{"role": "user", "content": text}],
        }
        session = {"x-session-id": f"obs-{uuid.uuid4().hex}"}
        reply = self._http.post("/v1/chat/completions", json=body, headers=self._headers | session)
        return reply.status_code

    def chat(self, count: int) -> None:
        """Ask harmless questions, about five a second."""
        for number in range(count):
            assert (
                self.ask(f"Good morning, this is my question {number}.", stream=number % 3 > 0)
                == 200
            )
            time.sleep(0.2)

    def look_up_orders(self, count: int) -> None:
        """Ask for an order; the model calls the tool."""
        for _ in range(count):
            self._model.will(call(ORDER))
            assert self.ask("Where is my order ORD20241201001?") == 200

    def ask_alike(self, count: int) -> None:
        """Ask one question again and again: the first answer is kept for the others."""
        self._model.will(call(PRICE), say(f"The {HEADPHONES} cost ¥599."))
        for _ in range(count):
            assert self.ask(f"How much are the {HEADPHONES}?") == 200
        self._model.script.clear()  # the second time nobody asked the model

    def want_a_person(self, count: int) -> None:
        """Ask for a refund, which the demo shop leaves to people."""
        for _ in range(count):
            assert self.ask("我要退款", stream=False) == 200

    def send_nonsense(self) -> None:
        """Send what is no request."""
        reply = self._http.post("/v1/chat/completions", content=b"{", headers=self._headers)
        assert reply.status_code == 400

    def meet_a_slow_model(self, count: int) -> None:
        """Wait longer for the first words than the objective allows."""
        self._model.latency_s = 1.7
        for _ in range(count):
            assert self.ask("Good evening.") == 200
        self._model.latency_s = 0.0

    def meet_a_broken_model(self, count: int) -> None:
        """Get errors."""
        self._model.fail_first = 1000
        for _ in range(count):
            assert self.ask("Good night.", stream=False) >= 500
        self._model.fail_first = 0

    def lose_a_node_mid_answer(self, count: int) -> None:
        """Get an answer that one node began and another ended."""
        for _ in range(count):
            self._model.crash_after_chunks, self._model.crashes = 10, 1
            assert self.ask("Good afternoon.") == 200
        self._model.crash_after_chunks = None

    def meet_silent_tools(self, count: int) -> None:
        """Ask for orders while the tools service hangs."""
        with self._stopped("services.tools"):
            self.look_up_orders(count)
        self._model.script.clear()

    @contextlib.contextmanager
    def _stopped(self, service: str) -> Iterator[None]:
        pids = [int(line.split()[0]) for line in self._stack.processes() if service in line]
        assert pids, f"there is no {service}"
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def a_day(shoppers: Shoppers, second_node: ServerThread) -> None:
    """Let everything happen that a panel shows, in half a minute.

    Twice: a counter that appears when something happens for the first time shows Prometheus no
    growth for that time.
    """
    for _ in range(2):
        shoppers.chat(6)
        shoppers.look_up_orders(2)
        shoppers.ask_alike(3)
        shoppers.want_a_person(1)
        shoppers.send_nonsense()
        shoppers.lose_a_node_mid_answer(1)
        shoppers.meet_a_slow_model(1)
        shoppers.meet_silent_tools(1)
        shoppers.meet_a_broken_model(2)
        time.sleep(4)  # the breakers' time
    second_node.stop()
    shoppers.chat(10)
    time.sleep(3)
