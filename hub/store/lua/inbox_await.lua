-- Notes a notification of a collapse key that was sent ahead of its time.
--
-- KEYS  1 seen key of this note  2 awaited
-- ARGV  1 id  2 dedupe window s  3 TTL s
-- Returns 1, or 0 where it has been noted before.
-- Guarantee: awaited is the newest notification of the key, also where one comes at once (`inbox_add`): an older one that
-- is still to come then knows that it has been replaced. A second run changes nothing.

if not redis.call('SET', KEYS[1], '', 'NX', 'EX', ARGV[2]) then
  return 0
end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[3])
return 1
