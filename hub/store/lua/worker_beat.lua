-- Notes that a worker is alive, and forgets those that have not been heard of.
--
-- KEYS  1 alive (sorted set: worker by the time it was last heard of)  2 facts (hash)
-- ARGV  1 worker  2 facts, '' when the worker ends  3 ttl s: silence after which a worker is taken for gone
-- Returns 1.
-- Guarantee: times are the server's own. A second run changes nothing but the time.

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now_ms - ARGV[3] * 1000)) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('HDEL', KEYS[2], gone)
end
if ARGV[2] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
  return 1
end
redis.call('ZADD', KEYS[1], now_ms, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
