-- Notes the first click on a notification's link.
--
-- KEYS  1 record  2 outbox
-- ARGV  1 now ms  2 TTL s  3 the notification's id  4 its outcome, '' none  5 outcomes at most
-- Returns 1, or 0 where there was a click before or the record is gone.
-- Guarantee: the first click stays; a record that is gone does not come back.

--#include outcome

if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HSETNX', KEYS[1], 'clicked_ms', ARGV[1]) == 0 then
  return 0
end
tell(KEYS[2], KEYS[1], ARGV[3], ARGV[4], ARGV[5], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
