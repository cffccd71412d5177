-- Reads a page of an inbox, newest entry first.
--
-- KEYS  1 entries  2 order  3 state  4 unread
-- ARGV  1 now ms  2 read below this place, '' from the newest  3 limit  4 '1' only unread  5 category, '' all
--       6 '1' the archived instead of the others
-- Returns {unread count, cursor or '', ranks, entries as JSON}.
-- Guarantee: everything is of one moment; writes nothing. Goes through `inbox size` places at most.

local now_ms, limit = tonumber(ARGV[1]), tonumber(ARGV[3])
local only_unread, category, archived = ARGV[4] == '1', ARGV[5], ARGV[6] == '1'

local function wanted(id, held)
  if not held then
    return false
  end
  local rank = string.sub(held, 1, 1)
  if (rank == '3') ~= archived or (category ~= '' and string.sub(held, 2) ~= category) then
    return false
  end
  if not only_unread then
    return true
  end
  local expires_ms = redis.call('ZSCORE', KEYS[4], id)
  return expires_ms and tonumber(expires_ms) > now_ms
end

-- Fills ids and ranks from the places below `below`; returns the place of the last one if more of them match.
local function choose(below, ids, ranks)
  local last = ''
  repeat
    local places = redis.call('ZREVRANGEBYSCORE', KEYS[2], below, '-inf', 'WITHSCORES', 'LIMIT', 0, 2 * limit)
    local names = {}
    for index = 1, #places, 2 do
      names[#names + 1] = places[index]
    end
    local states = #names > 0 and redis.call('HMGET', KEYS[3], unpack(names)) or {}
    for index, id in ipairs(names) do
      if wanted(id, states[index]) then
        if #ids == limit then
          return last
        end
        ids[#ids + 1], ranks[#ranks + 1] = id, string.sub(states[index], 1, 1)
        last = places[2 * index]
      end
    end
    below = '(' .. (places[#places] or '')
  until #names < 2 * limit
  return ''
end

local ids, ranks = {}, {}
local cursor = choose(ARGV[2] == '' and '+inf' or '(' .. ARGV[2], ids, ranks)
local entries = #ids > 0 and redis.call('HMGET', KEYS[1], unpack(ids)) or {}
return {redis.call('ZCOUNT', KEYS[4], '(' .. ARGV[1], '+inf'), cursor, ranks, entries}
