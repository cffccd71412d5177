-- Takes or prolongs the lease of a shard of outboxes.
--
-- KEYS  1 lease
-- ARGV  1 token  2 lease ms, 0 gives it back
-- Returns 1, or 0 where somebody else has it.
-- Guarantee: one token has it at a time, until it runs out.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
