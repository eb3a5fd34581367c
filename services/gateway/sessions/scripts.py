"""The Lua scripts of a session. Each runs atomically in Redis; one opens a turn, one closes it.

Keys of a session `S = xiaoer:{shop}:session:{id}`:

    S         hash    owner ('' = anonymous), v (turns ever saved), turns (JSON), or moved (new id)
    S:lock    string  ticket of the turn under way, expires with its lease
    S:queue   list    tickets waiting, first come first served
    S:alive   hash    ticket -> until when it counts as waiting (ms); a killed waiter's runs out

A customer's sessions are listed in `xiaoer:{shop}:customer:{id}:sessions`, a sorted set by when
each is forgotten (seconds), so that all of them can be shown and erased.

A ticket is `{process}.{number}`; whoever ends a turn wakes the next ticket's process through the
channel `xiaoer:wake:{process}`.
"""

# KEYS: session, lock, queue, alive, handoff
# ARGV: ticket, customer ('' = anonymous), lease ms, waiter's life ms, most waiters
OPEN = """
local s = redis.call('HMGET', KEYS[1], 'owner', 'v', 'turns', 'moved')
if s[4] then
  redis.call('LREM', KEYS[3], 0, ARGV[1])
  redis.call('HDEL', KEYS[4], ARGV[1])
  return {'moved', s[1], s[4]}
end
if s[1] and s[1] ~= '' and s[1] ~= ARGV[2] then
  redis.call('LREM', KEYS[3], 0, ARGV[1])
  redis.call('HDEL', KEYS[4], ARGV[1])
  return {'foreign'}
end
local h = redis.call('HMGET', KEYS[5], 'owner', 'ticket')
local opened = {'open', s[1] or '', s[2] or '0', s[3] or '[]', h[1] or 'bot', h[2] or ''}
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local holder = redis.call('GET', KEYS[2])
-- The same ticket asks again only when its first reply was lost on the way.
if holder == ARGV[1] then return opened end
if not holder then
  local head = redis.call('LINDEX', KEYS[3], 0)
  while head and head ~= ARGV[1] do
    local alive = redis.call('HGET', KEYS[4], head)
    if alive and tonumber(alive) >= now then break end
    redis.call('LPOP', KEYS[3])
    redis.call('HDEL', KEYS[4], head)
    head = redis.call('LINDEX', KEYS[3], 0)
  end
  if not head or head == ARGV[1] then
    if head then
      redis.call('LPOP', KEYS[3])
      redis.call('HDEL', KEYS[4], ARGV[1])
    end
    redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
    return opened
  end
end
if redis.call('HEXISTS', KEYS[4], ARGV[1]) == 0 then
  if redis.call('LLEN', KEYS[3]) >= tonumber(ARGV[5]) then return {'full'} end
  redis.call('RPUSH', KEYS[3], ARGV[1])
end
redis.call('HSET', KEYS[4], ARGV[1], now + ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[4] * 2)
redis.call('PEXPIRE', KEYS[4], ARGV[4] * 2)
return {'wait'}
"""

# KEYS: session, lock, queue, alive, new session (the same unless it moves), the customer's
#       sessions, handoff, new handoff, events, new events
# ARGV: ticket, 'save' or 'drop', version when opened, owner, turns JSON, TTL s, new id ('' = stay),
#       session id from now on, what a ticket's key begins with,
#       TTL s while a person has the session
# The version is the fence: a holder whose lease ran out cannot overwrite a later turn, nor bring a
# deleted session back.
CLOSE = """
local holder = redis.call('GET', KEYS[2])
local outcome = 'dropped'
if ARGV[2] == 'save' then
  local v = redis.call('HGET', KEYS[1], 'v') or '0'
  if (holder and holder ~= ARGV[1]) or v ~= ARGV[3]
      or redis.call('HEXISTS', KEYS[1], 'moved') == 1 then
    outcome = 'stale'
  else
    redis.call('HSET', KEYS[5], 'owner', ARGV[4], 'v', ARGV[3] + 1, 'turns', ARGV[5])
    -- While a person has it, it is kept until they are done.
    local ttl = redis.call('EXISTS', KEYS[7]) == 1 and ARGV[10] or ARGV[6]
    redis.call('EXPIRE', KEYS[5], ttl)
    if ARGV[7] ~= '' then
      redis.call('DEL', KEYS[1])
      redis.call('HSET', KEYS[1], 'owner', ARGV[4], 'moved', ARGV[7])
      redis.call('EXPIRE', KEYS[1], ARGV[6])
      -- A person who is at it moves along (services/gateway/handoff).
      if redis.call('EXISTS', KEYS[7]) == 1 then
        local ticket = redis.call('HGET', KEYS[7], 'ticket')
        redis.call('RENAME', KEYS[7], KEYS[8])
        redis.call('HSET', ARGV[9] .. ticket, 'session_id', ARGV[7], 'customer', ARGV[4])
      end
      if redis.call('EXISTS', KEYS[9]) == 1 then redis.call('RENAME', KEYS[9], KEYS[10]) end
    end
    if ARGV[4] ~= '' then
      local now = tonumber(redis.call('TIME')[1])
      redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', now)
      redis.call('ZADD', KEYS[6], now + ttl, ARGV[8])
      redis.call('EXPIRE', KEYS[6], ttl, 'NX')
      redis.call('EXPIRE', KEYS[6], ttl, 'GT')
    end
    outcome = 'saved'
  end
end
if holder == ARGV[1] then redis.call('DEL', KEYS[2]) end
if not holder or holder == ARGV[1] then
  local head = redis.call('LINDEX', KEYS[3], 0)
  if head then
    redis.call('PUBLISH', 'xiaoer:wake:' .. string.match(head, '^[^.]*'), head)
  end
end
return outcome
"""

# KEYS: lock, queue, alive      ARGV: ticket
# A waiter that gives up; the next one is woken in case it was first and the lock is free.
LEAVE = """
redis.call('LREM', KEYS[2], 0, ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
if redis.call('EXISTS', KEYS[1]) == 0 then
  local head = redis.call('LINDEX', KEYS[2], 0)
  if head then
    redis.call('PUBLISH', 'xiaoer:wake:' .. string.match(head, '^[^.]*'), head)
  end
end
return 1
"""

# KEYS: lock      ARGV: ticket, lease ms
RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
"""

# KEYS: session, the customer's sessions      ARGV: customer ('' = anonymous), session id
DELETE = """
local s = redis.call('HMGET', KEYS[1], 'owner', 'moved')
if not s[1] or s[2] or s[1] ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
return redis.call('DEL', KEYS[1])
"""

# KEYS: the customer's sessions, each session      ARGV: customer
# A session that has become somebody else's meanwhile is left alone.
ERASE = """
local erased = 0
for i = 2, #KEYS do
  if redis.call('HGET', KEYS[i], 'owner') == ARGV[1] then
    erased = erased + redis.call('DEL', KEYS[i])
  end
end
redis.call('DEL', KEYS[1])
return erased
"""
