-- Notes one attempt to deliver a notification, or one ruling about it.
--
-- KEYS  1 record
-- ARGV  1 its field  2 its text  3 rule  4 fields at most  5 TTL s
-- Returns 1 where it is noted, 0 where the record is full (`more` then names the last one left out).
-- Guarantee: the same noted again replaces itself.

local full = redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0
if full then
  redis.call('HSET', KEYS[1], 'more', ARGV[1])
else
  redis.call('HSET', KEYS[1], 'rule', ARGV[3], ARGV[1], ARGV[2])
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
return full and 0 or 1
