-- Sets an aggregate's document if its version is still the one that the change was decided on.
--
-- KEYS  1 document  2 parked  3 what shows that the effects of the change before are written, if that matters: the seen
--       key of its last publication or, on a latest topic, the topic's meta
-- ARGV  1 expected version  2 body  3 TTL s, 0 for ever  4 '1' the caller knows which events wait for the aggregate
--       5 the rank of that publication, on a latest topic
-- Returns {1, parked events that wait for this aggregate}, {2, the same} where nothing was changed because the caller
-- does not know of them, {3, {}} where nothing was changed because the effects of the change before are missing, or 0
-- where the version is another.
-- Guarantee: of two changes decided on one version, one is applied. The same change again is a success again. Nothing
-- goes past the events that were there before the aggregate was, or past effects that a crash cut off.

local function unfinished()
  if not KEYS[3] then
    return false
  elseif ARGV[5] then
    return (redis.call('HGET', KEYS[3], 'rank') or '') < ARGV[5]
  end
  return redis.call('EXISTS', KEYS[3]) == 0
end

local version = redis.call('HGET', KEYS[1], 'v') or '0'
local waiting = redis.call('HVALS', KEYS[2])
if version == ARGV[1] then
  if version ~= '0' and #waiting > 0 and ARGV[4] ~= '1' then
    return {2, waiting}
  elseif unfinished() then
    return {3, {}}
  end
  redis.call('HSET', KEYS[1], 'v', ARGV[1] + 1, 'body', ARGV[2])
  if ARGV[3] ~= '0' then
    redis.call('EXPIRE', KEYS[1], ARGV[3])
  end
elseif tonumber(version) ~= ARGV[1] + 1 or redis.call('HGET', KEYS[1], 'body') ~= ARGV[2] then
  return 0
end
return {1, waiting}
