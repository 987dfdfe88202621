-- The record of a delivery: which jobs it gave, what became of them, and how
-- many still need its event. The event goes with its last reference.

local DELIVERIES_KEPT = 10000

-- Notes open jobs of a delivery: *jobs* is { id, project } ..., flat. With a *digest* each
-- needs that event; a job that runs again has its reference already.
local function refer(delivery, digest, jobs)
    if delivery == '' or #jobs == 0 then
        return
    end
    local key, count = DELIVERY .. delivery, #jobs / 2
    local told, added, names = {}, {}, {}
    local function add(name, more)
        if not added[name] then
            names[#names + 1] = name
        end
        added[name] = (added[name] or 0) + more
    end
    add('open', count)
    if digest ~= '' then
        add('refs:' .. digest, count)
    end
    for n = 1, #jobs, 2 do
        told[#told + 1], told[#told + 2] = 'job:' .. jobs[n], 'waiting'
        add('open:' .. jobs[n + 1], 1)
    end
    for n, known in ipairs(redis.call('HMGET', key, unpack(names))) do
        told[#told + 1], told[#told + 2] = names[n], (tonumber(known) or 0) + added[names[n]]
    end
    redis.call('HSET', key, unpack(told))
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

-- A delivery that nothing needs any more stays seven days as the window for duplicates.
local function expire_delivery(delivery, open)
    if open <= 0 and redis.call('EXISTS', EVENT .. delivery) == 0 then
        redis.call('PEXPIRE', DELIVERY .. delivery, 7 * DAY)
    end
end

-- Forgets one reference to an event; the last one takes it along.
local function unrefer(delivery, digest)
    if delivery == '' then
        return
    end
    local key = DELIVERY .. delivery
    if digest ~= '' and redis.call('HINCRBY', key, 'refs:' .. digest, -1) <= 0 then
        redis.call('HDEL', key, 'refs:' .. digest)
        redis.call('HDEL', EVENT .. delivery, digest)
    end
    expire_delivery(delivery, tonumber(redis.call('HGET', key, 'open') or '0'))
end

-- Adds a dead letter to the bytes that are kept of them, or takes it off (*sign*). Its event
-- weighs once for all dead letters that refer to it: 'dead:<digest>' counts them.
local function weigh_dead(id, delivery, digest, sign)
    local bytes = redis.call('STRLEN', BODY .. id)
    if delivery ~= '' and digest ~= '' then
        local key, field = DELIVERY .. delivery, 'dead:' .. digest
        local count = redis.call('HINCRBY', key, field, sign)
        if count <= 0 then
            redis.call('HDEL', key, field)
        end
        if count == (sign > 0 and 1 or 0) then
            bytes = bytes + redis.call('HSTRLEN', EVENT .. delivery, digest)
        end
    end
    redis.call('INCRBY', 'imbi:dead-bytes', int(sign * bytes))
end

-- Notes how a job ended. Returns '1' when it was the last open one of its project.
local function close_in_delivery(delivery, digest, project, id, state, keeps_event)
    if delivery == '' then
        return '1'
    end
    local key = DELIVERY .. delivery
    local of_project, of_event = 'open:' .. project, 'refs:' .. digest
    local counts = redis.call('HMGET', key, 'open', of_project, of_event)
    local open, left = (tonumber(counts[1]) or 0) - 1, (tonumber(counts[2]) or 0) - 1
    if keeps_event or digest == '' then
        redis.call('HSET', key, 'job:' .. id, state, 'open', open, of_project, left)
    else
        local refs = (tonumber(counts[3]) or 0) - 1
        redis.call('HSET', key, 'job:' .. id, state, 'open', open, of_project, left, of_event, refs)
        if refs <= 0 then
            redis.call('HDEL', EVENT .. delivery, digest)
        end
    end
    if not keeps_event then
        expire_delivery(delivery, open)
    end
    return left <= 0 and '1' or '0'
end
