-- Who is there, in three structures: `expiry` (clients by the time their entry ends), `entries` (what each is known by,
-- '<length of user>:<user><JSON>') and `users` (how many clients each user has).
-- A message that somebody came or left is '*+<JSON>' or '*-<JSON>': no publication, so it has no offset.

-- Takes a client out. Returns its JSON, false where it was not there.
local function take_out(expiry, entries, users, client)
  redis.call('ZREM', expiry, client)
  local entry = redis.call('HGET', entries, client)
  if not entry then
    return false
  end
  redis.call('HDEL', entries, client)
  local length, start = string.match(entry, '^(%d+):()')
  local user = string.sub(entry, start, start + length - 1)
  if redis.call('HINCRBY', users, user, -1) <= 0 then
    redis.call('HDEL', users, user)
  end
  return string.sub(entry, start + length)
end

-- Takes out those whose time is over, at most `limit`: a worker has died without a word. Tells it if `announce` is '1'.
local function expire(expiry, entries, users, live, now_ms, limit, announce)
  for _, client in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', now_ms, 'LIMIT', 0, limit)) do
    local json = take_out(expiry, entries, users, client)
    if json and announce == '1' then
      redis.call('PUBLISH', live, '*-' .. json)
    end
  end
end
