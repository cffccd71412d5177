-- Notes that a provider call is about to begin, and makes the lease last for it.
--
-- KEYS  1 leased  2 state
-- ARGV  1 id  2 token  3 lease until ms
-- Returns 1, or 0 where the lease is lost: the call must not be made.
-- Guarantee: from here until it is finished or given back, whoever claims the job is told that the outcome is unknown.

--#include job_state

local id = ARGV[1]
local tries, claims, begun, unknown, token = read_state(KEYS[2], id)
if token ~= ARGV[2] then
  return 0
end
if begun == '0' then
  write_state(KEYS[2], id, tries + 1, claims, '1', unknown, token)
end
redis.call('ZADD', KEYS[1], 'GT', ARGV[3], id)
return 1
