-- Takes a job out of the queue for good and schedules those that follow it, if any.
--
-- KEYS  1 leased  2 body  3 state  4 seen key of the job  5 due  6.. seen key of each following job  (then: what is to be
--       deleted with the job)
-- ARGV  1 id  2 token  3 dedupe window s  4 how many jobs follow  5.. id, due ms and text of each of them
-- Returns 1, or 0 where the lease is lost.
-- Guarantee: all or nothing. Its id stays seen for a dedupe window from now. The holder who asks again gets 1 again.

--#include job_state
--#include schedule

local id, window_s, following = ARGV[1], ARGV[3], tonumber(ARGV[4])
local done = 'done:' .. ARGV[2]
if read_state(KEYS[3], id).token ~= ARGV[2] then
  return redis.call('GET', KEYS[4]) == done and 1 or 0
end
redis.call('ZREM', KEYS[1], id)
redis.call('HDEL', KEYS[2], id)
redis.call('HDEL', KEYS[3], id)
redis.call('SET', KEYS[4], done, 'EX', window_s)
for index = 1, following do
  local at = 2 + 3 * index
  if is_first(KEYS[2], KEYS[5 + index], ARGV[at], window_s) then
    redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 2])
    redis.call('ZADD', KEYS[5], ARGV[at + 1], ARGV[at])
  end
end
for index = 6 + following, #KEYS do
  redis.call('DEL', KEYS[index])
end
return 1
