#!lua flags=allow-oom
-- Gives a worker a batch of due jobs under a lease.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 worker id, 3 number of this claim, 4 jobs wanted, 5 bytes
--        wanted, 6 '1' when the first job may be larger than that, 7 '1'
--        to spare expired leases (after an outage, so that their holders renew first),
--        8 lease (ms), 9 '1' while the graph answers, 10 wire version the worker knows,
--        11 its plugin slugs, separated and surrounded by spaces, 12 Redis' time (ms) as
--        the worker took it to be when it asked, or '', 13 '1' to wake another worker for due
--        jobs that are left ('0': this one comes back for them at once), 14 '1' when a call of
--        this number has failed
-- Reply  { now, next due moment, 'more' | 'bytes' | '' when due jobs were left,
--          jobs: { id, token, body, event key, facts } ..., flat; the facts are 'enqueued
--                  run due' and, of a job with a past, ' name=value' for each figure of it;
--                  due is the moment since when it could have run,
--          events: { key, bytes } ..., flat,
--          strangers: { id, body } ... without a hash, to be adopted, flat,
--          running jobs whose cancel was asked for }
--
-- Guarantees: a claim repeated with its number returns the same jobs, so a lost
-- reply loses none; a call that was given up and comes late leases nothing. Every due id
-- that cannot run here leaves the due range: it is looked at once for each reason and hides
-- no other. A job with two crashes behind it comes alone, so that no other is held up beside
-- it. A call that lay about while Redis stood still spares expired leases, too: their holders
-- could not renew. A stock abort() that sets a score back makes nothing run early: the score
-- is an index, the hash decides. A hash that lacks a field stops no claim: an error here would
-- stop every worker. Works while Redis is full: only jobs that run free memory.
--@include layout
--@include lanes
--@include deliveries
--@include holds
--@include feed
--@include endings
--@include leases

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local worker, number, wanted, bytes_wanted = next_arg(), next_arg(), tonumber(next_arg()), tonumber(next_arg())
local takes_any, spares, lease, graph_answers = next_arg() == '1', next_arg() == '1', tonumber(next_arg()), next_arg() == '1'
local version, slugs, asked, passes_on = tonumber(next_arg()), next_arg(), tonumber(next_arg()), next_arg() == '1'
local is_repeat = next_arg() == '1'
spares = spares or (asked ~= nil and now - asked > lease / 3)

local LOOKED_AT = 1000
local ELSEWHERE = 5000
-- Short: a worker that spares must not keep the others from what a dead one left.
local SPARED = 1000
local PATIENCE_FOR_PLUGINS = 600000
local worker_key = 'imbi:worker:' .. worker
local jobs, events, strangers = {}, {}, {}
local event_sent, taken, bytes, left = {}, 0, 0, ''

local function hand_out(id, h, token, body, due)
    local key = ''
    if h.digest ~= '' then
        key = h.delivery .. '/' .. h.digest
        if not event_sent[key] then
            event_sent[key] = true
            events[#events + 1] = key
            events[#events + 1] = redis.call('HGET', EVENT .. h.delivery, h.digest) or ''
        end
    end
    local told = h.enqueued .. ' ' .. h.run .. ' ' .. due
    -- Only what has been on a worker or under a hold has a past.
    if h.started ~= '' or h.held_ms ~= '' then
        told = told .. ' attempts=' .. h.attempts .. ' crashes=' .. h.crashes .. ' first_failed=' .. h.first_failed
            .. ' held_ms=' .. h.held_ms .. ' deferred_since=' .. h.deferred_since .. ' unknown=' .. h.unknown
    end
    local n = #jobs
    jobs[n + 1], jobs[n + 2], jobs[n + 3], jobs[n + 4], jobs[n + 5] = id, token, body, key, told
end

local TO_CLAIM = { 'state', 'not_before', 'headed', 'handler', 'plugin', 'v', 'delivery', 'digest', 'size', 'enqueued',
    'run', 'started', 'held_ms', 'pass', 'unresolved' }

local last = redis.call('HMGET', worker_key, 'claim', 'claimed')
if (tonumber(last[1]) or 0) >= tonumber(number) then
    -- A number below it is closed: nothing of it is leased any more.
    local same = last[1] == number and cjson.decode(last[2] or '[]') or {}
    for index = 1, #same, 2 do
        local id, token = same[index], same[index + 1]
        local h = read_job(id, TO_CLAIM)
        if h and h.token == token then
            resume(id, h.hold ~= '' and h.hold, worker, lease, now)
            hand_out(id, h, token, redis.call('GET', BODY .. id) or '', int(now))
        end
    end
    return { int(now), int(now), 'more', jobs, events, strangers, {} }
end

-- The run of a worker that went away: a crash, counted now. Alone on its worker
-- it is the poison itself and is buried; in company it runs again. The token stays,
-- so the worker may still finish late while nobody has claimed the job since.
-- 'counted' holds the token of a run that is counted already, here or as abandoned.
local function count_crash(id, h)
    h.unknown, h.pass = '1', ''
    local was_alone = h.alone == '1'
    -- What belonged to that run: a later one may be in company, and under the hold again.
    redis.call('HDEL', JOB .. id, 'abandoned', 'alone', 'pass')
    if h.token ~= '' and h.counted == h.token then
        redis.call('HSET', JOB .. id, 'state', 'waiting', 'unknown', '1')
        return true
    end
    h.attempts = int((tonumber(h.attempts) or 0) + 1)
    h.crashes = int((tonumber(h.crashes) or 0) + 1)
    h.counted = h.token
    if h.first_failed == '' then
        h.first_failed = int(now)
    end
    redis.call('HSET', JOB .. id, 'state', 'waiting', 'attempts', h.attempts, 'crashes', h.crashes, 'unknown', '1',
        'first_failed', h.first_failed, 'counted', h.token)
    note_attempt(id, h.run, tonumber(h.attempts), cjson.encode({ n = tonumber(h.attempts), outcome = 'crashed', worker = h.worker,
        token = h.token, started = tonumber(h.started) or now, ended = now,
        error = 'the lease ran out: the worker died or lost Redis' }))
    if not was_alone then
        return true
    end
    finish_job(id, h, { state = 'dead', reason = 'poison pill', status = 'failed', duration = '',
        error = 'its worker died while it ran alone: replay it only when the action is mended' }, now)
    return false
end

local function elsewhere(id, field)
    score(id, int(now + ELSEWHERE))
    if field then
        redis.call('HSETNX', JOB .. id, field, int(now))
    end
end

-- No worker has had the plugin for ten minutes: the job is not left to wait for ever.
local function is_orphan(h, slug)
    local since = tonumber(h.unresolved) or now
    local seen = tonumber(redis.call('HGET', 'imbi:slugs', slug) or '0')
    return now - math.max(since, seen) > PATIENCE_FOR_PLUGINS
end

local function cannot_run(id, h)
    if tonumber(h.v) and tonumber(h.v) > version then
        elsewhere(id, nil)
        return true
    end
    local slug = string.match(h.handler, '^([^#]*)#') or ''
    if not string.find(slugs, ' ' .. slug .. ' ', 1, true) then
        if is_orphan(h, slug) then
            finish_job(id, h, { state = 'dead', reason = 'handler not resolvable', status = 'skipped',
                duration = '', error = 'no worker has had the plugin ' .. slug .. ' for 10 minutes: install it, then replay' }, now)
        else
            elsewhere(id, 'unresolved')
        end
        return true
    end
    if h.plugin ~= '' and not graph_answers then
        elsewhere(id, nil)
        return true
    end
    return false
end

-- True when the job may be handed out; otherwise it has left the due range.
local function is_ready(id, h)
    if h.state == 'parked' then
        score(id, far(h.seq))
    elseif h.state ~= 'waiting' and h.state ~= 'running' then
        redis.call('ZREM', QUEUE, id)
    elseif h.state == 'running' and (tonumber(h.lease_until) or 0) > now then
        score(id, h.lease_until)
    elseif h.state == 'running' and spares then
        score(id, int(now + SPARED))
    elseif tonumber(h.not_before) and tonumber(h.not_before) > now then
        score(id, h.not_before)
    elseif h.headed == '0' then
        score(id, far(h.seq))
    else
        return h.state ~= 'running' or count_crash(id, h)
    end
    return false
end

-- *due* is a score, and so anybody's number: a stock client sets it back, even to -inf.
local function lease_out(id, h, body, due)
    taken = taken + 1
    local token = worker .. '/' .. number .. '/' .. taken
    local ends = int(now + lease)
    redis.call('HSET', JOB .. id, 'state', 'running', 'token', token, 'lease_until', ends,
        'worker', worker, 'started', int(now))
    redis.call('SET', IN_PROGRESS .. id, worker, 'PX', lease)
    score(id, ends)
    if h.unresolved ~= '' then
        redis.call('HDEL', JOB .. id, 'unresolved')
        due = tonumber(h.unresolved) or due
    end
    hand_out(id, h, token, body, int(math.max(0, tonumber(due))))
    return token
end

local aborts = sweep_aborts(now)
end_due_holds(now)
local held = holds_exist()
local claimed = {}

-- An event is sent once, and yet counts for each of its jobs: each parses it for itself.
local function size_of(h, body)
    if h.digest == '' then
        return #body
    end
    return #body + (tonumber(h.size) or redis.call('HSTRLEN', EVENT .. h.delivery, h.digest))
end

-- Bounded by the bytes of the claim, but one of any size: it is not kept in hand.
local function meet(id)
    local size = redis.call('STRLEN', BODY .. id)
    if size == 0 and redis.call('EXISTS', BODY .. id) == 0 then
        redis.call('ZREM', QUEUE, id)
    elseif #strangers > 0 and bytes + size > bytes_wanted then
        left = 'bytes'
    else
        bytes = bytes + size
        score(id, int(now + ELSEWHERE))
        strangers[#strangers + 1] = id
        strangers[#strangers + 1] = redis.call('GET', BODY .. id)
    end
end

local function consider(id, due)
    local h = read_job(id, TO_CLAIM)
    if not h then
        meet(id)
        return
    end
    if not is_ready(id, h) then
        return
    end
    local scope = held and hold_on(h.plugin, h.handler, h.pass)
    if scope then
        park(id, scope, h.seq, now)
        return
    end
    if cannot_run(id, h) then
        return
    end
    local is_alone = h.started ~= '' and (tonumber(h.crashes) or 0) > 1
    if is_alone and taken > 0 then
        left = 'more'
        return
    end
    local body = redis.call('GET', BODY .. id)
    if not body then
        redis.call('HINCRBY', 'imbi:counters', 'repairs:body', 1)
        finish_job(id, h, { state = 'dead', reason = 'body lost', status = 'failed', duration = '',
            error = 'Redis no longer holds the body: deliver again' }, now)
        return
    end
    local size = size_of(h, body)
    if bytes + size > bytes_wanted and not (takes_any and taken == 0) then
        left = 'bytes'
        return
    end
    bytes = bytes + size
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = lease_out(id, h, body, due)
    -- The worker knows what room is left beside one that is larger than all of it.
    if is_alone or bytes > bytes_wanted then
        left = 'more'
    end
end

local looked_at = 0
flush_scores()
while taken < wanted and left == '' and looked_at < LOOKED_AT do
    local due = redis.call('ZRANGEBYSCORE', QUEUE, '-inf', int(now), 'WITHSCORES', 'LIMIT', 0, math.min(wanted - taken, 100))
    if #due == 0 then
        break
    end
    for n = 1, #due, 2 do
        if left == '' then
            looked_at = looked_at + 1
            consider(due[n], due[n + 1])
        end
    end
    flush_scores()
end

flush(now)
-- A repeat, and one that wants nothing, close their number in any case: an earlier call of it may
-- yet lie about, and claims nothing then either.
if #claimed > 0 or wanted == 0 or is_repeat then
    redis.call('HSET', worker_key, 'claim', number, 'claimed', cjson.encode(claimed))
    redis.call('PEXPIRE', worker_key, 60000)
end
local first = redis.call('ZRANGE', QUEUE, 0, 0, 'WITHSCORES')[2]
local hold_ends = redis.call('ZRANGE', HOLDS, 0, 0, 'WITHSCORES')[2]
local next_due = math.min(tonumber(first or FAR), tonumber(hold_ends or FAR))
if next_due <= now then
    -- Whose bytes are used up, or who has a job that runs alone, does not come back at once.
    made_due = (passes_on or left ~= '') and 1 or 0
    left = left == '' and 'more' or left
else
    made_due = 0
    redis.call('DEL', WAKE)
end
wake()
return { int(now), int(next_due), left, jobs, events, strangers, aborts }
