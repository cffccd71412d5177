-- Counts a message under each of some allowances of one person, if all of them have room.
--
-- KEYS  1.. the allowances
-- ARGV  1 now ms, then for each key: what is counted, the number of its caps, and of each cap count and window ms
-- Returns 0, or the place (from 1) of the first allowance without room.
-- Guarantee: all or none. What has been counted has its place again, so a second run changes nothing. Of each allowance
-- at most the greatest count is kept, for its longest window.

local now_ms = tonumber(ARGV[1])
local takes, at = {}, 2
for place, key in ipairs(KEYS) do
  local member, caps = ARGV[at], {}
  local longest_ms = 0
  for cap = 1, tonumber(ARGV[at + 1]) do
    local count, window_ms = tonumber(ARGV[at + 2 * cap]), tonumber(ARGV[at + 2 * cap + 1])
    caps[cap] = {count, window_ms}
    longest_ms = math.max(longest_ms, window_ms)
  end
  at = at + 2 + 2 * #caps
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now_ms - longest_ms)
  if not redis.call('ZSCORE', key, member) then
    for _, cap in ipairs(caps) do
      if redis.call('ZCOUNT', key, '(' .. (now_ms - cap[2]), '+inf') >= cap[1] then
        return place
      end
    end
    takes[#takes + 1] = {key, member, longest_ms}
  end
end
for _, take in ipairs(takes) do
  redis.call('ZADD', take[1], now_ms, take[2])
  redis.call('PEXPIRE', take[1], take[3])
end
return 0
