-- Removes those of the given customers' hashes that belong to a partition being rebuilt and were not met in the rebuild.
--
-- KEYS: the projector's notes, then one key for each customer (hashes only).
-- ARGV: partition, rebuild, partition, rebuild, …
-- Returns how many were removed, or -1 if one of the rebuilds is no longer under way; nothing is changed then.

local builds = {}
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i] .. '.build') ~= ARGV[i + 1] then
    return -1
  end
  builds[ARGV[i]] = ARGV[i + 1]
end
local removed = 0
for i = 2, #KEYS do
  local had = redis.call('HMGET', KEYS[i], '_part', '_build')
  local build = had[1] and builds[had[1]]
  if build and had[2] ~= build then
    removed = removed + redis.call('UNLINK', KEYS[i])
  end
end
return removed
