-- Says whether a job may be put into the delay queue: once for each id, also when the job has been done meanwhile.
local function is_first(body, seen, id, window_s)
  -- A job may wait for longer than the window: while it is here, it is known by its body.
  return redis.call('HEXISTS', body, id) == 0 and redis.call('SET', seen, '', 'NX', 'EX', window_s)
end
