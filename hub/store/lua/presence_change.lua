-- Takes clients out of a topic's presence, and puts others in or keeps them there.
--
-- KEYS  1 expiry  2 entries  3 users  4 live (pub/sub channel)
-- ARGV  1 now ms  2 end of the new entries ms  3 TTL of the keys s  4 '1' to tell who comes and goes
--       5 number of clients that are there  then of each: client, user, JSON  then the clients that left
-- Returns {how many are new, how many were taken out}.
-- Guarantee: who comes is told once, with the entry; who goes is told if and only if they were there. A second run
-- changes nothing. Those whose time is over are taken out along with it, at most 1,000.

--#include attendance

local expiry, entries, users, live = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local announce, there = ARGV[4], tonumber(ARGV[5])
expire(expiry, entries, users, live, ARGV[1], 1000, announce)
local left = 0
for at = 6 + 3 * there, #ARGV do
  local json = take_out(expiry, entries, users, ARGV[at])
  if json then
    left = left + 1
    if announce == '1' then
      redis.call('PUBLISH', live, '*-' .. json)
    end
  end
end
local came = 0
for at = 6, 5 + 3 * there, 3 do
  local client, user, json = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  redis.call('ZADD', expiry, ARGV[2], client)
  if redis.call('HSET', entries, client, #user .. ':' .. user .. json) == 1 then
    came = came + 1
    redis.call('HINCRBY', users, user, 1)
    if announce == '1' then
      redis.call('PUBLISH', live, '*+' .. json)
    end
  end
end
if there > 0 then
  redis.call('EXPIRE', expiry, ARGV[3])
  redis.call('EXPIRE', entries, ARGV[3])
  redis.call('EXPIRE', users, ARGV[3])
end
return {came, left}
