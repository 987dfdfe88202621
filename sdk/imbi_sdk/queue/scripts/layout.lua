-- The layout every script shares: numbers, time, and the check that two
-- versions which would corrupt each other refuse.
--
-- KEYS[1] is the queue in every script; all other names are built from the
-- prefixes below, because a job's lane, delivery and hold stand in its hash.
-- ARGV[1] is the layout number the caller speaks.

local QUEUE = KEYS[1]
local FAR = 4102444800000
local DAY = 86400000
local ARG = 1

local JOB = 'imbi:job:'
local LANE = 'imbi:lane:'
local DELIVERY = 'imbi:delivery:'
local EVENT = 'imbi:event:'
local PARKED = 'imbi:parked:'
local HOLD = 'imbi:hold:'
local HOLDS = 'imbi:holds'
local DEAD = 'imbi:dead'
local WAKE = 'imbi:wake'
local BODY = 'arq:job:'
local IN_PROGRESS = 'arq:in-progress:'
local RETRIES = 'arq:retry:'
local RESULT = 'arq:result:'
local ABORT = 'arq:abort'

-- Lua writes large numbers as 4.1024448e+12; Redis wants digits. The last one is kept: it is
-- mostly the same moment.
local int_of, int_text = false, ''
local function int(number)
    if number ~= int_of then
        int_of, int_text = number, string.format('%.0f', number)
    end
    return int_text
end

local function now_ms()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function next_arg()
    ARG = ARG + 1
    return ARGV[ARG]
end

local function layout_error()
    local found = redis.call('GET', 'imbi:layout')
    if found == ARGV[1] then
        return nil
    end
    if not found then
        redis.call('SET', 'imbi:layout', ARGV[1])
        return nil
    end
    return redis.error_reply('LAYOUT this Redis holds layout ' .. found .. ', this program speaks layout '
        .. ARGV[1] .. ': run one version of imbi-worker and imbi-sdk here, or use another database')
end
