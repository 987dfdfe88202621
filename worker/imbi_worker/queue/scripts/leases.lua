-- A lease goes on for the worker that holds the token, however late, as long as nobody
-- has claimed the job since. Whoever found it expired may have parked it: that ends.

local function resume(id, hold, worker, lease, now)
    if hold then
        redis.call('ZREM', PARKED .. hold, id)
        redis.call('HDEL', JOB .. id, 'hold', 'held_since')
    end
    local ends = int(now + lease)
    redis.call('HSET', JOB .. id, 'state', 'running', 'lease_until', ends)
    redis.call('SET', IN_PROGRESS .. id, worker, 'PX', lease)
    redis.call('ZADD', QUEUE, ends, id)
end
