-- Sets and deletes values: all of them, or none if a version that has to be there is not.
--
-- Each key of KEYS has five of ARGV: 'set' or 'delete'; the version that has to be there, '0' for
-- any; the value; '1' if the value is marked as written first; and the time to live in seconds,
-- '0' for no end, '' to leave it as it is. It returns 0, or the number of the operation whose
-- version is not there, which is negative if what is there has no version that can be counted on.
--
-- The rules of versions are Dapr's (docs/state.md).

local seen, replaced = {}, {}

local function state_of(key)
  if not seen[key] then
    local found = redis.pcall('HMGET', key, 'version', 'first-write')
    if found.err then
      seen[key] = {is_other = true, version = false}  -- no hash
    else
      seen[key] = {version = found[1], is_first = found[2]}
    end
  end
  return seen[key]
end

for number, key in ipairs(KEYS) do
  local at = (number - 1) * 5
  local state, etag = state_of(key), ARGV[at + 2]
  local version = state.version
  if ARGV[at + 1] == 'delete' then
    if version and version ~= etag and etag ~= '0' then
      return number
    end
    seen[key] = {version = false}
  else
    if version and version ~= etag and (etag ~= '0' or state.is_first) then
      return number
    end
    if version and (not string.match(version, '^-?%d+$') or #version > 18) then
      return -number
    end
    replaced[number] = state.is_other
    seen[key] = {
      version = string.format('%.0f', (tonumber(version or '0') or 0) + 1),
      is_first = state.is_first or ARGV[at + 4] == '1',
    }
  end
end

for number, key in ipairs(KEYS) do
  local at = (number - 1) * 5
  if ARGV[at + 1] == 'delete' then
    redis.call('DEL', key)
  else
    if replaced[number] then
      redis.call('DEL', key)
    end
    redis.call('HSET', key, 'data', ARGV[at + 3])
    if ARGV[at + 4] == '1' then
      redis.call('HSET', key, 'first-write', 0)
    end
    redis.call('HINCRBY', key, 'version', 1)
    local ttl = ARGV[at + 5]
    if ttl == '0' then
      redis.call('PERSIST', key)
    elseif ttl ~= '' then
      redis.call('EXPIRE', key, ttl)
    end
  end
end

return 0
