-- Notes that a provider call is about to begin, and makes the lease last for it.
--
-- KEYS  1 leased  2 state  (3 cancellation  4 due)
-- ARGV  1 id  2 token  3 lease until ms  (4 generation  5 now ms)
-- Returns 1, or 0 where the lease is lost or the job has been cancelled: the call must not be made.
-- Guarantee: from here until it is finished or given back, whoever claims the job is told that the outcome is unknown.
-- A cancelled job is given back at once, for somebody to write down what became of it.

--#include job_state

local id = ARGV[1]
local own = read_state(KEYS[2], id)
if own.token ~= ARGV[2] then
  return 0
end
if KEYS[3] and own.begun == '0' and tonumber(redis.call('HGET', KEYS[3], 'floor') or '0') > tonumber(ARGV[4]) then
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZADD', KEYS[4], ARGV[5], id)
  write_state(KEYS[2], id, given_back(own))
  return 0
end
if own.begun == '0' then
  own.tries, own.begun = own.tries + 1, '1'
  write_state(KEYS[2], id, own)
end
redis.call('ZADD', KEYS[1], 'GT', ARGV[3], id)
return 1
