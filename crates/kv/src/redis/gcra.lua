-- KEYS[1] the limiter; ARGV: step in quarters of a microsecond, permits wanted, burst.
-- Returns 0 when they were there, otherwise after how many microseconds they are.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local step = tonumber(ARGV[1]) / 4
local full_again = tonumber(redis.call('GET', KEYS[1]) or now)
local next = math.max(full_again, now) + step * tonumber(ARGV[2])
local early = next - now - step * tonumber(ARGV[3])
if early > 0 then
  return math.max(1, math.ceil(early))
end
-- Kept until there is nothing to remember.
local millis = math.max(1, math.ceil((next - now) / 1000))
redis.call('SET', KEYS[1], string.format('%.2f', next), 'PX', string.format('%.0f', millis))
return 0
