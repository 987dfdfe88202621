#!lua flags=allow-oom
-- Cancels jobs: those that wait, are parked or between two attempts at once, and those
-- whose worker is gone; the worker of a running one is told with its next claim.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 actor, 3 reason, 4 what the audit calls them, 5 '1' to look only, then
--        at most 500 ids
-- Reply  for each id { verdict, detail }, flat; when looking only, what would be:
--          cancelled
--          asked     it runs, or no worker has taken it in yet
--          ended     detail = the state it has ended in
--          missing
--
-- Guarantees: all of them in one step, each with its lane, delivery, event and hold. A mark
-- never outlives its job, and one on a job whose worker dies meanwhile cancels it.
-- Works while Redis is full: it frees more than it stores.
--@include layout
--@include lanes
--@include deliveries
--@include holds
--@include feed
--@include endings
--@include audit

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local actor, reason, scope, looks = next_arg(), next_arg(), next_arg(), next_arg() == '1'
local by = actor .. ': ' .. reason

local function mark(id)
    if not looks then
        redis.call('ZADD', ABORT, 'NX', int(now), id)
    end
    return 'asked'
end

local function cancel(id)
    local h = job_hash(id)
    if not h then
        local is_stranger = redis.call('EXISTS', BODY .. id) == 1 and redis.call('ZSCORE', QUEUE, id)
        return is_stranger and mark(id) or 'missing'
    end
    if h.state ~= 'waiting' and h.state ~= 'parked' and h.state ~= 'running' then
        return 'ended', h.state
    end
    local runs = h.state == 'running' and (tonumber(h.lease_until) or 0) > now
    if not looks then
        redis.call('HSET', JOB .. id, 'cancelled_by', by)
    end
    if runs then
        return mark(id)
    end
    if not looks then
        finish_job(id, h, { state = 'cancelled', reason = 'cancelled', error = by, status = 'skipped',
            duration = '' }, now)
    end
    return 'cancelled'
end

local reply, count = {}, 0
while ARG < #ARGV do
    local verdict, detail = cancel(next_arg())
    if verdict == 'cancelled' or verdict == 'asked' then
        count = count + 1
    end
    reply[#reply + 1], reply[#reply + 2] = verdict, detail or ''
end
flush(now)
if count > 0 and not looks then
    note_audit('cancel', scope, count, actor, reason, now)
end
wake()
return reply
