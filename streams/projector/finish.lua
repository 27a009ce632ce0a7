-- Ends the rebuild of one partition: all of the log was read, and what it does not hold was removed.
--
-- KEYS: the projector's notes. ARGV: 1 partition, 2 rebuild.
-- Returns 1, or 0 if that rebuild is no longer under way.

if redis.call('HGET', KEYS[1], ARGV[1] .. '.build') ~= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1] .. '.build')
return 1
