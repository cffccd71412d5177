-- Has a generation of a segment's members readable for a while, whether or not others take their place.
--
-- KEYS  1 info  2 members
-- ARGV  1 generation of the members  2 until ms  3 now ms
-- Returns 1, or 0 where they are gone.
-- Guarantee: a shorter time never takes the place of a longer one, so a second run changes nothing.

local held = redis.call('HMGET', KEYS[1], 'generation', 'keep_ms')
if held[1] == ARGV[1] then
  if tonumber(held[2] or '0') < tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], 'keep_ms', ARGV[2])
  end
  return 1
end
local left_ms, wanted_ms = redis.call('PTTL', KEYS[2]), ARGV[2] - ARGV[3]
if left_ms >= 0 and left_ms < wanted_ms then
  redis.call('PEXPIRE', KEYS[2], wanted_ms)
end
return left_ms >= 0 and 1 or 0
