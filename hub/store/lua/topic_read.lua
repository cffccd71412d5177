-- Reads a part of a topic's stream together with the topic's position.
--
-- KEYS  1 meta  2 stream
-- ARGV  1 meta TTL s  2 a new epoch  3 'up' or 'down'  4 read beyond this offset, '' from the end  5 limit
-- Returns {epoch, offset, entries}: entries as XRANGE gives them, upwards or downwards.
-- Guarantee: position and entries are of one moment. Begins an epoch where there is none, else writes nothing.

--#include position

local epoch, offset = position(KEYS[1], ARGV[1], ARGV[2])
local beyond, limit = ARGV[4], ARGV[5]
if limit == '0' then
  return {epoch, offset, {}}
end
local entries
if ARGV[3] == 'up' then
  entries = redis.call('XRANGE', KEYS[2], beyond == '' and '-' or '(' .. beyond .. '-0', '+', 'COUNT', limit)
else
  entries = redis.call('XREVRANGE', KEYS[2], beyond == '' and '+' or '(' .. beyond .. '-0', '-', 'COUNT', limit)
end
return {epoch, offset, entries}
