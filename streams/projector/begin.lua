-- Begins a rebuild of one partition: from now on what the log says counts, not what Redis holds.
--
-- KEYS: position, clock, the projector's notes.
-- ARGV: 1 partition, 2 position and 3 rebuild as they were read ('': none), 4 the log's start, 5 the new rebuild's name,
--       6 the topic's id.
-- Returns 1, or 0 if position or rebuild are no longer what was read; nothing is changed then.

local part = ARGV[1]
if (redis.call('HGET', KEYS[1], part) or '') ~= ARGV[2] then
  return 0
end
if (redis.call('HGET', KEYS[3], part .. '.build') or '') ~= ARGV[3] then
  return 0
end
redis.call('HSET', KEYS[3], part .. '.build', ARGV[5], part .. '.topic', ARGV[6],
  part .. '.written', redis.call('TIME')[1])
redis.call('HDEL', KEYS[3], part .. '.clock_epoch', part .. '.asked')
-- Without a clock readers see that they can't tell how fresh the partition's tags are.
redis.call('HDEL', KEYS[2], part)
redis.call('HSET', KEYS[1], part, ARGV[4])
return 1
