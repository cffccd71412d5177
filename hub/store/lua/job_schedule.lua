-- KEYS  1 due  2 body  3 seen key of the job
-- ARGV  1 id  2 due ms  3 the job  4 dedupe window s  5 '1' an operator wants it done again
-- Returns 1, or 0 where it has been scheduled before.
-- Guarantee: a job is scheduled once, also where it has been done or buried meanwhile. Done
-- again or not, it is in the queue once.

--#include schedule

if ARGV[5] == '1' then
  redis.call('DEL', KEYS[3])
end
return schedule(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
