-- KEYS  1 parked
-- ARGV  the bodies to take out
-- Returns how many are still parked. A second run changes nothing.

local gone = {}
for _, body in ipairs(ARGV) do
  gone[body] = true
end
local parked = redis.call('HGETALL', KEYS[1])
for index = 1, #parked, 2 do
  local body = string.match(parked[index + 1], '^%d+:(.*)$')
  if gone[body] then
    redis.call('HDEL', KEYS[1], parked[index])
  end
end
return redis.call('HLEN', KEYS[1])
