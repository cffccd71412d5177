-- KEYS  1 meta
-- ARGV  1 meta TTL s  2 a new epoch
-- Returns {epoch, offset}. Begins an epoch where there is none, else writes nothing.

--#include position

return {position(KEYS[1], ARGV[1], ARGV[2])}
