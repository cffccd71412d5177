-- KEYS  1 index  2 body  3 age
-- ARGV  1 id  (2 the letter as it was read)
-- Returns 1, or 0 where there was none, or it has been put aside anew since it was read.

if ARGV[2] and redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])
