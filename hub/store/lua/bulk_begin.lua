-- Begins to take a bulk in, unless it is there.
--
-- KEYS  1 state
-- ARGV  1 token  2 seconds until a beginning that came to nothing is forgotten
-- Returns {'fresh'}, {'filling'} where somebody else is at it, or {'known', bulk, place}.

local state = redis.call('HMGET', KEYS[1], 'open', 'token', 'bulk', 'place')
if state[1] then
  return {'known', state[3], state[4]}
end
if state[2] and state[2] ~= ARGV[1] then
  return {'filling'}
end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return {'fresh'}
