-- Ends an epoch whose offsets can no longer be trusted (Redis has lost its last moments).
--
-- KEYS  1 meta
-- ARGV  1 meta TTL s  2 a new epoch  3 the old epoch
-- Returns {epoch, offset} as they stand after it.
-- Guarantee: only the epoch named is ended, so several workers that find the same loss end it once. The offset goes on
-- and the stream stays: who begins in the new epoch may read what is left.

--#include position

if redis.call('HGET', KEYS[1], 'epoch') == ARGV[3] then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return {position(KEYS[1], ARGV[1], ARGV[2])}
