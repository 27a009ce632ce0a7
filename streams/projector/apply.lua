-- Replaces the hashes of some customers of one partition, and moves the partition's clock and position, all or nothing.
--
-- KEYS: position, clock, the projector's notes, then one key for each customer.
-- ARGV: 1 partition, 2 position that Redis should stand at, 3 rebuild that should be under way ('': none),
--       4 position afterwards, 5 epoch and 6 clock of the partition ('': leave the clock), 7 a JSON array with one array
--       for each customer: '_epoch', epoch, '_seq', seq, further fields and values; or an empty one, to remove the hash.
-- Returns how many hashes were written or removed, or -1 if Redis does not stand as expected; nothing is changed then.

local call, part, build = redis.call, ARGV[1], ARGV[3]
if call('HGET', KEYS[1], part) ~= ARGV[2] or (call('HGET', KEYS[3], part .. '.build') or '') ~= build then
  return -1
end

-- The first write must be one that takes memory: Redis refuses such a write (out of memory, read only, disk full) only
-- as the first of a script. Were the first a removal, the script would go on or stop halfway, with customers missing.
call('HSET', KEYS[3], part .. '.written', call('TIME')[1])

-- Is (epoch, seq) newer than what the hash says? In a rebuild the log alone counts, so whatever the rebuild did not
-- write itself is older; and so is what came from another partition, whose numbers can't be compared.
local function is_newer(had, epoch, seq)
  if had[3] ~= part or (build ~= '' and had[4] ~= build) then
    return true
  end
  local had_epoch = tonumber(had[1]) or -1
  return epoch > had_epoch or (epoch == had_epoch and seq > (tonumber(had[2]) or -1))
end

-- Lua's stack holds 8,000 values, so a customer with thousands of tags takes several calls.
local AT_ONCE = 4000
local function write(key, fields)
  if build ~= '' then
    fields[#fields + 1] = '_build'
    fields[#fields + 1] = build
  end
  for first = 1, #fields, AT_ONCE do
    call('HSET', key, unpack(fields, first, math.min(first + AT_ONCE - 1, #fields)))
  end
end

local changed = 0
for i, fields in ipairs(cjson.decode(ARGV[7])) do
  local key = KEYS[i + 3]
  if #fields == 0 then
    changed = changed + call('UNLINK', key)
  else
    local had = redis.pcall('HMGET', key, '_epoch', '_seq', '_part', '_build')
    -- An error: the key is no hash, so not ours.
    if had.err or not had[1] or is_newer(had, tonumber(fields[2]), tonumber(fields[4])) then
      call('UNLINK', key)
      write(key, fields)
      changed = changed + 1
    end
  end
end

if ARGV[6] ~= '' then
  local epoch, clock = tonumber(ARGV[5]), tonumber(ARGV[6])
  local had_epoch = tonumber(call('HGET', KEYS[3], part .. '.clock_epoch')) or -1
  local had_clock = tonumber(call('HGET', KEYS[2], part)) or -1
  if epoch > had_epoch or (epoch == had_epoch and clock > had_clock) then
    call('HSET', KEYS[2], part, ARGV[6])
    call('HSET', KEYS[3], part .. '.clock_epoch', ARGV[5])
  end
end

call('HSET', KEYS[1], part, ARGV[4])
return changed
