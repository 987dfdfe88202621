#!lua flags=allow-oom
-- Removes a hold by hand, whatever set it, and gives its parked jobs back: 1,000 a call,
-- in the order they were enqueued. Called again while the reply says that some are left.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 scope, 3 actor, 4 reason, 5 '1' to look only, 6 '1' to go on only: with a
--        removal that was begun, and not with a hold that somebody has set since
-- Reply  { removed | going on | missing | would remove, parked jobs given back, still parked }
--
-- Guarantee: nobody needs to claim for it. Who calls may die in between: the hold is over
-- and due, so the next claim gives back the rest; until then later jobs of its scope queue
-- up behind them. A call repeated after a lost reply goes on, or finds it gone.
--@include layout
--@include lanes
--@include holds
--@include audit

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local scope, actor, reason, looks = next_arg(), next_arg(), next_arg(), next_arg() == '1'
local goes_on = next_arg() == '1'

local is_begun = redis.call('HGET', HOLD .. scope, 'kind') == 'removed'
if not redis.call('ZSCORE', HOLDS, scope) or (goes_on and not is_begun) then
    return { 'missing', 0, 0 }
end
local parked = redis.call('ZCARD', PARKED .. scope)
if looks then
    return { 'would remove', 0, parked }
end
local verdict = 'going on'
if not is_begun then
    verdict = 'removed'
    write_hold(scope, 'removed', reason, actor, int(now), now)
    note_audit('unhold', scope, parked, actor, reason, now)
end
give_back(scope, AT_ONCE, now, now)
wake()
local left = redis.call('ZCARD', PARKED .. scope)
return { verdict, parked - left, left }
