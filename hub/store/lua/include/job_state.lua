-- The state of a job that has been claimed: '<tries>|<claims>|<begun>|<unknown>|<token>'.
-- tries: provider calls begun. claims: times it was handed out. begun: 1 while a provider call is under way. unknown: 1
-- from when a call's outcome was lost. token: of who holds it; '-<token>' of who gave it back.
local function read_state(state, id)
  local held = redis.call('HGET', state, id)
  if not held then
    return 0, 0, '0', '0', ''
  end
  local tries, claims, begun, unknown, token = string.match(held, '^(%d+)|(%d+)|(%d)|(%d)|(.*)$')
  return tonumber(tries), tonumber(claims), begun, unknown, token
end

local function write_state(state, id, tries, claims, begun, unknown, token)
  redis.call('HSET', state, id, table.concat({tries, claims, begun, unknown, token}, '|'))
end
