#!lua flags=allow-oom
-- Acknowledges records of the activity feed: their entries leave the stream, and their
-- events go unless somebody else needs them.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 consumer group, then ids of entries
-- Reply  how many were there
--
-- Repeatable: an entry that is gone is passed over. Works while Redis is full.
--@include layout
--@include deliveries
--@include feed

local refused = layout_error()
if refused then
    return refused
end
local group = next_arg()
local found = 0
while ARG < #ARGV do
    local id = next_arg()
    local entry = redis.call('XRANGE', FEED, id, id)[1]
    if entry then
        found = found + 1
        redis.call('XACK', FEED, group, id)
        remove_record(id, entry[2])
    end
end
return found
