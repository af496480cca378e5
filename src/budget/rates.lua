-- Shares of rate limits, run inside Redis >= 6.2 or Valkey: what rates_store.h says, as rates_store.c
-- does it in memory, with the same numbers.
--
-- KEYS  {purser}:rates, then of each row {purser}:r:<account>:<rated>
-- ARGV  id, sequence, life, sub-window's length, leaving; then for each row sub-window (-1: parallel),
--       limit, have, useful, wanted, ahead
-- Reply verdict, now, born, instances; then for each row moved, others of 13 sub-windows
--
-- {purser}:rates  born, instances, sweep (when the dead are looked for next); of each instance
--                 q: its last sequence, s: when it was last seen
-- {purser}:r:     of each sub-window t:<sub-window>, the shares of all, and g:<sub-window>:<id>;
--                 of parallel <id>: its share, when that ends
-- Times are in microseconds.

local COUNTING = 13
local COLUMNS = 6
local HEAD = 5
local LINGER_S = 120 -- an account's key, after it was last named

local OK, STALE = 0, 1

local meta, id = KEYS[1], ARGV[1]
local sequence, life, length = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local expiry = string.format('%d', tonumber(clock[1]) + LINGER_S)
local current = math.floor(now / length)
local read = redis.call('HMGET', meta, 'born', 'instances', 'sweep', 'q:' .. id)
local born, instances, sweep = tonumber(read[1] or now), tonumber(read[2] or 0), tonumber(read[3] or 0)
local reply = {}

local function text(number)
    return string.format('%.0f', number)
end

-- ---- instances ----

local function pairs_of(list, visit)
    for i = 1, #list, 2 do
        visit(list[i], list[i + 1])
    end
end

local function look_for_the_dead()
    instances = 0
    pairs_of(redis.call('HGETALL', meta), function(field, value)
        local other = string.match(field, '^s:(.*)$')
        if other and tonumber(value) + life < now then
            redis.call('HDEL', meta, 's:' .. other, 'q:' .. other)
        elseif other then
            instances = instances + 1
        end
    end)
    sweep = now + math.floor(life / 4)
end

local function note()
    if ARGV[5] == '1' then
        redis.call('HDEL', meta, 's:' .. id, 'q:' .. id)
        instances = instances - (read[4] and 1 or 0)
    else
        redis.call('HSET', meta, 's:' .. id, text(now), 'q:' .. id, text(sequence))
        instances = instances + (read[4] and 0 or 1)
    end
    if now >= sweep then
        look_for_the_dead()
    end
    redis.call('HSET', meta, 'born', text(born), 'instances', text(instances), 'sweep', text(sweep))
end

-- ---- rows ----

local function grow(room, useful, wanted, ahead)
    if room <= 0 or room < useful then
        return 0
    end
    local fair = math.floor(room / (2 * math.max(1, instances)))
    return math.min(room, math.max(wanted, math.min(ahead, fair)))
end

local function forget_old(key, subwindow)
    pairs_of(redis.call('HGETALL', key), function(field)
        if tonumber(string.match(field, '^[tg]:(%d+)')) < subwindow - COUNTING then
            redis.call('HDEL', key, field)
        end
    end)
end

-- Totals of the sub-windows from twelve before to one after, and in the same order what is the asker's.
local function read_ring(key, subwindow)
    local fields = {}
    for i = 1, COUNTING + 1 do
        fields[i] = 't:' .. text(subwindow - COUNTING + i)
        fields[COUNTING + 1 + i] = 'g:' .. text(subwindow - COUNTING + i) .. ':' .. id
    end
    local values = redis.call('HMGET', key, unpack(fields))
    local totals, mine = {}, {}
    for i = 1, COUNTING + 1 do
        totals[i] = tonumber(values[i] or 0)
        mine[i] = tonumber(values[COUNTING + 1 + i] or 0)
    end
    return totals, mine, values[COUNTING]
end

local function by_minute(key, subwindow, limit, have, useful, wanted, ahead)
    if subwindow < current - COUNTING or subwindow > current + 1 then
        for _ = 1, COUNTING + 1 do
            reply[#reply + 1] = 0
        end
        return
    end
    local totals, mine, known = read_ring(key, subwindow)
    local others = totals[COUNTING] - mine[COUNTING]
    local sum = others + have
    for i = 1, COUNTING - 1 do
        sum = sum + totals[i]
    end
    local next_sum = sum - totals[1] + totals[COUNTING + 1]
    local moved = grow(limit - math.max(sum, next_sum), useful, wanted, ahead)
    if have + moved > 0 or mine[COUNTING] > 0 then
        redis.call('HSET', key, 't:' .. text(subwindow), text(others + have + moved),
                   'g:' .. text(subwindow) .. ':' .. id, text(have + moved))
        if not known then
            forget_old(key, subwindow)
        end
        redis.call('EXPIREAT', key, expiry)
    end
    reply[#reply + 1] = moved
    for i = 1, COUNTING do
        reply[#reply + 1] = i == COUNTING and others or totals[i] - mine[i]
    end
end

local function parallel(key, limit, have, useful, wanted, ahead)
    local others, mine = 0, false
    pairs_of(redis.call('HGETALL', key), function(other, value)
        local share, ends = string.match(value, '^(%d+) (%d+)$')
        if other == id then
            mine = true
        elseif tonumber(ends) < now then
            redis.call('HDEL', key, other)
        else
            others = others + tonumber(share)
        end
    end)
    local moved = grow(limit - others - have, useful, wanted, ahead)
    if have + moved > 0 then
        redis.call('HSET', key, id, text(have + moved) .. ' ' .. text(now + life))
        redis.call('EXPIREAT', key, expiry)
    elseif mine then
        redis.call('HDEL', key, id)
    end
    reply[#reply + 1] = moved
    reply[#reply + 1] = others
    for _ = 2, COUNTING do
        reply[#reply + 1] = 0
    end
end

local function row(n)
    local numbers = {}
    for i = 1, COLUMNS do
        numbers[i] = tonumber(ARGV[HEAD + (n - 1) * COLUMNS + i])
    end
    if numbers[1] < 0 then
        parallel(KEYS[n + 1], unpack(numbers, 2))
    else
        by_minute(KEYS[n + 1], unpack(numbers))
    end
end

if read[4] and sequence <= tonumber(read[4]) then
    return {STALE, now, born, instances}
end
note()
for i, value in ipairs({OK, now, born, instances}) do
    reply[i] = value
end
for n = 1, #KEYS - 1 do
    row(n)
end
return reply
