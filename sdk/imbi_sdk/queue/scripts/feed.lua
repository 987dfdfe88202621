-- The activity feed: a record for each delivery and project whose last rule has ended, kept
-- with its event until it is acknowledged. Needs deliveries.
--
-- A feed is there once a consumer has registered, which makes its stream; without one nothing
-- is written here. A consumer that does not come back costs 10,000 records or 256 MiB of
-- events at most: the oldest go first, and are counted.
--
-- In the hash of a delivery: 'rows:<project>' the activity rows the gateway has inserted for it,
-- with their jobs; 'end:<job>' how a job ended last; 'version:<project>' the number of its last
-- record; 'held:<project>:<digest>' a reference to an event, for the sake of the feed.

local FEED = 'imbi:feed'
local FEED_BYTES = 'imbi:feed-bytes'
local RECORDS_KEPT = 10000
local RECORD_BYTES_KEPT = 268435456
local ROWS_KEPT = 20
local fed

local function is_fed()
    if fed == nil then
        fed = redis.call('EXISTS', FEED) == 1
    end
    return fed
end

local function rows_of(delivery, project)
    local text = redis.call('HGET', DELIVERY .. delivery, 'rows:' .. project)
    return text and cjson.decode(text) or {}
end

local function keep_event(delivery, project, digest)
    local key = DELIVERY .. delivery
    if redis.call('HSETNX', key, 'held:' .. project .. ':' .. digest, 1) == 1 then
        redis.call('HINCRBY', key, 'refs:' .. digest, 1)
        redis.call('PERSIST', key)
    end
end

local function let_event_go(delivery, project, digest)
    if redis.call('HDEL', DELIVERY .. delivery, 'held:' .. project .. ':' .. digest) == 1 then
        unrefer(delivery, digest)
    end
end

-- Takes a record off the feed. Its events go with it, unless a newer one of its project needs them.
local function remove_record(id, fields)
    local e = {}
    for index = 1, #fields, 2 do
        e[fields[index]] = fields[index + 1]
    end
    if redis.call('HGET', DELIVERY .. e.delivery, 'version:' .. e.project) == e.version then
        for digest in string.gmatch(e.digests, '%S+') do
            let_event_go(e.delivery, e.project, digest)
        end
    end
    redis.call('XDEL', FEED, id)
    redis.call('DECRBY', FEED_BYTES, e.bytes)
end

local function trim_feed()
    for _ = 1, 4 do
        local bytes = tonumber(redis.call('GET', FEED_BYTES) or '0')
        if redis.call('XLEN', FEED) <= RECORDS_KEPT and bytes <= RECORD_BYTES_KEPT then
            return
        end
        local oldest = redis.call('XRANGE', FEED, '-', '+', 'COUNT', 1)[1]
        if not oldest then
            redis.call('DEL', FEED_BYTES)
            return
        end
        remove_record(oldest[1], oldest[2])
        redis.call('HINCRBY', 'imbi:counters', 'unrecorded', 1)
    end
end

-- All rules of a delivery for a project have ended. *digest* is the event of the last one;
-- rows of other events are told as well, as long as their own is stored.
local function publish_record(delivery, project, digest)
    local digests, seen, bytes = {}, {}, 0
    local function cover(one)
        local size = redis.call('HSTRLEN', EVENT .. delivery, one)
        if size > 0 and not seen[one] then
            seen[one] = true
            digests[#digests + 1] = one
            bytes = bytes + size
            keep_event(delivery, project, one)
        end
    end
    cover(digest)
    for _, row in ipairs(rows_of(delivery, project)) do
        cover(row.digest)
    end
    local version = redis.call('HINCRBY', DELIVERY .. delivery, 'version:' .. project, 1)
    redis.call('XADD', FEED, '*', 'delivery', delivery, 'project', project, 'version', version,
        'digests', table.concat(digests, ' '), 'bytes', bytes)
    redis.call('INCRBY', FEED_BYTES, bytes)
    trim_feed()
end

-- The consumer has left since the rows were enqueued: nobody will acknowledge them.
local function forget_rows(delivery, project)
    for _, row in ipairs(rows_of(delivery, project)) do
        let_event_go(delivery, project, row.digest)
    end
end

-- Notes the end of a job for the feed. Before close_in_delivery: this holds the event that
-- would go with its last reference.
local function feed(id, h, ending)
    local key = DELIVERY .. h.delivery
    local is_last = redis.call('HGET', key, 'open:' .. h.project) == '1'
    if is_fed() then
        redis.call('HSET', key, 'end:' .. id, cjson.encode({ handler = h.handler, ordinal = tonumber(h.ordinal) or 0,
            project = h.project, state = ending.state, status = ending.status, reason = ending.reason,
            error = ending.error, duration = ending.duration }))
        if is_last then
            publish_record(h.delivery, h.project, h.digest)
        end
    elseif is_last then
        forget_rows(h.delivery, h.project)
    end
end

-- An activity row with the jobs of this call, behind those of earlier ones for it: more than
-- 1,000 rules go in several. Kept whether there is a feed already or not: a consumer may
-- register before the rules have ended.
local function join_row(delivery, project, digest, row, facts, jobs)
    local rows = rows_of(delivery, project)
    local joined, seen = {}, {}
    local function join(ids)
        for _, id in ipairs(ids) do
            if not seen[id] then
                seen[id] = true
                joined[#joined + 1] = id
            end
        end
    end
    for index = #rows, 1, -1 do
        if rows[index].id == row then
            join(table.remove(rows, index).jobs)
        end
    end
    join(jobs)
    if #rows >= ROWS_KEPT then
        let_event_go(delivery, project, table.remove(rows, 1).digest)
    end
    rows[#rows + 1] = { id = row, facts = facts, digest = digest, jobs = joined }
    redis.call('HSET', DELIVERY .. delivery, 'rows:' .. project, cjson.encode(rows))
    if is_fed() then
        keep_event(delivery, project, digest)
    end
end
