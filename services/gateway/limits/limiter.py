"""How much a shop, a customer, a session and an address may ask for, over all replicas.

Requests are limited by the generic cell rate algorithm (GCRA): `n` a minute may come at once and
are given back one by one, evenly. Redis decides for all of a request's buckets in one atomic step
and by its own clock, so replicas neither over-admit nor need to agree on the time. A request that
one bucket refuses costs the others nothing. Model tokens are counted per customer and day.

When Redis is away nothing is limited: a shop whose customers get an answer is better off than one
that turns them away, and the deadline still bounds each request.
"""

import hashlib
import math
import time
from dataclasses import dataclass
from typing import Any

from services.gateway.errors import MemoryAwayError, RateLimitedError
from services.gateway.limits.shop_limits import ShopLimits
from services.gateway.sessions.redis_port import RedisPort, Script

_DAY_S = 86_400

# KEYS: one bucket each; the last is the day's token counter
# ARGV: for each bucket how many a minute; then the tokens of a day (0: no limit)
# A bucket holds the time (microseconds) at which it will be full again. Replies
#   {0, index, microseconds to wait}        refused by this bucket
#   {1, index, how many are left, microseconds until it is full}   the scarcest one
# Index 0 with a refusal is the token counter.
ADMIT = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local buckets = #KEYS - 1
local budget = tonumber(ARGV[#KEYS])
if budget > 0 and tonumber(redis.call('GET', KEYS[#KEYS]) or '0') >= budget then
  return {0, 0, 0}
end
local full_at, scarcest, least, full_in = {}, 0, -1, 0
for i = 1, buckets do
  local step = 60000000 / ARGV[i]
  local known = tonumber(redis.call('GET', KEYS[i]) or '0')
  local at = math.max(known, now) + step
  local over = at - now - 60000000
  -- Half a microsecond: the step may have no exact binary form.
  if over > 0.5 then return {0, i, math.ceil(over)} end
  full_at[i] = at
  local left = math.floor((-over + 0.5) / step)
  if least < 0 or left < least then
    scarcest, least, full_in = i, left, at - now
  end
end
for i = 1, buckets do
  redis.call('SET', KEYS[i], string.format('%.1f', full_at[i]),
    'PX', math.ceil((full_at[i] - now) / 1000))
end
return {1, scarcest, least, math.ceil(full_in)}
"""

# KEYS: the day's token counter      ARGV: tokens, seconds to keep it
SPEND = """
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
if used == tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return used
"""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: each field that is there has a bucket of its own."""

    shop_id: str
    limits: ShopLimits
    customer: str | None = None
    session_id: str | None = None
    address: str | None = None
    """The browser's address; None where a shop's server asks for its customers."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the scarcest bucket still holds, for the reply's headers."""

    limit: int
    left: int
    full_in_s: float

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return OpenAI's rate limit headers."""
        return [
            (b"x-ratelimit-limit-requests", str(self.limit).encode()),
            (b"x-ratelimit-remaining-requests", str(self.left).encode()),
            (b"x-ratelimit-reset-requests", f"{self.full_in_s:.3f}s".encode()),
        ]


class Limiter:
    """Admits requests and counts tokens.

    Args:
        port: Redis.
    """

    def __init__(self, port: RedisPort) -> None:
        self._port = port
        self._admit = Script(ADMIT)
        self._spend = Script(SPEND)

    async def admit(self, asker: Asker) -> Allowance | None:
        """Take one request from each of the asker's buckets.

        Returns:
            What is left; None where nothing limits the asker, or Redis is away.

        Raises:
            RateLimitedError: a bucket is empty, or the day's tokens are spent; says which.
        """
        buckets = _buckets(asker)
        budget = asker.limits.customer_tokens_per_day if asker.customer is not None else 0
        if not buckets and not budget:
            return None
        keys = [*(key for _, key, _ in buckets), _tokens_key(asker.shop_id, asker.customer or "")]
        try:
            reply: list[Any] = await self._port.run(
                self._admit, keys, [*(limit for _, _, limit in buckets), budget]
            )
        except MemoryAwayError:
            return None
        if reply[0] == 0:
            raise _refusal(asker, buckets, int(reply[1]), int(reply[2]))
        if not buckets:
            return None
        limit = buckets[int(reply[1]) - 1][2]
        return Allowance(limit, int(reply[2]), int(reply[3]) / 1e6)

    async def spend(self, asker: Asker, tokens: int) -> None:
        """Count an answer's tokens towards the customer's day; does nothing for visitors."""
        if asker.customer is None or tokens <= 0 or not asker.limits.customer_tokens_per_day:
            return
        key = _tokens_key(asker.shop_id, asker.customer)
        try:
            await self._port.run(self._spend, (key,), (tokens, _DAY_S + 3600))
        except MemoryAwayError:
            return  # Nothing is limited while Redis is away.


def _buckets(asker: Asker) -> list[tuple[str, str, int]]:
    """Return name, Redis key and requests a minute of each bucket that applies."""
    limits, prefix = asker.limits, f"xiaoer:{asker.shop_id}:rate"
    found = [("session", asker.session_id, limits.session_per_minute)]
    found += [("customer", asker.customer, limits.customer_per_minute)]
    found += [("address", _digest(asker.address), limits.address_per_minute)]
    buckets = [(name, f"{prefix}:{name}:{who}", limit) for name, who, limit in found if who]
    buckets.append(("shop", f"{prefix}:shop", limits.shop_per_minute))
    return [bucket for bucket in buckets if bucket[2]]


def _digest(address: str | None) -> str | None:
    """Return what stands for an address in a key: addresses are personal data."""
    if address is None:
        return None
    return hashlib.blake2b(address.encode(), digest_size=12).hexdigest()


def _tokens_key(shop_id: str, customer: str) -> str:
    return f"xiaoer:{shop_id}:tokens:{int(time.time()) // _DAY_S}:{customer}"


def _refusal(
    asker: Asker, buckets: list[tuple[str, str, int]], index: int, wait_us: int
) -> RateLimitedError:
    if index == 0:
        left = _DAY_S - time.time() % _DAY_S
        return RateLimitedError(
            f"This customer's {asker.limits.customer_tokens_per_day} tokens of today (UTC) are "
            "spent. Ask again tomorrow.",
            code="token_budget_exceeded",
            retry_after_s=math.ceil(left),
        )
    name, _, limit = buckets[index - 1]
    wait_s = max(1, math.ceil(wait_us / 1e6))
    return RateLimitedError(
        f"More than {limit} requests a minute came from this {name}. Try again in {wait_s} s.",
        retry_after_s=wait_s,
    )
