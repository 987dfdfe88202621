-- Holds: a stop on an integration ('plugin:<id>'), a handler ('handler:<h>')
-- or the queue ('queue'). Held jobs are parked, out of every reader's way, and
-- come back in the order they were enqueued.

local HALF_OPEN_STEP = 5000
local AT_ONCE = 1000

local function holds_exist()
    return redis.call('ZCARD', HOLDS) > 0
end

-- The first hold that stops a job. *pass* is the number of one it was let through.
local function hold_on(plugin, handler, pass)
    for _, scope in ipairs({ 'queue', 'plugin:' .. plugin, 'handler:' .. handler }) do
        if redis.call('ZSCORE', HOLDS, scope) then
            if not pass or pass == '' or redis.call('HGET', HOLD .. scope, 'number') ~= pass then
                return scope
            end
        end
    end
    return nil
end

-- *number* is new with each change: a pass through a hold is good for that one only.
local function write_hold(scope, kind, reason, actor, ends, now)
    redis.call('ZADD', HOLDS, ends, scope)
    redis.call('HSET', HOLD .. scope, 'kind', kind, 'reason', reason, 'actor', actor, 'since', int(now),
        'until', ends, 'step', 0, 'number', redis.call('INCR', 'imbi:seq'))
end

local function number_of(scope)
    local number = redis.call('HGET', HOLD .. scope, 'number')
    if not number then
        -- Set by an older version.
        number = int(redis.call('INCR', 'imbi:seq'))
        redis.call('HSET', HOLD .. scope, 'number', number)
    end
    return number
end

-- A service's own limit. The longest answer stands when several jobs asked at once, and
-- an operator's hold when it ends later.
local function set_hold(scope, kind, reason, actor, ends, now)
    local standing = tonumber(redis.call('ZSCORE', HOLDS, scope) or '0')
    local step = redis.call('HGET', HOLD .. scope, 'step')
    if standing > ends and step == '0' then
        return
    end
    write_hold(scope, kind, reason, actor, int(ends), now)
end

local function park(id, scope, seq, now)
    redis.call('ZADD', PARKED .. scope, seq, id)
    score(id, far(seq))
    redis.call('HSET', JOB .. id, 'hold', scope, 'held_since', int(now), 'state', 'parked')
end

-- *pass*: the number of the hold when it stands on and lets this job through.
local function unpark(id, scope, now, pass)
    redis.call('ZREM', PARKED .. scope, id)
    local h = redis.call('HMGET', JOB .. id, 'lane', 'seq', 'not_before', 'held_since', 'state')
    if h[5] ~= 'parked' then
        return
    end
    redis.call('HINCRBY', JOB .. id, 'held_ms', int(math.max(0, now - (tonumber(h[4]) or now))))
    redis.call('HDEL', JOB .. id, 'hold', 'held_since')
    redis.call('HSET', JOB .. id, 'state', 'waiting', 'pass', pass or '')
    place(id, h[1] or '', h[2] or '0', tonumber(h[3] or '0'), '', now)
end

-- Gives the first *count* parked jobs back, and ends the hold with the last of them; until
-- then it is looked at again at *again*, and later jobs line up behind the parked.
local function give_back(scope, count, again, now)
    local pass = ''
    if redis.call('ZCARD', PARKED .. scope) > count then
        pass = number_of(scope)
    end
    for _, id in ipairs(redis.call('ZRANGE', PARKED .. scope, 0, count - 1)) do
        unpark(id, scope, now, pass)
    end
    if redis.call('EXISTS', PARKED .. scope) == 0 then
        redis.call('ZREM', HOLDS, scope)
        redis.call('DEL', HOLD .. scope)
    else
        redis.call('ZADD', HOLDS, int(again), scope)
    end
end

-- Ends holds whose time has come. A rate limit ends half open: 1 job, then 2,
-- 4, 8 and so on, every 5 s, until none is parked; any other 1,000 at a time.
local function end_due_holds(now)
    for _, scope in ipairs(redis.call('ZRANGEBYSCORE', HOLDS, '-inf', int(now), 'LIMIT', 0, 10)) do
        local count, again = AT_ONCE, now
        if redis.call('HGET', HOLD .. scope, 'kind') == 'rate_limit' then
            local step = redis.call('HINCRBY', HOLD .. scope, 'step', 1)
            count, again = math.min(AT_ONCE, 2 ^ math.min(step - 1, 10)), now + HALF_OPEN_STEP
        end
        give_back(scope, count, again, now)
    end
end
