-- A dead letter that nobody wants: body, hash and result go, and its event with the last need.

local function discard(id)
    local h = redis.call('HMGET', JOB .. id, 'delivery', 'digest')
    redis.call('ZREM', DEAD, id)
    weigh_dead(id, h[1] or '', h[2] or '', -1)
    redis.call('DEL', BODY .. id, JOB .. id, RESULT .. id)
    if h[1] and h[1] ~= '' then
        redis.call('HSET', DELIVERY .. h[1], 'job:' .. id, 'discarded')
        unrefer(h[1], h[2] or '')
    end
end
