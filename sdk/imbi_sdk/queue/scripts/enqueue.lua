#!lua
-- Enqueues up to 1,000 jobs of one delivery: all of them or, on an error, none.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 delivery id, 3 nonce of this call, 4 event digest,
--        5 event bytes ('' when an earlier call of this delivery stored them),
--        6 number of jobs, then for each: id, handler, plugin id, lane,
--        project id, ordinal, wire version, body
-- Reply  one letter a job: a(ccepted), d(uplicate) or r(evived), as one string
--
-- Guarantee: a call repeated with its nonce changes nothing and returns the
-- first reply. A duplicate of a waiting, running, succeeded or skipped job is
-- dropped and counted; of a dead or cancelled one it is revived with the new
-- body, at the tail of its lane, under a new run number.
--
-- Jobs of one project may have an activity row; behind them stand then project id, row id and
-- facts (JSON, kept as they are).
--@include layout
--@include lanes
--@include deliveries
--@include feed

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local delivery, nonce, digest, event = next_arg(), next_arg(), next_arg(), next_arg()
local count = tonumber(next_arg())
local record = DELIVERY .. delivery
local has_row = #ARGV > ARG + count * 8
local ids, row_field = {}, has_row and { 'row', '1' } or {}

local first = redis.call('HGET', record, 'nonce:' .. nonce)
if first and #first ~= count then
    return redis.error_reply('NONCE it was used before, for ' .. #first .. ' jobs and not ' .. count
        .. ': repeat a call unchanged, or leave the nonce out')
end
if first then
    return first
end
if event == '' and redis.call('HEXISTS', EVENT .. delivery, digest) == 0 then
    return redis.error_reply('EVENT the event of delivery ' .. delivery .. ' is not stored: send its bytes')
end

local size = int(event == '' and redis.call('HSTRLEN', EVENT .. delivery, digest) or #event)
local written, left_events = {}, {}

local function write(id, run)
    local handler, plugin, lane = next_arg(), next_arg(), next_arg()
    local project, ordinal, version, body = next_arg(), next_arg(), next_arg(), next_arg()
    local seq, headed = join_lane(id, lane, now)
    redis.call('SET', BODY .. id, body)
    redis.call('HSET', JOB .. id, 'handler', handler, 'plugin', plugin, 'lane', lane, 'seq', seq,
        'headed', headed, 'project', project, 'ordinal', ordinal, 'v', version, 'delivery', delivery,
        'digest', digest, 'size', size, 'state', 'waiting', 'enqueued', int(now), 'run', run, 'attempts', 0,
        unpack(row_field))
    written[#written + 1], written[#written + 2] = id, project
    if headed ~= '0' then
        make_due(id, now, now)
    else
        score(id, far(seq))
    end
end

local reply, duplicates, revived = {}, 0, 0
for index = 1, count do
    local id = next_arg()
    ids[index] = id
    local known = redis.call('HGET', record, 'job:' .. id) or redis.call('HGET', JOB .. id, 'state')
    if known == 'dead' or known == 'cancelled' or known == 'discarded' then
        local run = next_run(delivery, id)
        if known == 'dead' then
            local old = redis.call('HGET', JOB .. id, 'digest') or ''
            left_events[#left_events + 1] = old
            redis.call('ZREM', DEAD, id)
            weigh_dead(id, delivery, old, -1)
        end
        redis.call('DEL', JOB .. id, RESULT .. id)
        redis.call('ZREM', ABORT, id)
        write(id, run)
        revived = revived + 1
        reply[index] = 'r'
    elseif known then
        ARG = ARG + 7
        duplicates = duplicates + 1
        reply[index] = 'd'
    else
        redis.call('ZREM', ABORT, id)
        write(id, 1)
        reply[index] = 'a'
    end
end
-- The references of dead letters go only after the new ones are taken.
refer(delivery, digest, written)
for _, old in ipairs(left_events) do
    unrefer(delivery, old)
end
local project, row
if has_row then
    project, row = next_arg(), next_arg()
    join_row(delivery, project, digest, row, next_arg(), ids)
end
if event ~= '' and tonumber(redis.call('HGET', record, 'refs:' .. digest) or '0') > 0 then
    redis.call('HSETNX', EVENT .. delivery, digest, event)
end
if duplicates > 0 then
    redis.call('HINCRBY', 'imbi:counters', 'duplicates', duplicates)
end
if revived > 0 then
    redis.call('HINCRBY', 'imbi:counters', 'revived', revived)
end
-- Every rule has run for an earlier delivery of this id: the new row is told at once.
if has_row and is_fed() and tonumber(redis.call('HGET', record, 'open:' .. project) or '0') <= 0 then
    publish_record(delivery, project, digest)
end
local letters = table.concat(reply)
redis.call('HSET', record, 'nonce:' .. nonce, letters)
redis.call('HSETNX', record, 'received', int(now))
if tonumber(redis.call('HGET', record, 'open') or '0') <= 0
    and redis.call('EXISTS', EVENT .. delivery) == 0 then
    -- Counted from the last need: a duplicate does not prolong it.
    redis.call('PEXPIRE', record, 7 * DAY, 'NX')
end
redis.call('ZADD', 'imbi:deliveries', 'NX', int(now), delivery)
redis.call('ZREMRANGEBYRANK', 'imbi:deliveries', 0, -(DELIVERIES_KEPT + 1))
wake()
return letters
