-- Suppresses an address.
--
-- KEYS  1 suppression
-- ARGV  1 what is noted  2 TTL s, 0: for good
-- Returns 1, or 0 where it is suppressed for as long or longer already.
-- Guarantee: a shorter suppression never takes the place of a longer one, so a second run changes nothing.

local left = redis.call('TTL', KEYS[1])
local ttl = tonumber(ARGV[2])
if left == -1 or (left >= 0 and ttl > 0 and left >= ttl) then
  return 0
end
if ttl == 0 then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ttl)
end
return 1
