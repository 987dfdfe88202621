-- The audit: who changed what, how much of it, and why.

local AUDIT_KEPT = 100000

-- *scope* is 'job:<id>', a hold's scope, or the filter that named the jobs; more fields may follow.
local function note_audit(verb, scope, count, actor, reason, now, ...)
    redis.call('XADD', 'imbi:audit', 'MAXLEN', '~', AUDIT_KEPT, '*', 'verb', verb, 'scope', scope,
        'count', int(count), 'actor', actor, 'reason', reason, 'at', int(now), ...)
end
