-- Publishes on a latest topic, if the value outranks the one there.
--
-- KEYS  1 meta  2 stream  3 live (pub/sub channel)
-- ARGV  1 data  2 origin_ms  3 history size  4 stream TTL s  5 meta TTL s  6 a new epoch  7 rank  8 effect id
-- Returns {offset, epoch}, 0 where this effect is the value there, -1 where that outranks it.
-- Guarantee: whatever the order and however often values arrive, the one with the greatest (rank, effect id) stays.
-- Ranks are digits of one fixed length, so that they compare as strings: a Lua number would round them.

--#include append

local held = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'rank', 'effect')
local rank, effect = ARGV[7], ARGV[8]
if held[3] then
  if effect == held[4] then
    return 0
  end
  if rank < held[3] or (rank == held[3] and effect < held[4]) then
    return -1
  end
end
if ARGV[3] == '0' then
  redis.call('HSET', KEYS[1], 'rank', rank, 'effect', effect)
  redis.call('EXPIRE', KEYS[1], ARGV[5])
end
return append(
  KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], held, nil,
  'rank', rank, 'effect', effect
)
