-- Takes an entry out of every structure of an inbox.
local function remove(entries, order, unread, collapse, id)
  redis.call('HDEL', entries, id)
  redis.call('ZREM', order, id)
  redis.call('ZREM', unread, id)
  local collapse_key = redis.call('HGET', collapse, 'id:' .. id)
  if collapse_key then
    redis.call('HDEL', collapse, 'id:' .. id)
    if redis.call('HGET', collapse, 'key:' .. collapse_key) == id then
      redis.call('HDEL', collapse, 'key:' .. collapse_key)
    end
  end
end
