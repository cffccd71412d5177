-- Begins another round of a bulk: for those for whom it has failed.
--
-- KEYS  1 state  2 rows  3 outcomes  4 counts
-- ARGV  1 the place of a bulk that is worked off  2 TTL s
-- Returns {how many, 1 where a round began}; {-1, 0}: the round before is not over; {-2, 0}: there is no such bulk.
-- Guarantee: where nobody has failed, or the bulk has been cancelled, no round begins.

local state = redis.call('HMGET', KEYS[1], 'open', 'place', 'cancelled')
if not state[1] then
  return {-2, 0}
end
if state[2] ~= ARGV[1] then
  return {-1, 0}
end
local failed = tonumber(redis.call('HGET', KEYS[4], 'failed') or '0')
if failed == 0 or state[3] then
  return {0, 0}
end
redis.call('HINCRBY', KEYS[1], 'round', 1)
redis.call('HSET', KEYS[1], 'place', '')
for key = 1, 4 do
  redis.call('EXPIRE', KEYS[key], ARGV[2])
end
return {failed, 1}
