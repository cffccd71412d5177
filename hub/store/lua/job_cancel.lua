-- Cancels the waiting jobs of one cancel key: raises its generation, and has them claimed now, so that they are dropped.
--
-- KEYS  1 cancellation  2 due  3 body
-- ARGV  1 generation  2 now ms  3 TTL s
-- Returns how many jobs it hit, in hand or waiting.
-- Guarantee: a job made under an earlier generation begins no provider call after this (`job_begin`); one made under
-- this generation or a later one is not hit. A second run changes nothing and returns the same.
--
-- cancellation: 'floor' the generation, 'count' how many jobs the last cancel hit, and job id to its generation.

local cancellation, due, body = KEYS[1], KEYS[2], KEYS[3]
local generation = tonumber(ARGV[1])
local held = redis.call('HMGET', cancellation, 'floor', 'count')
local floor = tonumber(held[1] or '0')
if floor >= generation then
  return tonumber(held[2] or '0')
end
local count, fields = 0, redis.call('HGETALL', cancellation)
for index = 1, #fields, 2 do
  local id, made_under = fields[index], tonumber(fields[index + 1])
  if id ~= 'floor' and id ~= 'count' then
    if made_under >= floor and made_under < generation and redis.call('HEXISTS', body, id) == 1 then
      count = count + 1
      redis.call('ZADD', due, 'XX', 'LT', ARGV[2], id)
    end
    if made_under < generation then
      redis.call('HDEL', cancellation, id)
    end
  end
end
redis.call('HSET', cancellation, 'floor', ARGV[1], 'count', count)
redis.call('EXPIRE', cancellation, ARGV[3])
return count
