#!lua flags=allow-oom
-- Keeps house: trims dead letters, and repairs what should never be.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 worker id, 3 pause between two rounds (ms), 4 cursor of the last
--        round, 5 oldest dead letter (ms), 6 most dead letters, 7 most bytes of them
-- Reply  { next cursor or '' when another worker kept house, dead letters trimmed,
--          repaired kinds ..., one a repair }
--
-- A round looks at some 1,000 members of the queue; the cursor carries on. It trims 100
-- dead letters at most; when there were as many the next round may follow at once, so
-- that they leave faster than they come.
--@include layout
--@include lanes
--@include deliveries
--@include holds
--@include feed
--@include endings
--@include discards

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local worker, pause, cursor = next_arg(), tonumber(next_arg()), next_arg()
local oldest, most, most_bytes = tonumber(next_arg()), tonumber(next_arg()), tonumber(next_arg())
if not redis.call('SET', 'imbi:janitor', worker, 'NX', 'PX', int(pause)) then
    return { '', 0 }
end

local TRIMMED_AT_ONCE = 100
local trimmed = 0
for _, id in ipairs(redis.call('ZRANGE', DEAD, 0, TRIMMED_AT_ONCE - 1)) do
    local died = redis.call('ZSCORE', DEAD, id)
    local bytes = tonumber(redis.call('GET', 'imbi:dead-bytes') or '0')
    if died and (tonumber(died) < now - oldest or redis.call('ZCARD', DEAD) > most or bytes > most_bytes) then
        discard(id)
        trimmed = trimmed + 1
    end
end

if trimmed >= TRIMMED_AT_ONCE then
    redis.call('DEL', 'imbi:janitor')
end

local repairs = {}
local function repaired(kind)
    repairs[#repairs + 1] = kind
    redis.call('HINCRBY', 'imbi:counters', 'repairs:' .. kind, 1)
end

-- A head whose hash is lost can be ended by no script, and its lane would stand still.
local function free_lane(lane)
    local head = redis.call('ZRANGE', LANE .. lane, 0, 0)[1]
    if head and redis.call('EXISTS', JOB .. head) == 0 then
        redis.call('ZREM', LANE .. lane, head)
        advance(lane, redis.call('ZRANGE', LANE .. lane, 0, 0)[1], now)
        repaired('lane')
    end
end

local function mend(id, score)
    local h = redis.call('HMGET', JOB .. id, 'state', 'lane', 'seq', 'not_before', 'hold', 'lease_until')
    local lane, hold = h[2] or '', h[5] or ''
    if not h[1] then
        if redis.call('EXISTS', BODY .. id) == 0 then
            redis.call('ZREM', QUEUE, id)
            repaired('ghost')
        end
    elseif h[1] == 'waiting' and score >= FAR and is_head(lane, id) then
        place(id, lane, h[3] or '0', tonumber(h[4] or '0'), '', now)
        repaired('head')
    elseif h[1] == 'waiting' and score < FAR and not is_head(lane, id) and score > now then
        redis.call('ZADD', QUEUE, far(h[3]), id)
        repaired('waiter')
    elseif h[1] == 'waiting' and score >= FAR then
        free_lane(lane)
    elseif h[1] == 'running' and score >= FAR then
        redis.call('ZADD', QUEUE, h[6] or int(now), id)
        repaired('lease')
    elseif h[1] == 'parked' and hold ~= 'foreign' and not redis.call('ZSCORE', HOLDS, hold) then
        unpark(id, hold, now)
        repaired('parked')
    end
end

local found = redis.call('ZSCAN', QUEUE, cursor, 'COUNT', 1000)
for index = 1, #found[2], 2 do
    mend(found[2][index], tonumber(found[2][index + 1]))
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', 'imbi:workers', '-inf', int(now - 120000))) do
    redis.call('ZREM', 'imbi:workers', gone)
end
wake()
return { found[1], trimmed, unpack(repairs, 1, 100) }
