-- How a job ends: succeeded, skipped, dead or cancelled. One place writes the
-- result for arq's readers, the outcome for Imbi's, the counters, the delivery's
-- record, and frees the lane (I3).

local OUTCOMES_KEPT = 100000
-- As many as one cancel may ask for: actions that ignore theirs keep none from being told.
local MARKS_AT_ONCE = 500

-- Texts as JSON; those of a batch are mostly the same.
local quoted = setmetatable({}, { __index = function(known, text)
    local json = cjson.encode(text)
    rawset(known, text, json)
    return json
end })

local function result_of(id, h, state, attempts, started, now, text)
    local good = state == 'succeeded' or state == 'skipped'
    return string.format('{"t":%s,"f":%s,"a":[],"k":{"project_id":%s,"delivery":%s},"et":%s,"s":%s,"r":%s,'
        .. '"st":%s,"ft":%s,"q":%s,"id":%s}', attempts, quoted[h.handler], quoted[h.project], cjson.encode(h.delivery),
        h.enqueued == '' and '0' or h.enqueued, good and 'true' or 'false', text == '' and 'null' or cjson.encode(text),
        started, int(now), quoted[QUEUE], cjson.encode(id))
end

-- A job's hash, nil when there is none; a field it lacks reads as ''. Each field costs:
-- *names*, the first of which every hash has, are read in one call, any other when it is
-- asked for.
local function read_job(id, names)
    local values = redis.call('HMGET', JOB .. id, unpack(names))
    if not values[1] then
        return nil
    end
    local h = {}
    for n = 1, #names do
        h[names[n]] = values[n] or ''
    end
    return setmetatable(h, { __index = function(fields, name)
        local value = redis.call('HGET', JOB .. id, name) or ''
        rawset(fields, name, value)
        return value
    end })
end

local TO_END = { 'state', 'token', 'handler', 'plugin', 'lane', 'seq', 'delivery', 'digest', 'project', 'enqueued',
    'attempts', 'run', 'started', 'hold', 'counted', 'alone', 'pass', 'error', 'row' }

local function job_hash(id)
    return read_job(id, TO_END)
end

local ended, served, gone, freed = {}, {}, {}, {}
local aborts_are_asked = redis.call('ZCARD', ABORT) > 0

-- Endings of one call share what can be written once: the members that leave the queue,
-- the keys that are freed, the counters. Nothing else of the call looks at them.
local function flush(now)
    flush_scores()
    if #gone > 0 then
        redis.call('ZREM', QUEUE, unpack(gone))
        redis.call('DEL', unpack(freed))
        gone, freed = {}, {}
    end
    for field, count in pairs(ended) do
        redis.call('HINCRBY', 'imbi:counters', field, count)
    end
    for name in pairs(served) do
        redis.call('HSET', 'imbi:served', name, int(now))
    end
    ended, served = {}, {}
end

-- A plugin id, or the slug of a plugin that needs none.
local function integration(h)
    return h.plugin ~= '' and h.plugin or string.match(h.handler, '^[^#]*')
end

local function append(list, ...)
    for n = 1, select('#', ...) do
        list[#list + 1] = select(n, ...)
    end
end

local function note_of(run, number)
    return 'attempt:' .. run .. '.' .. int(number)
end

-- ending = { state, reason, error, status, duration, note }; status is succeeded, failed or
-- skipped, note the attempt's field and record if there is one to write along. A success
-- leaves none: the hash says all of it.
-- The caller ends in flush.
local function finish_job(id, h, ending, now)
    local dead = ending.state == 'dead'
    local attempts = h.attempts == '' and '0' or h.attempts
    local started = h.started == '' and int(now) or h.started
    local text = ''
    if ending.state == 'skipped' then
        text = 'skipped: ' .. ending.reason
    elseif ending.state == 'cancelled' then
        text = 'cancelled'
        -- Whoever ends it: an operator's cancel says by whom and why.
        ending.error = ending.error ~= '' and ending.error or h.cancelled_by
    elseif dead then
        local is_named = string.sub(ending.error, 1, #ending.reason) == ending.reason
        text = is_named and ending.error or ending.reason .. ': ' .. ending.error
    end

    gone[#gone + 1] = id
    if #gone > 500 then
        flush(now)
    end
    if aborts_are_asked then
        redis.call('ZREM', ABORT, id)
    end
    if h.hold ~= '' then
        redis.call('ZREM', PARKED .. h.hold, id)
    end
    if h.hold ~= '' or h.counted ~= '' or h.alone ~= '' or h.pass ~= '' then
        redis.call('HDEL', JOB .. id, 'alone', 'pass', 'hold', 'held_since', 'counted', 'abandoned')
    end
    local at = int(now)
    local told = { 'state', ending.state, 'token', '', 'ended', at, 'attempts', attempts, 'status', ending.status,
        'duration_ms', ending.duration }
    if text ~= '' or h.error ~= '' then
        append(told, 'reason', ending.reason, 'error', ending.error)
    end
    if ending.note then
        append(told, ending.note[1], ending.note[2])
    end
    redis.call('HSET', JOB .. id, unpack(told))
    if dead then
        freed[#freed + 1], freed[#freed + 2] = IN_PROGRESS .. id, RETRIES .. id
        redis.call('ZADD', DEAD, at, id)
        if h.lane ~= '' then
            redis.call('SET', 'imbi:lane-moved:' .. h.lane, h.seq, 'PX', 30 * DAY)
        end
        weigh_dead(id, h.delivery, h.digest, 1)
    else
        freed[#freed + 1], freed[#freed + 2], freed[#freed + 3] = IN_PROGRESS .. id, RETRIES .. id, BODY .. id
        redis.call('PEXPIRE', JOB .. id, DAY)
    end
    if ending.state == 'succeeded' then
        served[integration(h)] = true
    end
    redis.call('SET', RESULT .. id, result_of(id, h, ending.state, attempts, started, now, text), 'PX', DAY)
    local counter = ending.state .. ':' .. h.handler
    ended[counter] = (ended[counter] or 0) + 1
    if h.digest ~= '' and (h.row ~= '' or is_fed()) then
        feed(id, h, ending)
    end
    local last = close_in_delivery(h.delivery, h.digest, h.project, id, ending.state, dead)
    local outcome = { 'job', id, 'handler', h.handler, 'project', h.project, 'delivery', h.delivery,
        'state', ending.state, 'status', ending.status, 'duration_ms', ending.duration,
        'attempts', attempts, 'run', h.run, 'ended', at, 'last', last }
    if text ~= '' then
        append(outcome, 'reason', ending.reason, 'error', ending.error)
    end
    redis.call('XADD', 'imbi:outcomes', 'MAXLEN', '~', OUTCOMES_KEPT, '*', unpack(outcome))
    leave_lane(id, h.lane, h.seq, now)
end

local function note_attempt(id, run, number, record)
    redis.call('HSET', JOB .. id, note_of(run, number), record)
end

-- A stock arq client asked for a cancel. A mark never outlives its job: on an
-- ended or unknown one it is dropped, so it cannot hit a later job of that id.
-- Returns the ids that run just now: their workers stop them.
local function sweep_aborts(now)
    local running = {}
    if redis.call('ZCARD', ABORT) == 0 then
        return running
    end
    for _, id in ipairs(redis.call('ZRANGE', ABORT, 0, MARKS_AT_ONCE - 1)) do
        local h = job_hash(id)
        local state = h and h.state
        if state == 'running' and (tonumber(h.lease_until) or 0) > now then
            running[#running + 1] = id
        elseif state == 'waiting' or state == 'parked' or state == 'running' then
            finish_job(id, h, { state = 'cancelled', reason = 'cancelled', error = '',
                status = 'skipped', duration = '' }, now)
        elseif h or redis.call('EXISTS', BODY .. id) == 0
            or not redis.call('ZSCORE', QUEUE, id) then
            redis.call('ZREM', ABORT, id)
        else
            -- Not adopted yet: brought to a worker now, cancelled by the next sweep.
            redis.call('ZADD', QUEUE, 'XX', int(now), id)
        end
    end
    return running
end
