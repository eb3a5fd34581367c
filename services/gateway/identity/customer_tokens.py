"""Customer tokens: a JWT by which a shop says who its customer is (`sub`, `shop`, `exp`).

The shop's settings say how a token is checked; what the token says of that must agree, and decides
nothing. A token that cannot be right is refused before any key is looked for.
"""

import time
from typing import Any

import jwt

from services.gateway.errors import NotAuthenticatedError
from services.gateway.identity.jwks import KeySources, PublicKey
from services.gateway.identity.secret_file import TokenRules
from services.gateway.identity.shops import Shop

SKEW_S = 30
"""Seconds that the shop's clock may be off."""
MAX_LIFE_S = 31 * 24 * 3600
"""Farthest end of a token from now, so that none is good for ever."""
_MAX_CHARS = 4096
_CUSTOMER_CHARS = 128
_KID_CHARS = 128
_OPTIONS: Any = {"require": ["exp", "sub", "shop"], "verify_aud": False}


class CustomerTokens:
    """Checks customer tokens.

    Args:
        sources: the key sets that shops publish.
    """

    def __init__(self, sources: KeySources) -> None:
        self._sources = sources

    async def customer(self, shop: Shop, token: str) -> str:
        """Return the customer's id.

        Raises:
            NotAuthenticatedError: the token is expired, forged, or for another shop.
            TokenKeysAwayError: the shop's public keys could not be fetched yet.
        """
        rules = shop.token_rules
        if rules is None:
            raise _bad_token("the shop takes none")
        kid = _checked_header(token, rules.alg)
        keys: tuple[str | PublicKey, ...] = rules.secrets
        if rules.alg != "HS256":
            key = await self._public_key(shop, rules, kid)
            if key is None:
                raise _bad_token("its 'kid' names none of the shop's keys")
            keys = (key,)
        claims = _verified(token, keys, rules.alg)
        return _customer(claims, shop)

    async def _public_key(self, shop: Shop, rules: TokenRules, kid: str | None) -> PublicKey | None:
        if rules.jwks_url is not None:
            return await self._sources.remote(rules.jwks_url, rules.alg).find(kid)
        return shop.token_keys.find(kid) if shop.token_keys is not None else None


def _checked_header(token: str, alg: str) -> str | None:
    """Return the token's `kid`, once its header agrees with the shop's settings.

    Raises:
        NotAuthenticatedError: it does not.
    """
    if len(token) > _MAX_CHARS:
        raise _bad_token(f"it is longer than {_MAX_CHARS} characters")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as exc:
        raise _bad_token("it is malformed") from exc
    if header.get("alg") != alg:
        raise _bad_token(f"it is not signed with {alg}, as this shop's tokens are")
    kid = header.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= _KID_CHARS):
        raise _bad_token("its 'kid' is no key's id")
    return kid


def _verified(token: str, keys: tuple[str | PublicKey, ...], alg: str) -> dict[str, Any]:
    """Return the claims of a token that one of the keys signed.

    Raises:
        NotAuthenticatedError: none did, or it is too early or too late for it.
    """
    for key in keys:
        try:
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=[alg], leeway=SKEW_S, options=_OPTIONS
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.ExpiredSignatureError as exc:
            raise NotAuthenticatedError(
                "The customer token has expired. Ask the shop for a new one.",
                code="customer_token_expired",
                param="X-Customer-Token",
            ) from exc
        except jwt.ImmatureSignatureError as exc:
            raise _bad_token("its time has not come yet ('nbf' or 'iat'); check the clock") from exc
        except jwt.MissingRequiredClaimError as exc:
            raise _bad_token(f"it lacks '{exc.claim}'") from exc
        except (jwt.PyJWTError, ValueError, RecursionError) as exc:
            raise _bad_token("it is malformed") from exc
        return claims
    raise _bad_token("its signature is wrong")


def _customer(claims: dict[str, Any], shop: Shop) -> str:
    if claims["shop"] != shop.id:
        raise _bad_token("it was issued for another shop")
    if int(claims["exp"]) > time.time() + MAX_LIFE_S + SKEW_S:
        raise _bad_token(f"it ends more than {MAX_LIFE_S // 86400} days from now")
    customer = claims["sub"]
    if not isinstance(customer, str) or not 0 < len(customer) <= _CUSTOMER_CHARS:
        raise _bad_token(f"'sub' must be the customer's id, 1 to {_CUSTOMER_CHARS} characters")
    if not customer.isprintable():
        raise _bad_token("'sub' holds characters that cannot be printed")
    return customer


def _bad_token(why: str) -> NotAuthenticatedError:
    return NotAuthenticatedError(
        f"The customer token cannot be used: {why}. Send none for an anonymous visitor.",
        code="invalid_customer_token",
        param="X-Customer-Token",
    )
