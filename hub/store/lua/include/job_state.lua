-- The state of a job that has been claimed: '<tries>|<claims>|<begun>|<unknown>|<token>[|<outages>|<down since>]'.
-- tries: provider calls begun. claims: times it was handed out. begun: 1 while a provider call is under way. unknown: 1
-- from when a call's outcome was lost. token: of who holds it; '-<token>' of who gave it back. outages: how many of the
-- claims found the provider down. down since: when the latest of them in a row began, in ms; empty: it was not down.
local function read_state(state, id)
  local held = redis.call('HGET', state, id) or '0|0|0|0|'
  local tries, claims, begun, unknown, token, outages, since =
    string.match(held, '^(%d+)|(%d+)|(%d)|(%d)|([^|]*)|?(%d*)|?(%d*)$')
  return {
    tries = tonumber(tries), claims = tonumber(claims), begun = begun, unknown = unknown, token = token,
    outages = tonumber(outages) or 0, since = since,
  }
end

local function write_state(state, id, own)
  local fields = {own.tries, own.claims, own.begun, own.unknown, own.token}
  if own.outages > 0 then
    fields[6], fields[7] = own.outages, own.since
  end
  redis.call('HSET', state, id, table.concat(fields, '|'))
end

-- Returns the state of a job that its holder gives back.
local function given_back(own)
  own.begun, own.token = '0', '-' .. own.token
  return own
end
