#!lua
-- Brings dead letters back that were exported, from this Redis or another one.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 actor, 3 reason, 4 what the audit calls them, 5 '1' to look only,
--        6 most dead letters and 7 most bytes of them (more would be trimmed), then for each: id,
--        delivery, event digest, event bytes ('' when there are none to bring), body, run,
--        number of fields, and name, value of each for its hash
-- Reply  for each { verdict, detail }, flat; when looking only, what would be:
--          imported
--          known       it is in this Redis, or has been: detail = its state; nothing is changed
--          event gone  neither here nor in the export: it could never run
--          no room     detail = 'letters' or 'bytes'
--
-- A letter joins no lane: it is dead. Its place in the order of all jobs is new, so letters that
-- are imported in the order of their export are replayed in it. It is kept as long as one that
-- dies now, and 'imported' tells it from one: arq's readers have no result of it. One whose
-- delivery says 'discarded' comes back: that is what an export is for.
--@include layout
--@include deliveries
--@include audit

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local actor, reason, scope, looks = next_arg(), next_arg(), next_arg(), next_arg() == '1'
local most, most_bytes = tonumber(next_arg()), tonumber(next_arg())
local count = redis.call('ZCARD', DEAD)
local bytes = tonumber(redis.call('GET', 'imbi:dead-bytes') or '0')
local brought, stored, imported = {}, {}, 0

local function judge(id, delivery, digest, event, body)
    local state = redis.call('HGET', JOB .. id, 'state')
        or redis.call('HGET', DELIVERY .. delivery, 'job:' .. id)
    if brought[id] or state and state ~= 'discarded' then
        return 'known', state or 'dead'
    end
    local place = delivery .. ' ' .. digest
    local is_new = digest ~= '' and not stored[place]
        and redis.call('HEXISTS', EVENT .. delivery, digest) == 0
    if is_new and event == '' then
        return 'event gone', ''
    elseif count >= most then
        return 'no room', 'letters'
    end
    local size = #body + (is_new and #event or 0)
    if bytes + size > most_bytes then
        return 'no room', 'bytes'
    end
    count, bytes, imported = count + 1, bytes + size, imported + 1
    brought[id], stored[place] = true, true
    return 'imported', ''
end

local function write(id, delivery, digest, event, body, run, fields)
    local record = DELIVERY .. delivery
    if delivery ~= '' then
        redis.call('HSET', record, 'job:' .. id, 'dead')
        redis.call('HSETNX', record, 'received', int(now))
        redis.call('PERSIST', record)
        redis.call('ZADD', 'imbi:deliveries', 'NX', int(now), delivery)
        redis.call('ZREMRANGEBYRANK', 'imbi:deliveries', 0, -(DELIVERIES_KEPT + 1))
    end
    if digest ~= '' then
        redis.call('HINCRBY', record, 'refs:' .. digest, 1)
        if event ~= '' then
            redis.call('HSETNX', EVENT .. delivery, digest, event)
        end
    end
    -- No two runs of a job share a number: what was exported may have run since.
    local last = redis.call('HGET', record, 'run:' .. id)
    local seq = int(redis.call('INCR', 'imbi:seq'))
    redis.call('SET', BODY .. id, body)
    redis.call('HSET', JOB .. id, 'state', 'dead', 'imported', int(now), 'seq', seq, 'delivery', delivery, 'digest', digest,
        'run', int(math.max(tonumber(run) or 1, tonumber(last) or 1)),
        'size', int(digest ~= '' and redis.call('HSTRLEN', EVENT .. delivery, digest) or 0), unpack(fields))
    redis.call('ZADD', DEAD, int(now), id)
    redis.call('ZREM', ABORT, id)
    local lane = redis.call('HGET', JOB .. id, 'lane')
    if lane and lane ~= '' then
        redis.call('SET', 'imbi:lane-moved:' .. lane, seq, 'PX', 30 * DAY, 'NX')
    end
    weigh_dead(id, delivery, digest, 1)
end

local reply = {}
while ARG < #ARGV do
    local id, delivery, digest, event = next_arg(), next_arg(), next_arg(), next_arg()
    local body, run, fields = next_arg(), next_arg(), {}
    for n = 1, 2 * tonumber(next_arg()) do
        fields[n] = next_arg()
    end
    local verdict, detail = judge(id, delivery, digest, event, body)
    if verdict == 'imported' and not looks then
        write(id, delivery, digest, event, body, run, fields)
    end
    reply[#reply + 1], reply[#reply + 2] = verdict, detail
end
if imported > 0 and not looks then
    note_audit('import', scope, imported, actor, reason, now)
end
return reply
