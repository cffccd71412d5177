-- Reads a page of an inbox, newest entry first.
--
-- KEYS  1 entries  2 order  3 unread
-- ARGV  1 now ms  2 read below this place, '' from the newest  3 limit  4 '1' only unread  5 category, '' all
--       6 '1' the archived instead of the others
-- Returns {unread count, cursor or '', ranks, entries as JSON}.
-- Guarantee: everything is of one moment; writes nothing. Goes through `inbox size` places at most.

--#include inbox_entry

local now_ms, limit = tonumber(ARGV[1]), tonumber(ARGV[3])
local only_unread, category, archived = ARGV[4] == '1', ARGV[5], ARGV[6] == '1'
local ranks, texts = {}, {}

local function is_unread(id)
  local expires_ms = redis.call('ZSCORE', KEYS[3], id)
  return expires_ms and tonumber(expires_ms) > now_ms
end

-- Takes an entry into the page if it matches; returns whether it does and there was no room.
local function take(id, entry)
  local own_category, json = category_and_json(entry)
  local rank = rank_of(entry)
  if (rank == '3') ~= archived or (category ~= '' and own_category ~= category) or (only_unread and not is_unread(id)) then
    return false
  end
  if #ranks == limit then
    return true
  end
  ranks[#ranks + 1], texts[#texts + 1] = rank, json
  return false
end

-- Fills the page from the places below `below`; returns the place of its last entry if more of them match.
local function fill(below)
  local last = ''
  repeat
    local places = redis.call('ZREVRANGEBYSCORE', KEYS[2], below, '-inf', 'WITHSCORES', 'LIMIT', 0, limit + 1)
    local ids = {}
    for index = 1, #places, 2 do
      ids[#ids + 1] = places[index]
    end
    local entries = #ids > 0 and redis.call('HMGET', KEYS[1], unpack(ids)) or {}
    for index, id in ipairs(ids) do
      local before = #ranks
      if entries[index] and take(id, entries[index]) then
        return last
      end
      last = #ranks > before and places[2 * index] or last
    end
    below = '(' .. (places[#places] or '')
  until #ids <= limit
  return ''
end

local cursor = fill(ARGV[2] == '' and '+inf' or '(' .. ARGV[2])
return {redis.call('ZCOUNT', KEYS[3], '(' .. ARGV[1], '+inf'), cursor, ranks, texts}
