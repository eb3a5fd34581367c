"""What every handler does first: open the books, find out who asks, and whether they may.

Handlers of all routes work with one `Desk`; nothing of a single route is here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from services.gateway.api.http import (
    PlainRequest,
    header,
    joined_header,
    read_body,
    request_id,
    show_allowance,
)
from services.gateway.api.metrics import Metrics
from services.gateway.api.requests import ChatRequest, Limits
from services.gateway.api.visits import Visit
from services.gateway.assistant.conversation import Ask, Conversation
from services.gateway.assistant.deadline import Deadline
from services.gateway.errors import MemoryAwayError, MemoryUnavailableError
from services.gateway.identity.keys import ShopKey
from services.gateway.identity.shops import Shop
from services.gateway.identity.tokens import Authenticator
from services.gateway.limits.address import Network, client_address
from services.gateway.limits.limiter import Asker, Limiter
from services.gateway.sessions.store import SessionBook

ErrorLog = Any
"""A structlog logger; its types say no more than this."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the handlers work with."""

    authenticator: Authenticator
    conversation: Conversation
    sessions: SessionBook
    metrics: Metrics
    log: ErrorLog
    limiter: Limiter
    proxies: tuple[Network, ...]
    limits: Limits
    max_body_bytes: int
    deadline_s: float

    def visit(self, request: PlainRequest, endpoint: str) -> Visit:
        """Open the books for a request."""
        deadline = Deadline(self.deadline_s)
        return Visit(endpoint, request_id(request.scope), deadline, self.metrics, self.log)

    @contextmanager
    def keeping_books(self, request: PlainRequest, endpoint: str) -> Iterator[Visit]:
        """Open the books, and close them with what became of the request: for all but answers.

        Raises:
            MemoryUnavailableError: in place of MemoryAwayError, since without Redis there is
                nothing to show or to forget.
        """
        visit = self.visit(request, endpoint)
        try:
            yield visit
        except MemoryAwayError as exc:
            error = MemoryUnavailableError(
                "Conversation memory is away at the moment. Try again soon."
            )
            visit.failed(error)
            raise error from exc
        except BaseException as exc:
            visit.failed(exc)
            raise
        visit.done()

    def shop_of(self, request: PlainRequest) -> tuple[Shop, ShopKey]:
        """Return the shop of a request and the key that it came with.

        Raises:
            NotAuthenticatedError: the key is missing or wrong.
            ForbiddenError: the key must not be used from there.
        """
        return self.authenticator.shop(
            header(request.scope, b"authorization"), header(request.scope, b"origin")
        )

    async def identify(self, request: PlainRequest, visit: Visit) -> tuple[Shop, str | None]:
        """Return the shop and the customer of a request.

        Raises:
            NotAuthenticatedError: the key or the token is missing or wrong.
            ForbiddenError: the key must not be used from there.
            TokenKeysAwayError: the token cannot be checked at the moment.
        """
        shop, visit.key = self.shop_of(request)
        visit.shop = shop.id
        token = header(request.scope, b"x-customer-token")
        customer = await self.authenticator.customer(shop, token)
        visit.signed_in = customer is not None
        return shop, customer

    async def admit(
        self,
        request: PlainRequest,
        visit: Visit,
        shop: Shop,
        customer: str | None,
        session_id: str | None = None,
    ) -> Asker:
        """Take the request from the limits of whoever asks; the reply tells what is left of them.

        Raises:
            RateLimitedError: they asked too much.
        """
        # A secret key is used by the shop's server, which asks for all of its customers.
        browser = visit.key is not None and visit.key.kind == "public"
        address = self._address(request) if browser else None
        asker = Asker(shop.id, shop.profile.limits, customer, session_id, address)
        allowance = await self.limiter.admit(asker)
        if allowance is not None:
            show_allowance(request.scope, allowance.headers())
        return asker

    def _address(self, request: PlainRequest) -> str | None:
        client = request.scope["client"]
        forwarded = joined_header(request.scope, b"x-forwarded-for")
        return client_address(client[0] if client else None, forwarded, self.proxies)

    async def ask(
        self, request: PlainRequest, visit: Visit, parse: Callable[[bytes], ChatRequest]
    ) -> tuple[Ask, ChatRequest]:
        """Read, identify and check a request.

        Raises:
            GatewayError: it cannot be answered as it is.
        """
        # Read first, and whole: a client in the middle of sending may not see an early reply.
        body = await read_body(request, self.max_body_bytes, visit.deadline)
        shop, customer = await self.identify(request, visit)
        chat = parse(body)
        asker = await self.admit(request, visit, shop, customer, chat.session_id)
        return (
            Ask(
                shop=shop,
                customer=customer,
                asker=asker,
                messages=chat.messages,
                session_id=chat.session_id,
                request_id=visit.request_id,
                deadline=visit.deadline,
            ),
            chat,
        )
