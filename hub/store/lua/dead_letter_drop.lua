-- KEYS  1 index  2 body  3 age
-- ARGV  1 id
-- Returns 1, or 0 where there was none.

redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])
