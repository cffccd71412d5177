-- Sets an aggregate's document if its version is still the one that the change was decided on.
--
-- KEYS  1 document  2 parked
-- ARGV  1 expected version  2 body  3 TTL s, 0 for ever
-- Returns the parked events that wait for this aggregate (an array, mostly empty), or 0 where the version is another.
-- Guarantee: of two changes decided on one version, one is applied. The same change again is a success again.

local version = redis.call('HGET', KEYS[1], 'v') or '0'
if version == ARGV[1] then
  redis.call('HSET', KEYS[1], 'v', ARGV[1] + 1, 'body', ARGV[2])
  if ARGV[3] ~= '0' then
    redis.call('EXPIRE', KEYS[1], ARGV[3])
  end
elseif tonumber(version) ~= ARGV[1] + 1 or redis.call('HGET', KEYS[1], 'body') ~= ARGV[2] then
  return 0
end
return redis.call('HVALS', KEYS[2])
