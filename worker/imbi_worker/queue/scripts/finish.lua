#!lua flags=allow-oom
-- Writes what became of the attempts that ended meanwhile.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 patience of a lane (ms), then for each attempt: id, token,
--        kind, '1' when it counts as an attempt, reason, error, reported status,
--        wait, hold, duration (ms), attempt record (JSON)
--          succeeded | skipped | dead | cancelled   the end
--          retry      wait = delay (ms)
--          deferred   wait = moment (ms); hold = the scope to stop until then, or ''
--          released   back to the queue as if never claimed (drain); status = 'begun'
--                     when its action had begun, so that its effect is unknown
--          abandoned  counted and noted; the job stays leased while its action lives
-- Reply  for each attempt: ok | overtaken (buried for the sake of its lane) | lost |
--        stale (lost to another worker; noted with the attempt)
--
-- Guarantees: each entry is fenced by its token; a lost one changes nothing of the job. A call
-- repeated after a lost reply finds its tokens gone (abandoned: its run counted) and
-- changes nothing either.
-- Works while Redis is full, and frees more than it stores.
--@include layout
--@include lanes
--@include deliveries
--@include holds
--@include feed
--@include endings

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local patience = tonumber(next_arg())

local function set_aside(id)
    redis.call('HDEL', JOB .. id, 'token', 'lease_until', 'alone', 'abandoned', 'counted', 'pass', 'unresolved')
    redis.call('DEL', IN_PROGRESS .. id)
end

-- Judged only when it begins to wait: its next start lies beyond the patience of
-- its lane, and others of its integration succeed, so it is this job, not the service.
local function is_overtaken(h, starts)
    local headed = tonumber(h.headed) or 0
    if h.lane == '' or headed == 0 or starts <= headed + patience then
        return false
    end
    local name = integration(h)
    -- A success of this very call is not yet written down.
    local last = served[name] and now or tonumber(redis.call('HGET', 'imbi:served', name) or '0')
    return last > headed
end

local function bury_overtaken(id, h, entry)
    finish_job(id, h, { state = 'dead', reason = 'overtaken', status = 'failed', duration = entry.duration,
        error = 'it held its lane too long while others of its integration succeeded: '
            .. (entry.error ~= '' and entry.error or entry.reason) }, now)
    return 'overtaken'
end

local function retry(id, h, entry)
    local starts = now + tonumber(entry.wait)
    if h.first_failed == '' then
        redis.call('HSET', JOB .. id, 'first_failed', int(now))
    end
    if is_overtaken(h, starts) then
        return bury_overtaken(id, h, entry)
    end
    set_aside(id)
    redis.call('HDEL', JOB .. id, 'deferred_since')
    redis.call('HSET', JOB .. id, 'state', 'waiting', 'attempts', h.attempts, 'not_before', int(starts),
        'error', entry.error)
    redis.call('SET', RETRIES .. id, h.attempts, 'PX', DAY)
    place(id, h.lane, h.seq, starts, '', now)
    return 'ok'
end

local function defer(id, h, entry)
    local starts = tonumber(entry.wait)
    if is_overtaken(h, starts) then
        return bury_overtaken(id, h, entry)
    end
    set_aside(id)
    if h.deferred_since == '' then
        redis.call('HSET', JOB .. id, 'deferred_since', int(now))
    end
    redis.call('HSET', JOB .. id, 'state', 'waiting', 'error', entry.reason)
    if entry.hold ~= '' then
        set_hold(entry.hold, 'rate_limit', entry.reason, h.worker, starts, now)
        park(id, entry.hold, h.seq, now)
    else
        redis.call('HINCRBY', JOB .. id, 'held_ms', int(math.max(0, starts - now)))
        redis.call('HSET', JOB .. id, 'not_before', int(starts))
        place(id, h.lane, h.seq, starts, '', now)
    end
    return 'ok'
end

local function release(id, h, entry)
    set_aside(id)
    redis.call('HSET', JOB .. id, 'state', 'waiting')
    if entry.status == 'begun' then
        redis.call('HSET', JOB .. id, 'unknown', '1')
    end
    place(id, h.lane, h.seq, tonumber(h.not_before) or 0, '', now)
    return 'ok'
end

local ENDS = { succeeded = true, skipped = true, dead = true, cancelled = true }

-- The token stays: its worker renews the lease while the action lives. If that was lost
-- meanwhile and the job parked, it stays so until the renewal.
local function abandon(id, h)
    redis.call('HSET', JOB .. id, 'attempts', h.attempts, 'abandoned', '1', 'unknown', '1', 'counted', h.token)
    redis.call('HSETNX', JOB .. id, 'first_failed', int(now))
    return 'ok'
end

-- What a worker says of a run it was replaced in stands beside the crash it was taken for.
-- One that was taken for crashed and not replaced, and repeats its call after a lost reply,
-- is not stale: the job has not started since.
local function note_stale(id, h, entry)
    for number = tonumber(h.attempts) or 0, 1, -1 do
        local note = redis.call('HGET', JOB .. id, note_of(h.run, number))
        local is_json, crash = pcall(cjson.decode, note or '')
        if is_json and type(crash) == 'table' and crash.token == entry.token
            and (tonumber(h.started) or 0) >= (tonumber(crash.ended) or 0) then
            crash.stale, crash.stale_error = entry.kind, entry.error
            note_attempt(id, h.run, number, cjson.encode(crash))
            return 'stale'
        end
    end
    return 'lost'
end

local function settle(id, entry)
    local h = job_hash(id)
    if not h then
        return 'lost'
    elseif h.token == '' or h.token ~= entry.token then
        return note_stale(id, h, entry)
    end
    -- A run that was counted already, as a crash or as abandoned, is not counted again when
    -- its worker comes back late; what it says of it now stands in place of the record.
    local used = tonumber(h.attempts) or 0
    local is_counted = h.counted == h.token
    local counts = entry.counts == '1' or entry.kind == 'abandoned'
    h.attempts = int((counts and not is_counted) and used + 1 or used)
    local number = is_counted and used or used + 1
    if entry.record ~= '' and not ENDS[entry.kind] then
        note_attempt(id, h.run, number, entry.record)
    end
    if entry.kind == 'abandoned' then
        return abandon(id, h)
    end
    if h.hold ~= '' then
        redis.call('ZREM', PARKED .. h.hold, id)
        redis.call('HDEL', JOB .. id, 'hold', 'held_since')
        h.hold = ''
    end
    if ENDS[entry.kind] then
        if is_counted and entry.kind == 'succeeded' then
            redis.call('HDEL', JOB .. id, note_of(h.run, number))
        end
        finish_job(id, h, { state = entry.kind, reason = entry.reason, error = entry.error,
            status = entry.status, duration = entry.duration,
            note = entry.record ~= '' and { note_of(h.run, number), entry.record } or nil }, now)
        return 'ok'
    elseif entry.kind == 'retry' then
        return retry(id, h, entry)
    elseif entry.kind == 'deferred' then
        return defer(id, h, entry)
    end
    return release(id, h, entry)
end

local reply = {}
while ARG < #ARGV do
    local id = next_arg()
    local entry = { token = next_arg(), kind = next_arg(), counts = next_arg(), reason = next_arg(),
        error = next_arg(), status = next_arg(), wait = next_arg(), hold = next_arg(),
        duration = next_arg(), record = next_arg() }
    reply[#reply + 1] = settle(id, entry)
end
flush(now)
wake()
return reply
