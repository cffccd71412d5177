-- Keeps a device of a person.
--
-- KEYS  1 devices  2 the person's document
-- ARGV  1 id  2 the device, as '<seen ms>:<JSON>'  3 devices at most  4 TTL s
-- Returns 1, or 0 where the person is erased.
-- Guarantee: at most that many stay; the ones not seen for longest leave. A second run changes nothing.

if redis.call('HEXISTS', KEYS[2], 'erased') == 1 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
for _ = tonumber(ARGV[3]) + 1, redis.call('HLEN', KEYS[1]) do
  local held = redis.call('HGETALL', KEYS[1])
  local oldest, oldest_ms
  for index = 1, #held, 2 do
    local seen_ms = tonumber(string.match(held[index + 1], '^(%d+):'))
    if held[index] ~= ARGV[1] and (not oldest_ms or seen_ms < oldest_ms) then
      oldest, oldest_ms = held[index], seen_ms
    end
  end
  redis.call('HDEL', KEYS[1], oldest)
end
return 1
