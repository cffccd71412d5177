-- Publishes on a log or broadcast topic, once for each effect.
--
-- KEYS  1 meta  2 stream  3 live (pub/sub channel)  4 seen key of the effect
-- ARGV  1 data  2 origin_ms  3 history size  4 stream TTL s  5 meta TTL s  6 a new epoch  7 dedupe window s
--       8 '1' to note in the seen key where the publication stands: for senders who ask again
--       9 what is seen of the client that publishes, '' where none does
-- Returns {offset, epoch}; where the effect has been published before, '<offset>:<epoch>' of that, '' if not noted.
-- Guarantee: seen key, offset, stream entry and pub/sub message come together; a second run changes nothing.

--#include append

if not redis.call('SET', KEYS[4], '', 'NX', 'EX', ARGV[7]) then
  return redis.call('GET', KEYS[4])
end
local at = append(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], nil, ARGV[9])
if ARGV[8] == '1' then
  redis.call('SET', KEYS[4], at[1] .. ':' .. at[2], 'KEEPTTL')
end
return at
