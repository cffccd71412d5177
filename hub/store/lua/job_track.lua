-- Notes a job under its cancel key, so that a cancel finds it.
--
-- KEYS  1 cancellation  2 body
-- ARGV  1 id  2 generation  3 TTL s  4 jobs noted at most
-- Returns 1, or 0 where as many jobs wait under the key already: a cancel still hits this one, once it is due.
-- Guarantee: jobs that are gone make room for others.

local cancellation, body, id = KEYS[1], KEYS[2], ARGV[1]
redis.call('EXPIRE', cancellation, ARGV[3])
if redis.call('HLEN', cancellation) > tonumber(ARGV[4]) then
  for _, name in ipairs(redis.call('HKEYS', cancellation)) do
    if name ~= 'floor' and name ~= 'count' and redis.call('HEXISTS', body, name) == 0 then
      redis.call('HDEL', cancellation, name)
    end
  end
  if redis.call('HLEN', cancellation) > tonumber(ARGV[4]) then
    return 0
  end
end
redis.call('HSET', cancellation, id, ARGV[2])
redis.call('EXPIRE', cancellation, ARGV[3])
return 1
