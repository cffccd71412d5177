-- Adds people to a segment, or removes some.
--
-- KEYS  1 info  2 members
-- ARGV  1 generation of the members  2 '1' add, '0' remove  3 members at most  4 now ms  5.. the people
-- Returns how many were added or removed, -1 where the segment has another generation, -2 where they do not fit.
-- Guarantee: all of them or none.

if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then
  return -1
end
local changed = 0
if ARGV[2] == '1' then
  local news = {}
  for index = 5, #ARGV do
    if not redis.call('ZSCORE', KEYS[2], ARGV[index]) and not news[ARGV[index]] then
      news[ARGV[index]], changed = true, changed + 1
    end
  end
  if redis.call('ZCARD', KEYS[2]) + changed > tonumber(ARGV[3]) then
    return -2
  end
  for person in pairs(news) do
    redis.call('ZADD', KEYS[2], 0, person)
  end
else
  for index = 5, #ARGV do
    changed = changed + redis.call('ZREM', KEYS[2], ARGV[index])
  end
end
redis.call('HSET', KEYS[1], 'changed_ms', ARGV[4])
return changed
