-- Picks from some people those for whom a bulk has failed, and has them wait again.
--
-- KEYS  1 outcomes  2 counts
-- ARGV  1 round  2.. the people
-- Returns 1 or 0 for each: whether it is to be sent again in this round.
-- Guarantee: who was picked in this round is picked again until something has come of it.

local mark, picked = 'again:' .. ARGV[1], {}
for index = 2, #ARGV do
  local before = redis.call('HGET', KEYS[1], ARGV[index])
  if before == 'failed' then
    redis.call('HSET', KEYS[1], ARGV[index], mark)
    redis.call('HINCRBY', KEYS[2], 'failed', -1)
  end
  picked[index - 1] = (before == 'failed' or before == mark) and 1 or 0
end
return picked
