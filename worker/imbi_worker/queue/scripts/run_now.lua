#!lua
-- Lets waiting jobs run now, in place of at the time of their retry or deferral.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 actor, 3 reason, 4 what the audit calls them, 5 '1' to look only, then
--        at most 500 ids
-- Reply  for each id { verdict, detail }, flat:
--          due           it is due now; when looking only, it would be
--          already due   nothing had to be changed
--          behind        detail = the job that leads its lane: order is never broken
--          held          detail = the scope of the hold, which is not passed by
--          running | ended (detail = its state) | missing
--
-- The attempt that follows counts as it would have later; nothing else changes.
--@include layout
--@include lanes
--@include holds
--@include audit

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local actor, reason, scope, looks = next_arg(), next_arg(), next_arg(), next_arg() == '1'

-- A stock client's job that no worker has taken in yet.
local function judge_stranger(id)
    local score = redis.call('ZSCORE', QUEUE, id)
    if not score or redis.call('EXISTS', BODY .. id) == 0 then
        return 'missing', ''
    end
    return tonumber(score) <= now and 'already due' or 'due', ''
end

local function judge(id)
    local h = redis.call('HMGET', JOB .. id, 'state', 'lane', 'handler', 'plugin', 'hold', 'pass',
        'not_before')
    local lane = h[2] or ''
    if not h[1] then
        return judge_stranger(id)
    elseif h[1] == 'running' then
        return 'running', ''
    elseif h[1] ~= 'waiting' and h[1] ~= 'parked' then
        return 'ended', h[1]
    elseif not is_head(lane, id) then
        return 'behind', redis.call('ZRANGE', LANE .. lane, 0, 0)[1]
    end
    local held = h[5] or hold_on(h[4] or '', h[3] or '', h[6])
    if held then
        return 'held', held
    end
    -- A stock abort() sets scores back; the hash decides.
    local due = math.max(tonumber(redis.call('ZSCORE', QUEUE, id) or '0'), tonumber(h[7]) or 0)
    return due <= now and 'already due' or 'due', ''
end

local function run_now(id)
    local h = redis.call('HMGET', JOB .. id, 'state', 'not_before', 'deferred_since')
    if h[1] then
        local left = (tonumber(h[2]) or 0) - now
        -- A deferral was added to the held time in full when it began.
        if h[3] and left > 0 then
            redis.call('HINCRBY', JOB .. id, 'held_ms', int(-left))
        end
        redis.call('HDEL', JOB .. id, 'not_before')
    end
    make_due(id, now, now)
end

local reply, count = {}, 0
while ARG < #ARGV do
    local id = next_arg()
    local verdict, detail = judge(id)
    if verdict == 'due' then
        count = count + 1
        if not looks then
            run_now(id)
        end
    end
    reply[#reply + 1], reply[#reply + 2] = verdict, detail
end
if count > 0 and not looks then
    note_audit('run now', scope, count, actor, reason, now)
end
wake()
return reply
