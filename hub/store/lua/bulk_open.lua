-- Makes a bulk whose recipients are written known.
--
-- KEYS  1 state  2 rows
-- ARGV  1 token  2 the bulk  3 TTL s
-- Returns 1, or 0 where somebody else has begun to take it in since.

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('HSETNX', KEYS[1], 'place', '')
redis.call('HSETNX', KEYS[1], 'round', '0')
redis.call('HSET', KEYS[1], 'open', '1', 'bulk', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
