-- KEYS  1 index  2 body
-- ARGV  1 read below this place, '' from the newest  2 limit
-- Returns {cursor or '', letters}. Writes nothing.

local upper = ARGV[1] == '' and '+inf' or '(' .. ARGV[1]
local places = redis.call('ZREVRANGEBYSCORE', KEYS[1], upper, '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2] + 1)
local found, cursor = {}, ''
for index = 1, #places, 2 do
  if #found == tonumber(ARGV[2]) then
    cursor = places[index - 1]
    break
  end
  found[#found + 1] = redis.call('HGET', KEYS[2], places[index])
end
return {cursor, found}
