-- Lanes and the wake-up.
--
-- I1  only the head of a lane (its lowest seq) has a score below FAR
-- I2  a job is claimed only without a lane or as head, and without a live lease
-- I3  every script that removes a head ends in leave_lane, which frees the next
-- I4  lane and queue change only together, in one script

local made_due = 0

local function far(seq)
    return int(FAR + (tonumber(seq) or 0))
end

local function is_head(lane, id)
    return lane == '' or redis.call('ZRANGE', LANE .. lane, 0, 0)[1] == id
end

-- At most 16 tokens a call and 64 in all: a token wakes one worker, and each
-- claim that leaves due jobs behind passes one on.
local function wake()
    if made_due == 0 then
        return
    end
    local room = 64 - redis.call('LLEN', WAKE)
    for _ = 1, math.min(made_due, 16, room) do
        redis.call('RPUSH', WAKE, '1')
    end
    made_due = 0
end

local function make_due(id, due, now)
    redis.call('ZADD', QUEUE, int(due), id)
    if due <= now then
        made_due = made_due + 1
    end
end

-- Gives a job that may run its place in the queue: due at not_before, or FAR
-- while another job leads its lane or a hold keeps it.
local function place(id, lane, seq, not_before, hold, now)
    if hold ~= '' or not is_head(lane, id) then
        redis.call('ZADD', QUEUE, far(seq), id)
        return
    end
    make_due(id, math.max(now, not_before), now)
end

local function join_lane(id, lane, now)
    local seq = redis.call('INCR', 'imbi:seq')
    local headed = '0'
    if lane ~= '' then
        redis.call('ZADD', LANE .. lane, seq, id)
        if is_head(lane, id) then
            headed = int(now)
        end
    end
    return int(seq), headed
end

-- Frees the job that now leads its lane.
local function advance(lane, head, now)
    if not head then
        return
    end
    local h = redis.call('HMGET', JOB .. head, 'state', 'seq', 'not_before', 'hold')
    redis.call('HSET', JOB .. head, 'headed', int(now))
    if h[1] == 'running' then
        return
    end
    if h[4] then
        redis.call('ZADD', QUEUE, far(h[2]), head)
    else
        make_due(head, math.max(now, tonumber(h[3]) or 0), now)
    end
end

local function leave_lane(id, lane, seq, now)
    if lane == '' then
        return
    end
    local members = redis.call('ZRANGE', LANE .. lane, 0, 1)
    redis.call('ZREM', LANE .. lane, id)
    -- There only for lanes with a dead letter: read by replay, to warn that later jobs ran.
    redis.call('SET', 'imbi:lane-moved:' .. lane, seq, 'XX', 'KEEPTTL')
    if members[1] == id then
        advance(lane, members[2], now)
    end
end
