-- Gives a job back, to be claimed again when it is due.
--
-- KEYS  1 due  2 leased  3 state
-- ARGV  1 id  2 token  3 due ms  4 '1' the provider may have taken it  (5 '1' this claim does not count)
-- Returns 1, or 0 where the lease is lost. The holder who asks again gets 1 again.
-- Guarantee: tries and claims go on counting, unless the holder says so; a call that began and came back is not unknown unless the holder says so.

--#include job_state

local id = ARGV[1]
local tries, claims, _, unknown, token = read_state(KEYS[3], id)
if token == '-' .. ARGV[2] then
  return 1
end
if token ~= ARGV[2] then
  return 0
end
redis.call('ZREM', KEYS[2], id)
redis.call('ZADD', KEYS[1], ARGV[3], id)
write_state(KEYS[3], id, tries, ARGV[5] == '1' and claims - 1 or claims, '0', ARGV[4] == '1' and '1' or unknown, '-' .. token)
return 1
