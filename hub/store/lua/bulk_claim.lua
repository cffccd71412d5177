-- Hands out the bulk that has waited longest to be gone on with.
--
-- KEYS  1 waiting
-- ARGV  1 now ms  2 lease until ms
-- Returns its id, or nothing. A second run may hand out another one: nobody works at it until its lease runs out.

local id = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)[1]
if id then
  redis.call('ZADD', KEYS[1], ARGV[2], id)
end
return id
