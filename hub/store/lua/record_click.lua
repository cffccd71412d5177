-- Notes the first click on a notification's link.
--
-- KEYS  1 record
-- ARGV  1 now ms  2 TTL s
-- Returns 1, or 0 where there was a click before or the record is gone.
-- Guarantee: the first click stays; a record that is gone does not come back.

if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HSETNX', KEYS[1], 'clicked_ms', ARGV[1]) == 0 then
  return 0
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
