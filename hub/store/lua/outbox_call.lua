-- Notes that outcomes wait in a person's outbox.
--
-- KEYS  1 waiting
-- ARGV  1 now ms  2 user
-- Returns 1.
-- Guarantee: the person's score is another one after it, so that who has looked before knows to look again. A second run
-- changes the score alone. A score is a thousandth of a millisecond, so that many fit into one.

local held = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or '0')
redis.call('ZADD', KEYS[1], string.format('%.0f', math.max(held + 1, ARGV[1] * 1000)), ARGV[2])
return 1
