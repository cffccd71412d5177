-- Puts what has happened to a notification into its person's outbox, numbered within the notification.
--
-- An entry is '<number> <notification> <text>'. A full outbox loses its oldest; how many it has lost so far stands at its
-- head as '!<count>'. text '': nobody wants to know.
local function tell(outbox, record, id, text, most, ttl_s)
  if text == '' then
    return
  end
  local number = redis.call('HINCRBY', record, 'told', 1)
  if redis.call('RPUSH', outbox, number .. ' ' .. id .. ' ' .. text) > tonumber(most) then
    local lost = string.match(redis.call('LPOP', outbox), '^!(%d+)$')
    if lost then
      redis.call('LPOP', outbox)
    end
    redis.call('LPUSH', outbox, '!' .. (lost or 0) + 1)
  end
  redis.call('EXPIRE', outbox, ttl_s)
end
