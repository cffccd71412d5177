-- Notes what became of a bulk for one person: the best that is known, failures only when the ladder is over.
--
-- KEYS  1 outcomes  2 counts
-- ARGV  1 person  2 outcome  3 '1' the ladder is over  4 TTL s
-- Returns 1 where that was news.
-- Guarantee: counts say how many people have each outcome. Noting the same again changes nothing.

local ranks = {refused = 1, skipped = 1, cancelled = 1, failed = 2, unknown = 3, sent = 4}
local person, outcome, over = ARGV[1], ARGV[2], ARGV[3] == '1'
local before = redis.call('HGET', KEYS[1], person)
-- 'tried': a step has failed, and another follows. 'again:<round>': it had failed and is tried again.
if outcome == 'failed' and not over then
  outcome = 'tried'
elseif outcome == 'skipped' and not over then
  return 0
elseif outcome == 'skipped' and before == 'tried' then
  outcome = 'failed'
end
if (ranks[outcome] or 0) <= (ranks[before] or 0) and (outcome ~= 'tried' or ranks[before]) then
  return 0
end
redis.call('HSET', KEYS[1], person, outcome)
if ranks[before] then
  redis.call('HINCRBY', KEYS[2], before, -1)
end
if ranks[outcome] then
  redis.call('HINCRBY', KEYS[2], outcome, 1)
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 1
