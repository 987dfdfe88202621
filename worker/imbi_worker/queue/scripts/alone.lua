#!lua flags=allow-oom
-- Notes that a job with two crashes behind it now begins, with nothing else on its
-- worker: should the worker die once more, it is this job.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 id, 3 token
-- Reply  1 noted, 0 lost
--@include layout

local refused = layout_error()
if refused then
    return refused
end
local id, token = next_arg(), next_arg()
if redis.call('HGET', JOB .. id, 'token') ~= token then
    return 0
end
redis.call('HSET', JOB .. id, 'alone', '1')
return 1
