#!lua flags=allow-oom
-- Renews the leases of all jobs a worker runs.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 lease (ms), then for each job: id, token
-- Reply  for each job: 1 renewed, 0 lost to another worker or ended
--
-- Guarantee: a late renewal is accepted as long as nobody has claimed the job
-- since. Works while Redis is full: a lease must not be lost to that.
--@include layout
--@include lanes

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local lease = tonumber(next_arg())
local ends, reply = int(now + lease), {}

for index = 3, #ARGV, 2 do
    local id, token = ARGV[index], ARGV[index + 1]
    local h = redis.call('HMGET', JOB .. id, 'token', 'hold', 'worker')
    if h[1] == token then
        if h[2] then
            redis.call('ZREM', PARKED .. h[2], id)
            redis.call('HDEL', JOB .. id, 'hold', 'held_since')
        end
        redis.call('HSET', JOB .. id, 'state', 'running', 'lease_until', ends)
        redis.call('SET', IN_PROGRESS .. id, h[3], 'PX', lease)
        redis.call('ZADD', QUEUE, ends, id)
        reply[#reply + 1] = 1
    else
        reply[#reply + 1] = 0
    end
end
return reply
