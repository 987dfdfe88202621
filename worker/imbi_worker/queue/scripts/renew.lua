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
--@include leases

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local lease, reply = tonumber(next_arg()), {}

for index = 3, #ARGV, 2 do
    local id, token = ARGV[index], ARGV[index + 1]
    local h = redis.call('HMGET', JOB .. id, 'token', 'hold', 'worker')
    if h[1] == token then
        resume(id, h[2], h[3] or '', lease, now)
        reply[#reply + 1] = 1
    else
        reply[#reply + 1] = 0
    end
end
return reply
