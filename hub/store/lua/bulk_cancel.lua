-- Cancels a bulk: nobody else is reached, and what waits for those who were is dropped when it is due.
--
-- KEYS  1 state  2 cancelled
-- ARGV  1 now ms  2 the place of a bulk that is worked off  3 seconds for which what waits has to know of it
-- Returns 1, or 0 where there is no such bulk.
-- Guarantee: whoever works the bulk off comes no further than what is in hand. The time of the first cancel stays, so a
-- second run changes nothing.

if redis.call('HEXISTS', KEYS[1], 'open') == 0 then
  return 0
end
redis.call('HSETNX', KEYS[1], 'cancelled', ARGV[1])
redis.call('HSET', KEYS[1], 'place', ARGV[2])
redis.call('SET', KEYS[2], ARGV[1], 'NX', 'EX', ARGV[3])
return 1
