-- Puts one dead letter aside. One of the same id that lies there already is renewed: it has failed again.
--
-- KEYS  1 index (id by its place)  2 body  3 age (id by at ms)
-- ARGV  1 id  2 the letter  3 at ms  4 letters at most  5 greatest age ms
-- Returns 1, or 0 where a letter of that id lay there already.
-- Guarantee: the three structures hold the same ids. Bounded: the oldest leave; one call clears away 100 at most.

if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
  return 0
end
local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
redis.call('ZADD', KEYS[1], newest[2] and newest[2] + 1 or 1, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])

local function remove(id)
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
end

for _ = tonumber(ARGV[4]) + 1, redis.call('ZCARD', KEYS[1]) do
  remove(redis.call('ZRANGE', KEYS[1], 0, 0)[1])
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[3] - ARGV[5], 'LIMIT', 0, 100)) do
  remove(id)
end
return 1
