"""Who sent a request, and when: both sides sign `<seconds>.<body>` with HMAC-SHA256."""

import hashlib
import hmac
import re
import time

MAX_AGE_S = 300
"""A request older than this, or as far in the future, was recorded and is played again."""

_XIAOER = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")
_CHATWOOT = re.compile(r"(\d{1,12}),sha256=([0-9a-f]{64})")


def from_xiaoer(secret: str, body: bytes, signature: str) -> bool:
    """Tell whether the gateway signed a body, lately.

    Args:
        secret: shared with the gateway.
        body: as it came.
        signature: the header `X-Xiaoer-Signature`.
    """
    return _good(secret, body, _XIAOER.fullmatch(signature))


def from_chatwoot(secret: str, body: bytes, moment: str, signature: str) -> bool:
    """Tell whether Chatwoot signed a body, lately.

    Args:
        secret: the inbox's.
        body: as it came.
        moment: the header `X-Chatwoot-Timestamp`.
        signature: the header `X-Chatwoot-Signature`.
    """
    return _good(secret, body, _CHATWOOT.fullmatch(f"{moment},{signature}"))


def _good(secret: str, body: bytes, found: re.Match[str] | None) -> bool:
    if found is None:
        return False
    signed = found[1].encode() + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, found[2]) and abs(time.time() - int(found[1])) <= MAX_AGE_S
