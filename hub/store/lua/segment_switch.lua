-- Puts new members in the place of a segment's old ones, all at once.
--
-- KEYS  1 info  2 the new members  3 the old members
-- ARGV  1 the old generation, '' for none  2 the new one, '' to delete the segment  3 now ms  4 for how many ms the old
--       members stay at least
-- Returns 1, or 0 where the segment has another generation by now.
-- Guarantee: the old members stay for who is working with them, or is going to (`segment_keep`), and then go.

local held = redis.call('HMGET', KEYS[1], 'generation', 'keep_ms')
local generation = held[1] or ''
if generation ~= ARGV[1] then
  return generation == ARGV[2] and 1 or 0
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'changed_ms', ARGV[3])
  redis.call('HDEL', KEYS[1], 'keep_ms')
  redis.call('PERSIST', KEYS[2])
end
if ARGV[1] ~= '' then
  redis.call('PEXPIRE', KEYS[3], math.max(ARGV[4], (held[2] or 0) - ARGV[3]))
end
return 1
