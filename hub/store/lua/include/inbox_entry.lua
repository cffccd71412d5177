-- How an entry stands in `entries`: '<rank><length of category>:<category><JSON>'. Ranks: 0 unseen, 1 seen, 2 read,
-- 3 archived. State and text lie together because a second hash would hold all ids again, and be searched slowly.
local function stored_entry(category, json)
  return '0' .. #category .. ':' .. category .. json
end

local function rank_of(entry)
  return string.sub(entry, 1, 1)
end

local function with_rank(entry, rank)
  return rank .. string.sub(entry, 2)
end

local function category_and_json(entry)
  local length, start = string.match(entry, '^%d(%d+):()')
  return string.sub(entry, start, start + length - 1), string.sub(entry, start + length)
end
