#!lua flags=allow-oom
-- Throws dead letters away: they are gone and can be replayed no more.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 actor, 3 reason, 4 what the audit calls them, 5 '1' to look only, then
--        at most 500 ids
-- Reply  for each id { verdict, detail }, flat; when looking only, what would be:
--          discarded
--          not dead  detail = its state
--          missing
--
-- A delivery keeps the word 'discarded' for its matrix. Works while Redis is full: it frees.
--@include layout
--@include deliveries
--@include audit
--@include discards

local refused = layout_error()
if refused then
    return refused
end
local now = now_ms()
local actor, reason, scope, looks = next_arg(), next_arg(), next_arg(), next_arg() == '1'

local function judge(id)
    local state = redis.call('HGET', JOB .. id, 'state')
    if not state then
        return 'missing', ''
    elseif state ~= 'dead' then
        return 'not dead', state
    end
    return 'discarded', ''
end

local reply, count = {}, 0
while ARG < #ARGV do
    local id = next_arg()
    local verdict, detail = judge(id)
    if verdict == 'discarded' then
        count = count + 1
        if not looks then
            discard(id)
        end
    end
    reply[#reply + 1], reply[#reply + 2] = verdict, detail
end
if count > 0 and not looks then
    note_audit('discard', scope, count, actor, reason, now)
end
return reply
