-- Puts new members in the place of a segment's old ones, all at once.
--
-- KEYS  1 info  2 the new members  3 the old members
-- ARGV  1 the old generation, '' for none  2 the new one, '' to delete the segment  3 now ms  4 TTL s of the old members
-- Returns 1, or 0 where the segment has another generation by now.
-- Guarantee: the old members stay for who is working with them, and then go.

local generation = redis.call('HGET', KEYS[1], 'generation') or ''
if generation ~= ARGV[1] then
  return generation == ARGV[2] and 1 or 0
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'changed_ms', ARGV[3])
  redis.call('PERSIST', KEYS[2])
end
if ARGV[1] ~= '' then
  redis.call('EXPIRE', KEYS[3], ARGV[4])
end
return 1
