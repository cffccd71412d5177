-- Moves entries of an inbox on to a state and tells the person's other devices.
--
-- KEYS  1 meta  2 stream  3 live (pub/sub channel)  4 entries  5 unread  6 outbox  7.. the record of each id
-- ARGV  1 rank of the state (1 seen, 2 read, 3 archived)  2 its name  3 now ms  4 history size  5 stream TTL s
--       6 meta TTL s  7 a new epoch  8 record TTL s  9 outcomes at most  10.. the ids, as many as records
--       .. then, where they are to be told, as many outcomes
-- Returns the unread count after it.
-- Guarantee: a state only moves forward; ids that are as far already are left alone. Of one that has left the inbox the
-- record is noted, where there is one: so its ladder ends. Published once, and only if something moved in the inbox, so a
-- second run changes nothing.

--#include append
--#include inbox_entry
--#include outcome

local entries, unread, target, now_ms = KEYS[4], KEYS[5], ARGV[1], ARGV[3]
-- By rank; what is further on says more.
local TIMES = {'seen_ms', 'read_ms', 'archived_ms'}
local moved = {}
local ids = #KEYS - 6

local function leads_on(record)
  if target == '0' or redis.call('EXISTS', record) == 0 then
    return false
  end
  for rank = tonumber(target), #TIMES do
    if redis.call('HEXISTS', record, TIMES[rank]) == 1 then
      return false
    end
  end
  return true
end

for index = 1, ids do
  local id, record = ARGV[9 + index], KEYS[6 + index]
  local entry = redis.call('HGET', entries, id)
  local moves = entry and rank_of(entry) < target
  if moves then
    moved[#moved + 1] = id
    redis.call('HSET', entries, id, with_rank(entry, target))
    if target >= '2' then
      redis.call('ZREM', unread, id)
    end
  end
  if moves or not entry and leads_on(record) then
    redis.call('HSET', record, ARGV[2] .. '_ms', now_ms)
    tell(KEYS[6], record, id, ARGV[9 + ids + index] or '', ARGV[9], ARGV[8])
    redis.call('EXPIRE', record, ARGV[8])
  end
end

local count = redis.call('ZCOUNT', unread, '(' .. now_ms, '+inf')
if #moved > 0 then
  local message = '{"type":"' .. ARGV[2] .. '","ids":' .. cjson.encode(moved) .. ',"unread":' .. count .. '}'
  append(KEYS[1], KEYS[2], KEYS[3], message, now_ms, ARGV[4], ARGV[5], ARGV[6], ARGV[7])
end
return count
