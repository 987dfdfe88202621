-- The record of a delivery: which jobs it gave, what became of them, and how
-- many still need its event. The event goes with its last reference.

local DELIVERIES_KEPT = 10000

local function refer(delivery, digest, project, id)
    if delivery == '' then
        return
    end
    local key = DELIVERY .. delivery
    redis.call('HSET', key, 'job:' .. id, 'waiting')
    redis.call('HINCRBY', key, 'open', 1)
    redis.call('HINCRBY', key, 'open:' .. project, 1)
    if digest ~= '' then
        redis.call('HINCRBY', key, 'refs:' .. digest, 1)
    end
    redis.call('PERSIST', key)
end

-- The run number of a job that runs again. It stands with the delivery, too: a hash goes a
-- day after a cancel and with a discarded dead letter, and no two runs share a number.
local function next_run(delivery, id)
    local last = redis.call('HGET', JOB .. id, 'run') or redis.call('HGET', DELIVERY .. delivery, 'run:' .. id)
    local run = (tonumber(last) or 1) + 1
    if delivery ~= '' then
        redis.call('HSET', DELIVERY .. delivery, 'run:' .. id, run)
    end
    return run
end

-- Forgets one reference to an event; a delivery that nothing needs any more
-- stays seven days as the window for duplicates. *open* is its number of open jobs,
-- where the caller knows it.
local function unrefer(delivery, digest, open)
    if delivery == '' then
        return
    end
    local key = DELIVERY .. delivery
    if digest ~= '' and redis.call('HINCRBY', key, 'refs:' .. digest, -1) <= 0 then
        redis.call('HDEL', key, 'refs:' .. digest)
        redis.call('HDEL', EVENT .. delivery, digest)
    end
    open = open or tonumber(redis.call('HGET', key, 'open') or '0')
    if open <= 0 and redis.call('EXISTS', EVENT .. delivery) == 0 then
        redis.call('PEXPIRE', key, 7 * DAY)
    end
end

-- Notes how a job ended. Returns '1' when it was the last open one of its project.
local function close_in_delivery(delivery, digest, project, id, state, keeps_event)
    if delivery == '' then
        return '1'
    end
    local key = DELIVERY .. delivery
    redis.call('HSET', key, 'job:' .. id, state)
    local open = redis.call('HINCRBY', key, 'open', -1)
    local left = redis.call('HINCRBY', key, 'open:' .. project, -1)
    if not keeps_event then
        unrefer(delivery, digest, open)
    end
    return left <= 0 and '1' or '0'
end
