#!lua
-- Runs a dead letter again: at the tail of its lane, under a new run number, with its
-- attempts counted from zero.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 id, 3 actor, 4 reason, 5 new body, or '' for the one it has
-- Reply  { replayed | missing | not dead | event gone | body gone, '1' when later jobs of its lane ran }
--@include layout
--@include lanes
--@include deliveries
--@include audit

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local id, actor, reason, body = next_arg(), next_arg(), next_arg(), next_arg()
local h = redis.call('HMGET', JOB .. id, 'state', 'lane', 'seq', 'delivery', 'digest', 'project', 'handler')
if not h[1] then
    return { 'missing', '' }
end
if h[1] ~= 'dead' then
    return { 'not dead', h[1] }
end
local lane, delivery, digest = h[2] or '', h[4] or '', h[5] or ''
if digest ~= '' and redis.call('HEXISTS', EVENT .. delivery, digest) == 0 then
    return { 'event gone', '' }
end
if body == '' and redis.call('EXISTS', BODY .. id) == 0 then
    return { 'body gone', '' }
end

redis.call('ZREM', DEAD, id)
weigh_dead(id, delivery, digest, -1)
redis.call('DEL', RESULT .. id)
-- A mark set on the dead letter must not hit the job that runs again.
redis.call('ZREM', ABORT, id)
if body ~= '' then
    redis.call('SET', BODY .. id, body)
end
local moved = tonumber(redis.call('GET', 'imbi:lane-moved:' .. lane) or '0')
local later_ran = lane ~= '' and moved > tonumber(h[3] or '0')
redis.call('HDEL', JOB .. id, 'reason', 'error', 'status', 'ended', 'crashes', 'first_failed', 'deferred_since',
    'held_ms', 'unknown', 'not_before', 'unresolved', 'token', 'lease_until', 'alone', 'counted', 'abandoned',
    'pass', 'hold', 'held_since', 'cancelled_by')
local seq, headed = join_lane(id, lane, now)
redis.call('HSET', JOB .. id, 'state', 'waiting', 'seq', seq, 'headed', headed, 'attempts', 0,
    'run', next_run(delivery, id), 'replayed_by', actor)
refer(delivery, '', { id, h[6] or '' })
note_audit('replay', 'job:' .. id, 1, actor, reason, now, 'handler', h[7] or '', 'changed_body', body ~= '' and '1' or '0')
place(id, lane, seq, 0, '', now)
wake()
return { 'replayed', later_ran and '1' or '0' }
