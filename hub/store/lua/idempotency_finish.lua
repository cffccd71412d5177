-- Keeps the answer of a request whose key was claimed, or lets the claim go.
--
-- KEYS  1 the key
-- ARGV  1 token of the claim  2 seconds to keep the answer, 0 to let the claim go  3 answer  4 fingerprint
-- Returns 1, or 0 where somebody else has claimed the key since.
-- Guarantee: an answer is kept also where the claim has become void and nobody has claimed it since. A second run
-- changes nothing.

local token = redis.call('HGET', KEYS[1], 'token')
if token and token ~= ARGV[1] then
  return 0
end
if ARGV[2] ~= '0' then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[4], 'token', ARGV[1], 'answer', ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
elseif token and redis.call('HEXISTS', KEYS[1], 'answer') == 0 then
  redis.call('DEL', KEYS[1])
end
return 1
