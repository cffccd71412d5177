-- Takes a job out of the queue for good and schedules the one that follows it, if any.
--
-- KEYS  1 leased  2 body  3 state  4 seen key of the job  (5 due  6 seen key of the next job)
-- ARGV  1 id  2 token  3 dedupe window s  (4 id of the next job  5 its due ms  6 the job)
-- Returns 1, or 0 where the lease is lost.
-- Guarantee: both or neither. Its id stays seen for a dedupe window from now. The holder who asks again gets 1 again.

--#include job_state
--#include schedule

local id, window_s = ARGV[1], ARGV[3]
local done = 'done:' .. ARGV[2]
local _, _, _, _, token = read_state(KEYS[3], id)
if token ~= ARGV[2] then
  return redis.call('GET', KEYS[4]) == done and 1 or 0
end
redis.call('ZREM', KEYS[1], id)
redis.call('HDEL', KEYS[2], id)
redis.call('HDEL', KEYS[3], id)
redis.call('SET', KEYS[4], done, 'EX', window_s)
if KEYS[5] and is_first(KEYS[2], KEYS[6], ARGV[4], window_s) then
  redis.call('HSET', KEYS[2], ARGV[4], ARGV[6])
  redis.call('ZADD', KEYS[5], ARGV[5], ARGV[4])
end
return 1
