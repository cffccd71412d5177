-- Takes a place in a window, for something that may be counted once.
--
-- KEYS  1 window
-- ARGV  1 what takes it  2 places  3 TTL s
-- Returns 1, or 0 where no place is left.
-- Guarantee: who has a place has it again, so a second run changes nothing.

if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then
  return 1
end
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
