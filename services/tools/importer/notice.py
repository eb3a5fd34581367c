"""Tells the gateway that a catalogue is new, so that it forgets answers made with the old one."""

import time
from collections.abc import Sequence

import httpx2
import jwt

from services.tools.settings import NoticeSettings

TOKEN_S = 55
"""Life of the notice's token; the gateway accepts up to 60 s, the rest is for its clock."""
TIMEOUT_S = 5.0
TRIES = 2
"""Rounds through all gateways: one that is just being restarted is there a second later."""
PAUSE_S = 1.0


class NotToldError(Exception):
    """No gateway took the notice; says of each why not."""


def tell_gateway(
    settings: NoticeSettings, shop: str, *, transport: httpx2.BaseTransport | None = None
) -> str | None:
    """Tell one of the gateways; they share what they remember, so that one is enough.

    Args:
        settings: where gateways are.
        shop: whose catalogue.
        transport: stands in for the network in tests.

    Returns:
        The URL of the gateway that took the notice; None where none is named.

    Raises:
        NotToldError: none took it.
    """
    if not settings.gateway_urls:
        return None
    failures: Sequence[str] = ()
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_S)
        failures = []
        for url in settings.gateway_urls:
            failure = _told(settings, url, shop, transport)
            if failure is None:
                return url
            failures = [*failures, f"{url}: {failure}"]
    raise NotToldError("; ".join(failures))


def _told(
    settings: NoticeSettings, url: str, shop: str, transport: httpx2.BaseTransport | None
) -> str | None:
    """Return why a gateway did not take the notice; None where it did."""
    claims = {"iss": "tools", "aud": "gateway", "shop": shop, "exp": int(time.time()) + TOKEN_S}
    token = jwt.encode(claims, settings.service_token_secret, algorithm="HS256")
    try:
        with httpx2.Client(timeout=TIMEOUT_S, trust_env=False, transport=transport) as client:
            reply = client.post(
                f"{url}/v1/catalogue/changed", headers={"authorization": f"Bearer {token}"}
            )
    except httpx2.HTTPError as exc:
        return str(exc) or type(exc).__name__
    return None if reply.status_code == httpx2.codes.NO_CONTENT else f"HTTP {reply.status_code}"
