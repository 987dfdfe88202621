#!lua flags=no-writes,allow-oom,allow-stale
-- Which of some calls the user of this connection may not make. None of them is made.
--
-- ARGV   for each call: how many words it has, then the words
-- Reply  the places of those that are refused, from 1
local refused, place, at = {}, 0, 1

-- A server that only resembles Redis may not know the question.
if not redis.acl_check_cmd then
    return {}
end

while at <= #ARGV do
    local count = tonumber(ARGV[at])
    place = place + 1
    if not redis.acl_check_cmd(unpack(ARGV, at + 1, at + count)) then
        refused[#refused + 1] = place
    end
    at = at + count + 1
end
return refused
