#!lua flags=allow-oom
-- What stands behind entries of the activity feed.
--
-- KEYS   1 queue
-- ARGV   1 layout, 2 bytes of events wanted, then for each entry: delivery, project, digests
-- Reply  { for each entry { rows (JSON) or '', { job, its last end (JSON) or '', ... } },
--          { key, event, ... } } with key = delivery/digest
--
-- An event stands there once. Entries beyond the bytes are left out, but never the first one.
-- Works while Redis is full: what is read is acknowledged, and so freed.
--@include layout

local refused = layout_error()
if refused then
    return refused
end
local wanted = tonumber(next_arg())
local records, events, sent, bytes = {}, {}, {}, 0
local whole = {}

-- The hash of a job that ended before there was a feed, as long as it is kept.
local function end_in_hash(id)
    local h = redis.call('HMGET', JOB .. id, 'ended', 'handler', 'ordinal', 'project', 'state', 'status', 'reason', 'error',
        'duration_ms')
    if not h[1] then
        return ''
    end
    return cjson.encode({ handler = h[2] or '', ordinal = tonumber(h[3]) or 0, project = h[4] or '', state = h[5] or '',
        status = h[6] or '', reason = h[7] or '', error = h[8] or '', duration = h[9] or '' })
end

local function ends_of(key, project, rows)
    local ids, seen, found = {}, {}, {}
    for _, row in ipairs(rows) do
        for _, id in ipairs(row.jobs) do
            if not seen[id] then
                seen[id] = true
                ids[#ids + 1] = id
            end
        end
    end
    for _, id in ipairs(ids) do
        found[#found + 1] = id
        found[#found + 1] = redis.call('HGET', key, 'end:' .. id) or end_in_hash(id)
    end
    return found
end

-- A delivery that was enqueued without rows: every job of the project that has ended.
local function all_ends(key, project)
    whole[key] = whole[key] or redis.call('HGETALL', key)
    local found = {}
    for index = 1, #whole[key], 2 do
        local id = string.match(whole[key][index], '^end:(.*)$')
        if id and cjson.decode(whole[key][index + 1]).project == project then
            found[#found + 1] = id
            found[#found + 1] = whole[key][index + 1]
        end
    end
    return found
end

local function weigh(delivery, digests)
    local size = 0
    for digest in string.gmatch(digests, '%S+') do
        if not sent[delivery .. '/' .. digest] then
            size = size + redis.call('HSTRLEN', EVENT .. delivery, digest)
        end
    end
    return size
end

while ARG < #ARGV do
    local delivery, project, digests = next_arg(), next_arg(), next_arg()
    local size = weigh(delivery, digests)
    if #records > 0 and bytes + size > wanted then
        break
    end
    bytes = bytes + size
    for digest in string.gmatch(digests, '%S+') do
        local name = delivery .. '/' .. digest
        if not sent[name] then
            sent[name] = true
            events[#events + 1] = name
            events[#events + 1] = redis.call('HGET', EVENT .. delivery, digest) or ''
        end
    end
    local key = DELIVERY .. delivery
    local text = redis.call('HGET', key, 'rows:' .. project) or ''
    local ends = text ~= '' and ends_of(key, project, cjson.decode(text)) or all_ends(key, project)
    records[#records + 1] = { text, ends }
end
return { records, events }
