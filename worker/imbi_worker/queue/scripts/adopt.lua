#!lua
-- Takes in a job that a stock arq client enqueued: gives it a hash, a lane and a body
-- without an expiry. Repeatable: a job that has a hash already is left alone.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 id, 3 kind (job | newer | foreign | dead), 4 function name,
--        5 plugin id, 6 lane, 7 project id, 8 ordinal, 9 wire version, 10 delivery,
--        11 event digest, 12 enqueued (ms), 13 reason and 14 error of a dead one
-- Reply  adopted | known | gone | event (its stored event is not there)
--
-- A newer wire version keeps waiting for a newer worker, with its body kept; a
-- function that is no handler is parked under 'foreign' until somebody decides.
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
local id, kind = next_arg(), next_arg()

if redis.call('EXISTS', JOB .. id) == 1 then
    return 'known'
end
if redis.call('EXISTS', BODY .. id) == 0 then
    redis.call('ZREM', QUEUE, id)
    return 'gone'
end
local handler, plugin, lane, project = next_arg(), next_arg(), next_arg(), next_arg()
local ordinal, version, delivery, digest, enqueued = next_arg(), next_arg(), next_arg(), next_arg(), next_arg()
local reason, problem = next_arg(), next_arg()
if kind == 'job' and digest ~= '' and redis.call('HEXISTS', EVENT .. delivery, digest) == 0 then
    return 'event'
end
redis.call('PERSIST', BODY .. id)
if kind == 'newer' then
    redis.call('ZADD', QUEUE, int(now + 5000), id)
    return 'adopted'
end
if kind ~= 'job' then
    lane, delivery, digest = '', '', ''
end
local seq, headed = join_lane(id, lane, now)
redis.call('HSET', JOB .. id, 'handler', handler, 'plugin', plugin, 'lane', lane, 'seq', seq, 'headed', headed,
    'project', project, 'ordinal', ordinal, 'v', version, 'delivery', delivery, 'digest', digest,
    'state', 'waiting', 'enqueued', enqueued, 'run', 1, 'attempts', 0)
refer(delivery, digest, { id, project })
if kind == 'foreign' then
    park(id, 'foreign', seq, now)
elseif kind == 'dead' then
    redis.call('HINCRBY', 'imbi:counters', 'refused', 1)
    finish_job(id, job_hash(id), { state = 'dead', reason = reason, error = problem, status = 'failed',
        duration = '' }, now)
    flush(now)
else
    place(id, lane, seq, 0, '', now)
end
wake()
return 'adopted'
