#!lua
-- Sets an operator's hold, or changes the one that stands.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 scope ('queue', 'plugin:<id>' or 'handler:<handler>'), 3 its end: in so
--        many ms, or '' for none (a pause), 4 actor, 5 reason, 6 '1' to look only
-- Reply  { held | changed | longer | would hold | would change, kind, actor, reason, end and
--          since of the hold that stood before ('' each where there was none), parked jobs,
--          the end now ('' for none) }
--
-- Guarantee: from this moment on no job of the scope is claimed, the ones that are given
-- back half open included; what runs goes on. 'longer': a rate limit stands that ends
-- later, and is not shortened; nothing was written.
--@include layout
--@include lanes
--@include holds
--@include audit

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local scope, span, actor, reason, looks = next_arg(), next_arg(), next_arg(), next_arg(), next_arg() == '1'

local before = redis.call('HMGET', HOLD .. scope, 'kind', 'actor', 'reason', 'since', 'step')
local stands = redis.call('ZSCORE', HOLDS, scope)
-- Over, and being emptied: that stops with the new one.
if stands and tonumber(stands) <= now then
    stands = false
end
local ends = span == '' and 'inf' or int(now + tonumber(span))
local verdict = looks and 'would hold' or 'held'
if stands then
    local is_limit = before[1] == 'rate_limit' and before[5] == '0'
    if is_limit and ends ~= 'inf' and tonumber(stands) > tonumber(ends) then
        verdict = 'longer'
    else
        verdict = looks and 'would change' or 'changed'
    end
end
if verdict == 'held' or verdict == 'changed' then
    write_hold(scope, 'operator', reason, actor, ends, now)
    note_audit('hold', scope, redis.call('ZCARD', PARKED .. scope), actor, reason, now,
        'until', ends == 'inf' and '' or ends)
end
local function shown(moment)
    return (moment and moment ~= 'inf') and moment or ''
end
if not stands then
    before = {}
end
return { verdict, before[1] or '', before[2] or '', before[3] or '', shown(stands), before[4] or '',
    redis.call('ZCARD', PARKED .. scope), shown(ends) }
