-- Notes how far a message has come after the provider took it.
--
-- KEYS  1 record  2 outbox  3 the person's document
-- ARGV  1 field of the receipt  2 rank  3 the receipt  4 TTL s  5 the notification's id  6 its outcome, '' none
--       7 outcomes at most
-- Returns 1, or 0 where as much or more is known, or the person is erased.
-- Guarantee: whatever the order in which receipts come, the one of the highest rank stays. A value is '<rank>|<receipt>'.

--#include outcome

if redis.call('HEXISTS', KEYS[3], 'erased') == 1 then
  return 0
end
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and tonumber(string.match(held, '^(%d+)|')) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '|' .. ARGV[3])
tell(KEYS[2], KEYS[1], ARGV[5], ARGV[6], ARGV[7], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
