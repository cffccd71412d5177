-- Counts who is there.
--
-- KEYS  1 expiry  2 entries  3 users  4 live (pub/sub channel)
-- ARGV  1 now ms  2 '1' to tell who has left
-- Returns {clients, users}. Those whose time is over are taken out first, at most 1,000; should there be more, `users`
-- still counts theirs.

--#include attendance

expire(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], 1000, ARGV[2])
return {redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[1], '+inf'), redis.call('HLEN', KEYS[3])}
