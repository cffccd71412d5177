-- Deletes a person's inbox and its topic's history, and bars the inbox from then on.
--
-- KEYS  1 document  2 meta  3 stream  4.. the other keys to delete
-- ARGV  1 a new epoch
-- Returns 1. A second run changes nothing but the epoch.
-- Guarantee: what is added to the inbox after this, is refused. Seen keys stay: they are hashes, and keep a repeated
-- event from being new. Readers of the topic find another epoch and start over with nothing.

for index = 3, #KEYS do
  redis.call('DEL', KEYS[index])
end
redis.call('HSET', KEYS[1], 'erased', '1')
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HSET', KEYS[2], 'epoch', ARGV[1])
end
return 1
