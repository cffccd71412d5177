-- Publishes on a log or broadcast topic, once for each effect.
--
-- KEYS  1 meta  2 stream  3 live (pub/sub channel)  4 seen key of the effect
-- ARGV  1 data  2 origin_ms  3 history size  4 stream TTL s  5 meta TTL s  6 a new epoch  7 dedupe window s
-- Returns {offset, epoch}, or 0 where the effect has been published before.
-- Guarantee: seen key, offset, stream entry and pub/sub message come together; a second run changes nothing.

--#include append

if not redis.call('SET', KEYS[4], '', 'NX', 'EX', ARGV[7]) then
  return 0
end
return append(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
