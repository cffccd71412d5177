-- Hands out aggregates for which a parked event is overdue, to one caller at a time.
--
-- KEYS  1 deadlines
-- ARGV  1 now ms  2 claimed until ms  3 limit
-- Returns the aggregates.
-- Guarantee: nobody else is given them before `claimed until`; a caller that dies loses nothing.

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, aggregate in ipairs(due) do
  redis.call('ZADD', KEYS[1], ARGV[2], aggregate)
end
return due
