-- Moves a job in hand into the person's open digest, and opens one where there is none.
--
-- KEYS  1 due  2 leased  3 body  4 state  5 seen key of the job  6 open digest  7 seen key of the closing job
-- ARGV  1 id  2 token  3 dedupe window s  4 the job  5 id of the closing job  6 its due ms  7 the closing job
--       8 jobs in a digest at most  9 TTL s of a digest  10 now ms
-- Returns 1, 0 where the lease is lost, 2 where the digest is full: the job is given back until there is another.
-- Guarantee: the job leaves the queue and is in one digest, or neither. Who opens a digest says when it closes. A full
-- one closes at once, unless it is held back. A second run changes nothing and returns the same.
--
-- open digest: 'closing' the id of its closing job, 'full' once it was, and job id to job.

--#include job_state

local due, leased, body, state, open = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[6]
local id, now_ms = ARGV[1], tonumber(ARGV[10])
local done = 'done:' .. ARGV[2]
local own = read_state(state, id)
if own.token == '-' .. ARGV[2] then
  return 2
end
if own.token ~= ARGV[2] then
  return redis.call('GET', KEYS[5]) == done and 1 or 0
end

local function give_back(at_ms)
  redis.call('ZREM', leased, id)
  redis.call('ZADD', due, at_ms, id)
  write_state(state, id, given_back(own))
end

local closing = redis.call('HGET', open, 'closing')
-- A closing job that was put aside closes nothing any more: what it left behind is the next one's.
if closing and redis.call('HEXISTS', body, closing) == 0 then
  closing = false
end
if closing and redis.call('HLEN', open) > tonumber(ARGV[8]) then
  local back_ms = now_ms + 1000
  local closes_ms = tonumber(redis.call('ZSCORE', due, closing) or 0)
  if redis.call('HSETNX', open, 'full', '1') == 1 then
    redis.call('ZADD', due, 'XX', 'LT', ARGV[10], closing)
  elseif closes_ms > back_ms then
    back_ms = closes_ms
  end
  give_back(back_ms)
  return 2
end
if not closing then
  redis.call('HSET', open, 'closing', ARGV[5])
  redis.call('HDEL', open, 'full')
  redis.call('HSET', body, ARGV[5], ARGV[7])
  redis.call('ZADD', due, ARGV[6], ARGV[5])
  redis.call('SET', KEYS[7], '', 'EX', ARGV[3])
end
redis.call('HSET', open, id, ARGV[4])
redis.call('EXPIRE', open, ARGV[9])
redis.call('ZREM', leased, id)
redis.call('HDEL', body, id)
redis.call('HDEL', state, id)
redis.call('SET', KEYS[5], done, 'EX', ARGV[3])
return 1
