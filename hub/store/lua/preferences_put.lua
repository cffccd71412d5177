-- Sets a person's preferences if their version is still the one that the change was decided on.
--
-- KEYS  1 preferences  2 the person's document
-- ARGV  1 expected version  2 body
-- Returns the version after it, 0 where the version is another, -1 where the person is erased.
-- Guarantee: of two changes decided on one version, one is made. The same change again is a success again.

if redis.call('HEXISTS', KEYS[2], 'erased') == 1 then
  return -1
end
local version = redis.call('HGET', KEYS[1], 'v') or '0'
if version == ARGV[1] then
  redis.call('HSET', KEYS[1], 'v', ARGV[1] + 1, 'body', ARGV[2])
elseif tonumber(version) ~= ARGV[1] + 1 or redis.call('HGET', KEYS[1], 'body') ~= ARGV[2] then
  return 0
end
return ARGV[1] + 1
