-- Lets people rest whose outboxes were found empty, unless something has been put in since they were looked at.
--
-- KEYS  1 waiting  2 resting
-- ARGV  1 until ms  2.. user, score when looked at
-- Returns how many rest.
-- Guarantee: who has another score by now stays where they are.

local rest = 0
for index = 2, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[index]) == ARGV[index + 1] then
    redis.call('ZREM', KEYS[1], ARGV[index])
    redis.call('ZADD', KEYS[2], ARGV[1], ARGV[index])
    rest = rest + 1
  end
end
return rest
