-- Moves entries of an inbox on to a state and tells the person's other devices.
--
-- KEYS  1 meta  2 stream  3 live (pub/sub channel)  4 entries  5 unread  6.. the record of each id
-- ARGV  1 rank of the state (1 seen, 2 read, 3 archived)  2 its name  3 now ms  4 history size  5 stream TTL s
--       6 meta TTL s  7 a new epoch  8 record TTL s  9.. the ids, as many as records
-- Returns the unread count after it.
-- Guarantee: a state only moves forward; ids that are not there, or are as far already, are left alone. Published once,
-- and only if something moved, so a second run changes nothing.

--#include append
--#include inbox_entry

local entries, unread, target, now_ms = KEYS[4], KEYS[5], ARGV[1], ARGV[3]
local moved = {}
for index = 9, #ARGV do
  local id, record = ARGV[index], KEYS[index - 3]
  local entry = redis.call('HGET', entries, id)
  if entry and rank_of(entry) < target then
    moved[#moved + 1] = id
    redis.call('HSET', entries, id, with_rank(entry, target))
    if target >= '2' then
      redis.call('ZREM', unread, id)
    end
    redis.call('HSET', record, ARGV[2] .. '_ms', now_ms)
    redis.call('EXPIRE', record, ARGV[8])
  end
end

local count = redis.call('ZCOUNT', unread, '(' .. now_ms, '+inf')
if #moved > 0 then
  local message = '{"type":"' .. ARGV[2] .. '","ids":' .. cjson.encode(moved) .. ',"unread":' .. count .. '}'
  append(KEYS[1], KEYS[2], KEYS[3], message, now_ms, ARGV[4], ARGV[5], ARGV[6], ARGV[7])
end
return count
