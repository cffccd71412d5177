-- Hands out due jobs of one shard under a lease: first those whose lease has run out, then by the time they are due.
--
-- KEYS  1 due  2 leased  3 body  4 state  5 what this claim was given
-- ARGV  1 now ms  2 lease until ms  3 limit  4 token
-- Returns {id, job, tries, claims, unknown, outages, down since, id, ...}; claims counts the earlier ones.
-- Guarantee: a job is held by one token at a time. unknown is 1 where an earlier holder began a provider call and did
-- not come back. A second run with the same token hands out the same jobs again, not more.

--#include job_state

local due, leased, body, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now_ms, until_ms, limit, token = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local given = {}

local function give(id, own)
  local job = redis.call('HGET', body, id)
  if job then
    for _, value in ipairs({id, job, own.tries, own.claims - 1, tonumber(own.unknown), own.outages, own.since}) do
      given[#given + 1] = value
    end
  end
end

local function take(id)
  local own = read_state(state, id)
  if own.begun == '1' then
    own.unknown = '1'
  end
  own.claims, own.begun, own.token = own.claims + 1, '0', token
  redis.call('ZREM', due, id)
  redis.call('ZADD', leased, until_ms, id)
  write_state(state, id, own)
  give(id, own)
end

local before = redis.call('GET', KEYS[5])
if before then
  for _, id in ipairs(cjson.decode(before)) do
    local own = read_state(state, id)
    if own.token == token then
      give(id, own)
    end
  end
  return given
end

local ids = redis.call('ZRANGEBYSCORE', leased, '-inf', now_ms, 'LIMIT', 0, limit)
if #ids < limit then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now_ms, 'LIMIT', 0, limit - #ids)) do
    ids[#ids + 1] = id
  end
end
if #ids > 0 then
  redis.call('SET', KEYS[5], cjson.encode(ids), 'PX', math.max(until_ms - now_ms, 1000))
  for _, id in ipairs(ids) do
    take(id)
  end
end
return given
