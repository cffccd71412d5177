-- Keeps an event until the aggregate that it talks about appears.
--
-- KEYS  1 the aggregate's document  2 parked
-- ARGV  1 effect id  2 deadline ms  3 body  4 events at most  5 TTL s
-- Returns 1 kept, 2 the aggregate is there, 0 no room.
-- Guarantee: an event whose effect id is parked already is kept, once. Room and document are judged in one moment with
-- the change that makes the document appear, so no event is parked behind the back of its aggregate.

if redis.call('EXISTS', KEYS[1]) == 1 then
  return 2
end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then
  return 1
end
if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[4]) then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ':' .. ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 1
