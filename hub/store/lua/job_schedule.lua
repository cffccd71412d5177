-- Puts jobs of one shard into the delay queue.
--
-- KEYS  1 due  2 body  3.. the seen key of each job  (then: the seen keys of jobs that may follow them once more)
-- ARGV  1 dedupe window s  2 '1' an operator wants them done again  3.. id, due ms and text of each job
-- Returns a list with 1 for each job, 0 for one that has been scheduled before.
-- Guarantee: a job is scheduled once, also where it has been done or buried meanwhile. Done again or not, it is in the
-- queue once.

--#include schedule

local due, body, window_s, again = KEYS[1], KEYS[2], ARGV[1], ARGV[2] == '1'
local results, times, texts = {}, {}, {}
local last = 2 + (#ARGV - 2) / 3
for index = last + 1, #KEYS do
  redis.call('DEL', KEYS[index])
end
for index = 3, last do
  local at = 3 * index - 6
  local id, first = ARGV[at], false
  if again then
    redis.call('DEL', KEYS[index])
  end
  if is_first(body, KEYS[index], id, window_s) then
    first = true
    times[#times + 1], times[#times + 2] = ARGV[at + 1], id
    texts[#texts + 1], texts[#texts + 2] = id, ARGV[at + 2]
  end
  results[#results + 1] = first and 1 or 0
end
if #times > 0 then
  redis.call('HSET', body, unpack(texts))
  redis.call('ZADD', due, unpack(times))
end
return results
