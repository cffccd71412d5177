-- Notes whose notification it is, for those who know only its id.
--
-- KEYS  1 the notification's key
-- ARGV  1 user  2 TTL s
-- Returns 1.
-- Guarantee: a second run changes nothing but the lifetime.

redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
