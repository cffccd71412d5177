-- Claims an Idempotency-Key for one request.
--
-- KEYS  1 the key
-- ARGV  1 fingerprint of the request  2 token of this try  3 seconds after which an unfinished claim is void
-- Returns {'fresh'}, {'mismatch'}, {'busy'} or {'answer', answer}.
-- Guarantee: of several requests with one key, one is fresh until it is finished, released or void. A second run with the
-- same token is fresh again. The value is a hash: fingerprint, token while under way, answer when done.

local held = redis.call('HMGET', KEYS[1], 'fingerprint', 'token', 'answer')
if not held[1] then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'token', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  return {'fresh'}
end
if held[1] ~= ARGV[1] then
  return {'mismatch'}
end
if held[3] then
  return {'answer', held[3]}
end
return {held[2] == ARGV[2] and 'fresh' or 'busy'}
