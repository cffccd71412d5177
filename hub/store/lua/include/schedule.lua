-- Puts a job into the delay queue, once for each id: also when the job has been done meanwhile.
-- Returns 1, or 0 where it has been scheduled before.
local function schedule(due, body, seen, id, due_ms, job, window_s)
  -- A job may wait for longer than the window: while it is here, it is known by its body.
  if redis.call('HEXISTS', body, id) == 1 or not redis.call('SET', seen, '', 'NX', 'EX', window_s) then
    return 0
  end
  redis.call('HSET', body, id, job)
  redis.call('ZADD', due, due_ms, id)
  return 1
end
