-- Closes a digest: nothing comes into it any more. Returns what is in it.
--
-- KEYS  1 state  2 open digest  3 closed digest
-- ARGV  1 id of the closing job  2 token
-- Returns {field, value, ...} of the digest (`digest_gather`), or 0 where the lease is lost.
-- Guarantee: what is gathered after this goes into another digest. Asked again, also by who gets the job next, it returns
-- the same: what was in it stays until the job is finished.

--#include job_state

if read_state(KEYS[1], ARGV[1]).token ~= ARGV[2] then
  return 0
end
if redis.call('HGET', KEYS[2], 'closing') == ARGV[1] then
  redis.call('RENAME', KEYS[2], KEYS[3])
end
return redis.call('HGETALL', KEYS[3])
