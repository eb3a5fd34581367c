"""The Lua scripts of handoff. Each runs atomically in Redis: a conversation has one owner.

Keys of a shop `P = xiaoer:{shop}:`:

    P session:{id}:handoff   hash    owner (waiting, agent) and ticket, while a ticket is open
    P session:{id}:events    stream  what the customer's page is told
    P ticket:{id}            hash    the ticket
    P ticket:{id}:log        list    its transcript, masked, one JSON entry a message
    P tickets                zset    tickets that wait, by rank: priority, then age
    P claims                 zset    tickets that an agent has, by when the claim ends (ms)
    P desk                   stream  what agents are told
    P customer:{id}:tickets  zset    a customer's tickets, by when they were opened (ms)

A ticket names its session, since a session moves when its visitor signs in; so the scripts make
some of their keys themselves, and need one Redis rather than a cluster.
"""

_COMMON = """
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function whole(n) return string.format('%.0f', n) end
local function tell(stream, ttl, kind, fields)
  redis.call('XADD', stream, 'MAXLEN', '~', 10000, '*', 'event', kind, 'data', cjson.encode(fields))
  redis.call('EXPIRE', stream, ttl)
  redis.call('PUBLISH', 'xiaoer:events', stream)
end
local function keep(ttl, ...)
  for _, key in ipairs({...}) do redis.call('EXPIRE', key, ttl) end
end
"""

# KEYS: handoff, ticket, log, tickets, events, desk, the customer's tickets
# ARGV: id, session, customer, rank of the priority, priority, TTL s, reason, language, '1' out of
#       hours, summary, facts, then the log's entries
# Opening is idempotent: a session that has a ticket keeps it.
OPEN = (
    _COMMON
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then
  local known = redis.call('HMGET', KEYS[1], 'ticket', 'owner')
  return {known[1], known[2]}
end
local at = now()
local rank = whole(ARGV[4] * 1e13 + at)
redis.call('HSET', KEYS[2], 'id', ARGV[1], 'session_id', ARGV[2], 'customer', ARGV[3],
  'priority', ARGV[5], 'rank', rank, 'reason', ARGV[7], 'language', ARGV[8],
  'out_of_hours', ARGV[9], 'summary', ARGV[10], 'facts', ARGV[11],
  'state', 'waiting', 'agent', '', 'agent_name', '', 'contact', '',
  'opened_at', whole(at), 'changed_at', whole(at))
for i = 12, #ARGV do redis.call('RPUSH', KEYS[3], ARGV[i]) end
redis.call('HSET', KEYS[1], 'owner', 'waiting', 'ticket', ARGV[1])
redis.call('ZADD', KEYS[4], rank, ARGV[1])
keep(ARGV[6], KEYS[1], KEYS[2], KEYS[3], KEYS[4])
if ARGV[3] ~= '' then
  redis.call('ZADD', KEYS[7], whole(at), ARGV[1])
  keep(ARGV[6], KEYS[7])
end
tell(KEYS[5], ARGV[6], 'owner', {owner = 'waiting'})
tell(KEYS[6], ARGV[6], 'opened',
  {ticket = ARGV[1], priority = ARGV[5], reason = ARGV[7], language = ARGV[8]})
return {ARGV[1], 'waiting'}
"""
)

# KEYS: handoff, ticket, log, tickets, desk
# ARGV: TTL s, entry, rank of the priority that the message asks for, that priority, contact
#       ('' = none)
# A message of the customer while a ticket is open; it may raise the ticket's priority and never
# lowers it. Returns the owner; 'bot' when there is none.
HEAR = (
    _COMMON
    + """
local t = redis.call('HMGET', KEYS[2], 'state', 'id', 'opened_at', 'rank')
if not t[1] or t[1] == 'resolved' then
  redis.call('DEL', KEYS[1])
  return 'bot'
end
redis.call('RPUSH', KEYS[3], ARGV[2])
redis.call('HSET', KEYS[2], 'changed_at', whole(now()))
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], 'contact', ARGV[5]) end
local rank = ARGV[3] * 1e13 + t[3]
if rank < tonumber(t[4]) then
  redis.call('HSET', KEYS[2], 'priority', ARGV[4], 'rank', whole(rank))
  if t[1] == 'waiting' then redis.call('ZADD', KEYS[4], whole(rank), t[2]) end
end
keep(ARGV[1], KEYS[1], KEYS[2], KEYS[3], KEYS[4])
tell(KEYS[5], ARGV[1], 'message', {ticket = t[2], entry = cjson.decode(ARGV[2])})
return t[1]
"""
)

_GIVE_UP = """
local function give_up(prefix, id, ttl, why)
  local key = prefix .. 'ticket:' .. id
  local t = redis.call('HMGET', key, 'rank', 'session_id')
  redis.call('ZREM', prefix .. 'claims', id)
  if not t[1] then return end
  redis.call('HSET', key, 'state', 'waiting', 'agent', '', 'agent_name', '',
    'changed_at', whole(now()))
  redis.call('ZADD', prefix .. 'tickets', t[1], id)
  local session = prefix .. 'session:' .. t[2]
  redis.call('HSET', session .. ':handoff', 'owner', 'waiting', 'ticket', id)
  keep(ttl, prefix .. 'tickets', session .. ':handoff')
  tell(session .. ':events', ttl, 'owner', {owner = 'waiting'})
  tell(prefix .. 'desk', ttl, why, {ticket = id})
end
"""

# KEYS: ticket, log, tickets, claims, desk
# ARGV: verb, id, agent, agent's name, '1' lead, claim ms, TTL s, prefix of the shop's keys, entry,
#       TTL s of the session once it is the bot's again, what names the request ('' = nothing)
# What agents do. Returns 'ok', 'again' where a request of that name was done already, or why not:
# 'missing', 'resolved', 'taken', 'not_yours'.
ACT = (
    _COMMON
    + _GIVE_UP
    + """
local verb, id, agent, name, lead, ttl, prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5],
  ARGV[7], ARGV[8]
local t = redis.call('HMGET', KEYS[1], 'state', 'agent', 'session_id')
if not t[1] then return 'missing' end
local done = 'done:' .. ARGV[11]
if ARGV[11] ~= '' and redis.call('HEXISTS', KEYS[1], done) == 1 then return 'again' end
if t[1] == 'resolved' then return 'resolved' end
local mine = t[1] == 'agent' and t[2] == agent
local session = prefix .. 'session:' .. t[3]
if verb == 'claim' then
  if t[1] == 'agent' and not mine and lead ~= '1' then return 'taken' end
  redis.call('HSET', KEYS[1], 'state', 'agent', 'agent', agent, 'agent_name', name)
  redis.call('ZREM', KEYS[3], id)
  redis.call('HSET', session .. ':handoff', 'owner', 'agent', 'ticket', id)
  if not mine then tell(session .. ':events', ttl, 'owner', {owner = 'agent', agent = name}) end
elseif not mine and verb ~= 'note' and (lead ~= '1' or verb == 'reply') then
  return 'not_yours'
end
if verb == 'release' then
  give_up(prefix, id, ttl, 'released')
elseif verb == 'resolve' then
  redis.call('HSET', KEYS[1], 'state', 'resolved')
  redis.call('ZREM', KEYS[3], id)
  redis.call('ZREM', KEYS[4], id)
  redis.call('DEL', session .. ':handoff')
  keep(ARGV[10], session)
  tell(session .. ':events', ttl, 'owner', {owner = 'bot'})
else
  if verb ~= 'note' then
    redis.call('ZADD', KEYS[4], whole(now() + ARGV[6]), id)
    keep(ttl, KEYS[4])
  end
  if verb == 'reply' then
    tell(session .. ':events', ttl, 'message', {agent = name, text = cjson.decode(ARGV[9]).text})
  end
end
if ARGV[9] ~= '' then redis.call('RPUSH', KEYS[2], ARGV[9]) end
redis.call('HSET', KEYS[1], 'changed_at', whole(now()))
if ARGV[11] ~= '' then redis.call('HSET', KEYS[1], done, '') end
keep(ttl, KEYS[1], KEYS[2], session .. ':handoff')
if verb ~= 'release' then
  local entry = ARGV[9] ~= '' and cjson.decode(ARGV[9]) or nil
  tell(KEYS[5], ttl, verb, {ticket = id, agent = name, entry = entry})
end
return 'ok'
"""
)

# KEYS: claims      ARGV: prefix of the shop's keys, TTL s
# Agents who vanished lose their claims; the tickets wait again, in their old places.
LAPSE = (
    _COMMON
    + _GIVE_UP
    + """
local lapsed = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(now()), 'LIMIT', 0, 100)
for _, id in ipairs(lapsed) do give_up(ARGV[1], id, ARGV[2], 'lapsed') end
return #lapsed
"""
)

# KEYS: claims      ARGV: prefix of the shop's keys, agent, claim ms
# An agent whose desk is open keeps their claims.
RENEW = (
    _COMMON
    + """
local renewed = 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if redis.call('HGET', ARGV[1] .. 'ticket:' .. id, 'agent') == ARGV[2] then
    redis.call('ZADD', KEYS[1], whole(now() + ARGV[3]), id)
    renewed = renewed + 1
  end
end
return renewed
"""
)

# KEYS: tickets, claims, desk      ARGV: prefix of the shop's keys, TTL s, then the tickets' ids
# Forgets tickets with all that hangs on them; the bot owns their conversations again.
ERASE = (
    _COMMON
    + """
local erased = 0
for i = 3, #ARGV do
  local id, key = ARGV[i], ARGV[1] .. 'ticket:' .. ARGV[i]
  local t = redis.call('HMGET', key, 'session_id', 'customer')
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  if t[1] then
    redis.call('ZREM', ARGV[1] .. 'customer:' .. t[2] .. ':tickets', id)
    local session = ARGV[1] .. 'session:' .. t[1]
    if redis.call('HGET', session .. ':handoff', 'ticket') == id then
      redis.call('DEL', session .. ':handoff', session .. ':events')
      tell(KEYS[3], ARGV[2], 'erased', {ticket = id})
    end
  end
  erased = erased + redis.call('DEL', key)
  redis.call('DEL', key .. ':log')
end
return erased
"""
)
