-- Tells which workers are alive.
--
-- KEYS  1 alive (sorted set: worker by the time it was last heard of)  2 facts (hash)
-- ARGV  1 ttl s: silence after which a worker is taken for gone
-- Returns the facts of each worker heard of since then, by name.
-- Guarantee: changes nothing.

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local alive = redis.call('ZRANGEBYSCORE', KEYS[1], now_ms - ARGV[1] * 1000, '+inf')
table.sort(alive)
if #alive == 0 then
  return {}
end
return redis.call('HMGET', KEYS[2], unpack(alive))
