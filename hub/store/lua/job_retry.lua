-- Gives a job back, to be claimed again when it is due.
--
-- KEYS  1 due  2 leased  3 state
-- ARGV  1 id  2 token  3 due ms  4 '1' the provider may have taken it  5 '1' this claim does not count
--       6 since when its provider has been down, in ms; empty: it was not
-- Returns 1, or 0 where the lease is lost. The holder who asks again gets 1 again.
-- Guarantee: tries and claims go on counting, unless the holder says so; a call that began and came back is not unknown
-- unless the holder says so. What finds its provider up, or is put off for another reason, begins an outage anew.

--#include job_state

local id = ARGV[1]
local own = read_state(KEYS[3], id)
if own.token == '-' .. ARGV[2] then
  return 1
end
if own.token ~= ARGV[2] then
  return 0
end
if ARGV[4] == '1' then
  own.unknown = '1'
end
if ARGV[5] == '1' then
  own.claims = own.claims - 1
end
own.since = ARGV[6]
if own.since ~= '' then
  own.outages = own.outages + 1
end
redis.call('ZREM', KEYS[2], id)
redis.call('ZADD', KEYS[1], ARGV[3], id)
write_state(KEYS[3], id, given_back(own))
return 1
