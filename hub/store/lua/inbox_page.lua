-- Reads a page of an inbox, newest entry first.
--
-- KEYS  1 entries  2 order  3 state  4 unread
-- ARGV  1 now ms  2 read below this place, '' from the newest  3 limit  4 '1' only unread  5 category, '' all
--       6 '1' the archived instead of the others
-- Returns {unread count, cursor or '', {rank, entry JSON, rank, entry JSON, ...}}.
-- Guarantee: everything is of one moment; writes nothing. Goes through `inbox size` places at most.

local now_ms, limit = tonumber(ARGV[1]), tonumber(ARGV[3])
local only_unread, category, archived = ARGV[4] == '1', ARGV[5], ARGV[6] == '1'

local function wanted(id, held)
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

local places = redis.call('ZREVRANGEBYSCORE', KEYS[2], ARGV[2] == '' and '+inf' or '(' .. ARGV[2], '-inf', 'WITHSCORES')
local found, last, cursor = {}, '', ''
for index = 1, #places, 2 do
  local id = places[index]
  local held = redis.call('HGET', KEYS[3], id)
  if held and wanted(id, held) then
    if #found == 2 * limit then
      cursor = last
      break
    end
    found[#found + 1] = string.sub(held, 1, 1)
    found[#found + 1] = redis.call('HGET', KEYS[1], id)
    last = places[index + 1]
  end
end
return {redis.call('ZCOUNT', KEYS[4], '(' .. ARGV[1], '+inf'), cursor, found}
