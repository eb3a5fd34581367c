"""The Lua scripts of the answer cache, and the names of its keys. Each script is one round trip.

Keys of a shop `A = xiaoer:{shop}:answers`:

    A:epoch            string  number; answers of another one are never given. 30 days
    A:catalogue        string  version of the catalogue last seen. 30 days
    A:entry:{id}       hash    an answer (`answer` JSON, `epoch`, `until` ms) and what it is found
                               by (`signature`, `language`, `profile`, `vector…`). The answer's own
    A:entries          zset    entry keys by when they end (ms), so that there are not too many.
                               The longest answer's
    A:flight:{id}      hash    who makes an answer (`ticket`, `epoch`, `waited`), 2 s, renewed; or
                               that it cannot be shared (`no` reason, `epoch`), 60 s
    A:hot              zset    questions by how often they were asked. 7 days from the last
    A:hot:about        hash    of each: text, hits, how often not cached and why. 7 days likewise

`{id}` is a hash of a question's language, folded text and the shop's profile. Flights that end are
told on the channel `xiaoer:answers:ended`.
"""

from services.gateway.sessions.redis_port import Script

ENDED = "xiaoer:answers:ended"
EPOCH_TTL_S = 30 * 24 * 3600
LEASE_MS = 2000
NO_TTL_S = 60
"""How long a question that could not be shared is not waited for."""
HOT_TTL_S = 7 * 24 * 3600
MOST_HOT = 500
MOST_ENTRIES = 5000
"""Of a shop; those that end first go first."""


def base(shop: str) -> str:
    """Return what the keys of a shop's answers begin with."""
    return f"xiaoer:{shop}:answers"


# An epoch that was lost, or that a loader began by counting from nothing, starts from the time:
# it never was one before.
_EPOCH = f"""
local function epoch(key)
  local e = redis.call('GET', key)
  if not e or tonumber(e) < 1e9 then
    local t = redis.call('TIME')
    e = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
    redis.call('SET', key, e, 'EX', {EPOCH_TTL_S})
  end
  return e
end
"""

_NOTE = f"""
local function note(key, field)
  redis.call('HINCRBY', key, field, 1)
  redis.call('EXPIRE', key, {HOT_TTL_S})
end
"""

# KEYS: entry, flight, epoch, hot, hot:about
# ARGV: ticket ('' = may not make the answer), question's id ('' = not counted), its text
OPEN = Script(
    _EPOCH
    + _NOTE
    + f"""
local e = epoch(KEYS[3])
if ARGV[2] ~= '' then
  local n = tonumber(redis.call('ZINCRBY', KEYS[4], 1, ARGV[2]))
  redis.call('EXPIRE', KEYS[4], {HOT_TTL_S})
  -- What one person asked once is nobody's business.
  if n == 2 then redis.call('HSET', KEYS[5], ARGV[2] .. ':text', ARGV[3]) end
  if n >= 2 then redis.call('EXPIRE', KEYS[5], {HOT_TTL_S}) end
  if n == 1 and redis.call('ZCARD', KEYS[4]) > {MOST_HOT * 2} then
    local gone = redis.call('ZRANGE', KEYS[4], 0, {MOST_HOT - 1})
    redis.call('ZREMRANGEBYRANK', KEYS[4], 0, {MOST_HOT - 1})
    for _, id in ipairs(gone) do
      redis.call('HDEL', KEYS[5], id .. ':text', id .. ':exact', id .. ':similar', id .. ':not',
        id .. ':why')
    end
  end
end
local found = redis.call('HMGET', KEYS[1], 'epoch', 'answer')
if found[1] == e then
  if ARGV[2] ~= '' then note(KEYS[5], ARGV[2] .. ':exact') end
  return {{'hit', e, found[2]}}
end
local flight = redis.call('HMGET', KEYS[2], 'epoch', 'ticket', 'no')
if flight[1] == e then
  if flight[3] then
    if ARGV[2] ~= '' then note(KEYS[5], ARGV[2] .. ':not') end
    return {{'pass', e}}
  end
  if flight[2] ~= ARGV[1] then
    redis.call('HSET', KEYS[2], 'waited', 1)
    return {{'wait', e}}
  end
end
if ARGV[1] == '' then return {{'miss', e}} end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'epoch', e, 'ticket', ARGV[1])
redis.call('PEXPIRE', KEYS[2], {LEASE_MS})
return {{'lead', e}}
"""
)

_END = f"""
local function ended(key, ticket)
  local flight = redis.call('HMGET', key, 'ticket', 'waited')
  if flight[1] ~= ticket then return false end
  redis.call('DEL', key)
  if flight[2] then redis.call('PUBLISH', '{ENDED}', key) end
  return true
end
"""

# KEYS: entry, flight, epoch, entries      ARGV: ticket, epoch, TTL ms, then fields and values
KEEP = Script(
    _END
    + f"""
local kept = 0
-- Where something changed meanwhile, the answer may be from before, and a newer one must stay.
if redis.call('GET', KEYS[3]) == ARGV[2] then
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  local ends = string.format('%.0f', now + ARGV[3])
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'until', ends, unpack(ARGV, 4))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
  redis.call('ZADD', KEYS[4], ends, KEYS[1])
  local last = redis.call('ZRANGE', KEYS[4], -1, -1, 'WITHSCORES')
  redis.call('PEXPIREAT', KEYS[4], last[2])
  local over = redis.call('ZCARD', KEYS[4]) - {MOST_ENTRIES}
  if over > 0 then
    local first = redis.call('ZPOPMIN', KEYS[4], over)
    for i = 1, #first, 2 do redis.call('DEL', first[i]) end
  end
  kept = 1
end
ended(KEYS[2], ARGV[1])
return kept
"""
)

# KEYS: flight, hot, hot:about     ARGV: ticket, epoch, reason ('' = another may make it), id
RELEASE = Script(
    _END
    + _NOTE
    + f"""
if ARGV[3] == '' then
  ended(KEYS[1], ARGV[1])
  return 1
end
if redis.call('HGET', KEYS[1], 'ticket') == ARGV[1] then
  local waited = redis.call('HGET', KEYS[1], 'waited')
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'no', ARGV[3])
  redis.call('EXPIRE', KEYS[1], {NO_TTL_S})
  if waited then redis.call('PUBLISH', '{ENDED}', KEYS[1]) end
end
if redis.call('ZSCORE', KEYS[2], ARGV[4]) then
  redis.call('HSET', KEYS[3], ARGV[4] .. ':why', ARGV[3])
  note(KEYS[3], ARGV[4] .. ':not')
end
return 1
"""
)

# KEYS: flights      ARGV: their tickets
RENEW = Script(f"""
for i, key in ipairs(KEYS) do
  if redis.call('HGET', key, 'ticket') == ARGV[i] then redis.call('PEXPIRE', key, {LEASE_MS}) end
end
return 1
""")

# KEYS: hot, hot:about      ARGV: question's id
SIMILAR_HIT = Script(
    _NOTE
    + """
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  note(KEYS[2], ARGV[1] .. ':similar')
end
return 1
"""
)

# KEYS: epoch
EPOCH = Script(_EPOCH + "return epoch(KEYS[1])")

# KEYS: epoch
BUMP = Script(_EPOCH + "epoch(KEYS[1])\nreturn tostring(redis.call('INCR', KEYS[1]))")

# KEYS: epoch, catalogue      ARGV: version seen, epoch before it was read
# Returns the epoch that the version belongs to, or '' where something changed meanwhile.
SEEN = Script(
    _EPOCH
    + f"""
local e = epoch(KEYS[1])
local was = redis.call('GET', KEYS[2])
redis.call('SET', KEYS[2], ARGV[1], 'EX', {EPOCH_TTL_S})
local now = e
if was and was ~= ARGV[1] then now = string.format('%.0f', redis.call('INCR', KEYS[1])) end
return e == ARGV[2] and now or ''
"""
)
