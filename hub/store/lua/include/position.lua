-- Returns epoch, offset of a topic; begins an epoch where there is none.
local function position(meta, meta_ttl_s, new_epoch)
  local at = redis.call('HMGET', meta, 'epoch', 'offset')
  if at[1] then
    return at[1], tonumber(at[2] or '0')
  end
  redis.call('HSET', meta, 'epoch', new_epoch, 'offset', '0')
  redis.call('EXPIRE', meta, meta_ttl_s)
  return new_epoch, 0
end
