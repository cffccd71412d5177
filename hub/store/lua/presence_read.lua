-- Reads who is there.
--
-- KEYS  1 expiry  2 entries
-- ARGV  1 now ms  2 limit, at most 5,000
-- Returns {client, JSON, client, JSON, ...}, those whose time ends last first. Writes nothing.

local clients = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
if #clients == 0 then
  return {}
end
local found = {}
for at, entry in ipairs(redis.call('HMGET', KEYS[2], unpack(clients))) do
  if entry then
    local length, start = string.match(entry, '^(%d+):()')
    found[#found + 1] = clients[at]
    found[#found + 1] = string.sub(entry, start + length)
  end
end
return found
