-- Notes one attempt to deliver a notification, or one ruling about it.
--
-- KEYS  1 record  2 outbox  3 the person's document
-- ARGV  1 its field  2 its text  3 rule  4 fields at most  5 TTL s  6 the notification's id  7 its outcome, '' none
--       8 outcomes at most
-- Returns 1 where it is noted, 0 where the record is full (`more` then names the last one left out) or the person is
-- erased.
-- Guarantee: the same noted again replaces itself, and is told once. An outcome is told where there is no room for a note,
-- too.

--#include outcome

if redis.call('HEXISTS', KEYS[3], 'erased') == 1 then
  return 0
end
local held = redis.call('HGET', KEYS[1], ARGV[1])
local full = not held and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4])
if full then
  redis.call('HSET', KEYS[1], 'more', ARGV[1])
else
  redis.call('HSET', KEYS[1], 'rule', ARGV[3], ARGV[1], ARGV[2])
end
if held ~= ARGV[2] then
  tell(KEYS[2], KEYS[1], ARGV[6], ARGV[7], ARGV[8], ARGV[5])
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
return full and 0 or 1
