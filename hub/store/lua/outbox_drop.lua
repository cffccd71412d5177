-- Takes told entries from the head of a person's outbox.
--
-- KEYS  1 outbox
-- ARGV  1.. the entries, in their order
-- Returns how many it took.
-- Guarantee: takes nothing else, also where somebody else has taken some of them before.

local taken = 0
for _, entry in ipairs(ARGV) do
  if redis.call('LINDEX', KEYS[1], 0) == entry then
    redis.call('LPOP', KEYS[1])
    taken = taken + 1
  end
end
return taken
