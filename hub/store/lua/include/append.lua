-- Appends one publication to a topic and tells everybody who listens.
--
-- The offsets of an epoch have no holes: the counter and the stream change together or not at all. Meta outlives the
-- stream (its TTL is longer), so that an expired stream keeps its epoch and its offset. Where meta is gone, a new epoch
-- begins, and what may be left of the old one's stream is deleted. Both lifetimes are renewed together, when a tenth of
-- the stream's is over: a publication in between costs no two writes more.
--
-- max_length '0' keeps no history: the publication has offset 0 and an empty epoch. held: what `HMGET meta epoch offset`
-- returns, or nil. info: what is seen of the client that publishes, nil or '' where none does; it is field 'i' of the
-- entry, and stands before the data of the message, its length behind the time:
-- '<epoch>:<offset>:<origin_ms>+<length>:<info><data>'. What follows are further fields of meta and their values.
-- Returns {offset, epoch}.
local function append(
  meta, stream, live, data, origin_ms, max_length, stream_ttl_s, meta_ttl_s, new_epoch, held, info, ...
)
  local by_client = info and info ~= ''
  local message = by_client and origin_ms .. '+' .. #info .. ':' .. info .. data or origin_ms .. ':' .. data
  if max_length == '0' then
    redis.call('PUBLISH', live, ':0:' .. message)
    return {0, ''}
  end
  held = held or redis.call('HMGET', meta, 'epoch', 'offset')
  local epoch, offset = held[1], (held[2] or 0) + 1
  if not epoch then
    epoch, offset = new_epoch, 1
    redis.call('DEL', stream)
  end
  redis.call('HSET', meta, 'epoch', epoch, 'offset', offset, ...)
  -- An exact bound costs nothing for a single value; a longer history is trimmed by whole nodes.
  local trim = max_length == '1' and '=' or '~'
  if by_client then
    redis.call('XADD', stream, 'MAXLEN', trim, max_length, offset .. '-0', 'd', data, 'i', info)
  else
    redis.call('XADD', stream, 'MAXLEN', trim, max_length, offset .. '-0', 'd', data)
  end
  if not held[1] or redis.call('TTL', stream) < 0.9 * stream_ttl_s then
    redis.call('EXPIRE', stream, stream_ttl_s)
    redis.call('EXPIRE', meta, meta_ttl_s)
  end
  redis.call('PUBLISH', live, epoch .. ':' .. offset .. ':' .. message)
  return {offset, epoch}
end
