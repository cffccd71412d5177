-- Notes how far a bulk has been worked off.
--
-- KEYS  1 state
-- ARGV  1 round  2 the place gone on from  3 the place reached  4 people in between
-- Returns 1, or 0 where another worker, or another round, has moved it.

local at = redis.call('HMGET', KEYS[1], 'round', 'place')
if at[1] ~= ARGV[1] or at[2] ~= ARGV[2] then
  return at[1] == ARGV[1] and at[2] == ARGV[3] and 1 or 0
end
redis.call('HSET', KEYS[1], 'place', ARGV[3])
if ARGV[1] == '0' then
  redis.call('HINCRBY', KEYS[1], 'people', ARGV[4])
end
return 1
