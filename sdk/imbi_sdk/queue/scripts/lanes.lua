-- Lanes and the wake-up.
--
-- I1  only the head of a lane (its lowest seq) has a score below FAR
-- I2  a job is claimed only without a lane or as head, and without a live lease
-- I3  every script that removes a head ends in leave_lane, which frees the next
-- I4  lane and queue change only together, in one script
--
-- What a script changes in the queue is gathered and written at once: by flush_scores,
-- before anything reads the queue, and at the latest by wake. 'headed' in the hash is the
-- moment since which a job leads its lane, '0' while another one does, '' without a lane.

local made_due = 0
local scores, moved = {}, {}

local function score(id, at)
    local n = #scores
    scores[n + 1], scores[n + 2] = at, id
end

local function flush_scores()
    for first = 1, #scores, 1000 do
        redis.call('ZADD', QUEUE, unpack(scores, first, math.min(first + 999, #scores)))
    end
    scores = {}
end

-- Lanes with a dead letter remember the last job that left them: read by replay, to warn
-- that later jobs ran.
local function flush_moves()
    local names, seqs = {}, {}
    for lane, seq in pairs(moved) do
        names[#names + 1], seqs[#seqs + 1] = 'imbi:lane-moved:' .. lane, seq
    end
    moved = {}
    for first = 1, #names, 1000 do
        local last = math.min(first + 999, #names)
        for n, known in ipairs(redis.call('MGET', unpack(names, first, last))) do
            if known then
                redis.call('SET', names[first + n - 1], seqs[first + n - 1], 'XX', 'KEEPTTL')
            end
        end
    end
end

local function far(seq)
    return int(FAR + (tonumber(seq) or 0))
end

local function is_head(lane, id)
    return lane == '' or redis.call('ZRANGE', LANE .. lane, 0, 0)[1] == id
end

-- A token wakes one worker, and each claim that leaves due jobs behind passes it on: so many
-- jobs wake as many workers as are needed, and none for nothing. While one lies there nobody
-- waits for it, and a second would say no more.
local function wake()
    flush_scores()
    flush_moves()
    if made_due == 0 then
        return
    end
    if redis.call('EXISTS', WAKE) == 0 then
        redis.call('RPUSH', WAKE, '1')
    end
    made_due = 0
end

local function make_due(id, due, now)
    score(id, int(due))
    if due <= now then
        made_due = made_due + 1
    end
end

-- Gives a job that may run its place in the queue: due at not_before, or FAR
-- while another job leads its lane or a hold keeps it.
local function place(id, lane, seq, not_before, hold, now)
    if hold ~= '' or not is_head(lane, id) then
        score(id, far(seq))
        return
    end
    make_due(id, math.max(now, not_before), now)
end

local function join_lane(id, lane, now)
    local seq = redis.call('INCR', 'imbi:seq')
    local headed = ''
    if lane ~= '' then
        redis.call('ZADD', LANE .. lane, seq, id)
        headed = is_head(lane, id) and int(now) or '0'
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
        score(head, far(h[2]))
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
    moved[lane] = seq
    if members[1] == id then
        advance(lane, members[2], now)
    end
end
