-- Adds a notification to a person's inbox and publishes it on the inbox's topic, once for each id.
--
-- KEYS  1 meta  2 stream  3 live (pub/sub channel)  4 seen key of the notification
--       5 entries  6 order  7 unread  8 collapse  9 the person's document  10 record of the notification  11 feed
--       12 outbox  (13 awaited, of its collapse key)
-- ARGV  1 entry JSON  2 id  3 now ms  4 expires ms or '+inf'  5 category  6 collapse key or ''
--       7 inbox size  8 history size  9 stream TTL s  10 meta TTL s  11 a new epoch  12 dedupe window s
--       13 inbox TTL s  14 origin ms  15 what the record begins with  16 record TTL s  17 feed size
--       18 its outcome, '' none  19 outcomes at most
-- Returns the unread count after it, -1 where the id has been added before, -2 where the person is erased.
-- Guarantee: entry, indexes, record, feed, unread count, publication and seen key come together. At most `inbox size`
-- entries stay, the oldest leave first; an unseen entry of the same collapse key is replaced.
--
-- entries: id to the entry with its state. order: id by a number that grows with each entry. unread: id by the time it
-- expires, so that what has expired is not counted. collapse: 'key:<k>' to the newest id of that key, and 'id:<id>' back
-- to the key. feed: ids, the newest first.

--#include append
--#include inbox_entry
--#include inbox_remove
--#include outcome

local entries, order, unread, collapse = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local id, now_ms, collapse_key = ARGV[2], ARGV[3], ARGV[6]

if redis.call('HEXISTS', KEYS[9], 'erased') == 1 then
  return -2
end
if not redis.call('SET', KEYS[4], '', 'NX', 'EX', ARGV[12]) then
  return -1
end

if collapse_key ~= '' then
  local older = redis.call('HGET', collapse, 'key:' .. collapse_key)
  local older_entry = older and redis.call('HGET', entries, older)
  if older_entry and rank_of(older_entry) == '0' then
    remove(entries, order, unread, collapse, older)
  end
  redis.call('HSET', collapse, 'key:' .. collapse_key, id, 'id:' .. id, collapse_key)
  redis.call('EXPIRE', collapse, ARGV[13])
  redis.call('SET', KEYS[13], id, 'XX', 'KEEPTTL')
end

local newest = redis.call('ZREVRANGE', order, 0, 0, 'WITHSCORES')
redis.call('ZADD', order, newest[2] and newest[2] + 1 or 1, id)
redis.call('HSET', entries, id, stored_entry(ARGV[5], ARGV[1]))
redis.call('ZADD', unread, ARGV[4], id)
for _ = tonumber(ARGV[7]) + 1, redis.call('ZCARD', order) do
  remove(entries, order, unread, collapse, redis.call('ZRANGE', order, 0, 0)[1])
end
-- unread holds the id just added, and is the first to become empty (and so lose its lifetime): it speaks for all.
if redis.call('TTL', unread) < 0.9 * ARGV[13] then
  for key = 5, 8 do
    redis.call('EXPIRE', KEYS[key], ARGV[13])
  end
end

redis.call('HSET', KEYS[10], 'about', ARGV[15])
tell(KEYS[12], KEYS[10], id, ARGV[18], ARGV[19], ARGV[16])
redis.call('EXPIRE', KEYS[10], ARGV[16])
if redis.call('LPUSH', KEYS[11], id) > tonumber(ARGV[17]) then
  redis.call('RPOP', KEYS[11])
end
redis.call('EXPIRE', KEYS[11], ARGV[16])

local count = redis.call('ZCOUNT', unread, '(' .. now_ms, '+inf')
local message = '{"type":"notification","unread":' .. count .. ',"notification":' .. ARGV[1] .. '}'
append(KEYS[1], KEYS[2], KEYS[3], message, ARGV[14], ARGV[8], ARGV[9], ARGV[10], ARGV[11])
return count
