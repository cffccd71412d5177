-- Has the waiting jobs of one person claimed now, as far as they are among the next jobs of a shard.
--
-- KEYS  1 due  2 body
-- ARGV  1 cursor, '0' from the beginning  2 what stands in the JSON of all jobs of the person  3 the person  4 now ms
--       5 jobs to look at, about
-- Returns the cursor to go on from, '0' after the last.
-- Guarantee: every job that waits from the first run to the last is looked at. A second run changes nothing.

local page = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[5])
local jobs = page[2]
for index = 1, #jobs, 2 do
  if string.find(jobs[index + 1], ARGV[2], 1, true) then
    -- The same may stand in what a template shows. What cannot be read is nobody's.
    local read, job = pcall(cjson.decode, jobs[index + 1])
    if read and job.notification.user == ARGV[3] then
      redis.call('ZADD', KEYS[1], 'XX', 'LT', ARGV[4], jobs[index])
    end
  end
end
return page[1]
