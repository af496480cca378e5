-- The store's operations, run inside Redis >= 6.2 or Valkey: what store.h says, as store.c does it
-- in memory, in the same order and with the same numbers. One call is one operation.
--
-- KEYS  {purser}:meta, {purser}:nodes, then {purser}:a:<account> of each row; then, of each row that
--       is of a rolling window, those of the 24 sub-buckets before it and of the 24 after it, in the
--       order of time
-- ARGV  kind, journal, fence, epoch, incarnation, sequence, now, complete, lost, instances, whose,
--       label, known, vouches, roster (journal:incarnation.sequence, a space between two); then for
--       each row limit, until (0: never), least, most, give, charge, value, spent, the place in
--       KEYS of the first sub-bucket before it (0: it is not rolling), whether the asker knows
--       nothing of it (1, and more by the number of a session's beginning), and what account it is
--       (empty: that is not said)
-- Reply verdict, server's fence, epoch, recovering, unfenced, gseq, enrolled, absent, vouched,
--       alone, changed, roster; then for each row moved, granted, total, elsewhere, wanted, beside granted, beside
--       spent
--
-- meta       fence, epoch, recovering, gseq, registered, present, enrolled, changed, awaited,
--            returned; of each journal q: incarnation.sequence, t: the same as it was let go last,
--            and while it is registered p: the last epoch in which it stated all its rows; if
--            somebody must vouch for it v: the gseq that who does so must have heard of; x: if it
--            was let go and taken off `awaited` as the store recovers. vouched: the last that
--            somebody has; replicated: a replica was seen
-- nodes      of each journal l: its label, f: and s: when it was first and last seen
-- a:         L, G, U (spent by all), e (until; 0: never), w (who was refused), h (hints left), d
--            (what account it is: JSON, for people), of each journal g: and u:, and g:gone; of
--            sessions of each journal b: the incarnation.number of the last beginning
-- Numbers are written by text(), because Lua prints large ones as 4e+15.

local MOST = 4e15
local LINGER = 7200
local COLUMNS = 11
local BEFORE = 24 -- and as many after: a span is of 25
local HEAD = 15
local MEMBERS = 256

local OK, OLD_FENCE, RECOVERING, STALE, STRANGER, EMPTY = 0, 1, 2, 3, 4, 5

local meta, nodes = KEYS[1], KEYS[2]
local kind, journal = ARGV[1], ARGV[2]
local epoch, incarnation, sequence = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local instances = tonumber(ARGV[10])
local rows = {}

local function text(number)
    return string.format('%.0f', number)
end

local function number(value)
    return tonumber(value or 0)
end

-- Both change by a restart, one by a promotion: acknowledged writes may be lost then. The backlog
-- is made for the first replica, under a new master_replid, and goes with that. A server that was
-- promoted has a master_replid2, too; it goes with the backlog, an hour after the last replica.
local function server_fence()
    local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
    local replication = redis.call('INFO', 'replication')
    return run .. '.' .. string.match(replication, 'master_replid:(%x+)'),
           string.match(replication, 'repl_backlog_active:(%d)') ~= '0',
           not string.find(replication, 'master_replid2:0+%s')
end

local server, has_replicas, was_promoted = server_fence()
local read = redis.call('HMGET', meta, 'fence', 'epoch', 'recovering', 'gseq', 'registered',
                        'present', 'awaited', 'enrolled', 'changed', 'returned', 'vouched',
                        'replicated', 'q:' .. journal, 'p:' .. journal, 'v:' .. journal,
                        'newcomers', 'x:' .. journal)
local there = read[1] ~= false
local store = {
    fence = read[1], epoch = number(read[2]), recovering = read[3] == '1', gseq = number(read[4]),
    registered = number(read[5]), present = number(read[6]), awaited = number(read[7]),
    enrolled = number(read[8]), changed = number(read[9]), returned = number(read[10]),
    vouched = number(read[11]), replicated = read[12] == '1'
}
local last, presence, heard_of = read[13], read[14], read[15] -- of the asker; false: none
local newcomers = read[16] -- a script that counted heads was here last
local excused = read[17]

if newcomers then
    store.changed = store.gseq
    store.returned = math.max(0, store.present - number(newcomers))
end

-- Of "incarnation.sequence"; false is before all.
local function is_later(one, other)
    local i, s = string.match(one or '0.0', '^(%d+)%.(%d+)$')
    local than_i, than_s = string.match(other or '0.0', '^(%d+)%.(%d+)$')
    i, s, than_i, than_s = tonumber(i), tonumber(s), tonumber(than_i), tonumber(than_s)
    return i > than_i or (i == than_i and s > than_s)
end

local function is_fresh()
    return not last or is_later(text(incarnation) .. '.' .. text(sequence), last)
end

local function absent()
    return store.recovering and
           math.max(store.registered - store.present, store.awaited - store.returned) or 0
end

-- What is written before the rows: if one of these fails, the operation is not applied again.
local function note(journal_too)
    store.gseq = store.gseq + 1
    store.replicated = store.replicated or has_replicas
    redis.call('HSET', meta, 'fence', store.fence, 'epoch', text(store.epoch), 'recovering',
               store.recovering and '1' or '0', 'gseq', text(store.gseq), 'registered',
               text(store.registered), 'present', text(store.present), 'awaited',
               text(store.awaited), 'enrolled', text(store.enrolled), 'changed',
               text(store.changed), 'returned', text(store.returned), 'vouched',
               text(store.vouched), 'replicated', store.replicated and '1' or '0')
    if newcomers then
        redis.call('HDEL', meta, 'newcomers', 'openings')
    end
    if journal_too then
        redis.call('HSET', meta, 'q:' .. journal, text(incarnation) .. '.' .. text(sequence))
        redis.call('HSET', nodes, 's:' .. journal, ARGV[7])
    end
end

-- ---- who vouches for whom ----

-- The asker's: false if nobody need.
local function must_hear_of(gseq)
    heard_of = gseq and text(gseq)
    if gseq then
        redis.call('HSET', meta, 'v:' .. journal, heard_of)
    else
        redis.call('HDEL', meta, 'v:' .. journal)
    end
end

local function is_vouched(heard)
    return number(heard) <= store.vouched
end

local function vouch(gseq)
    if gseq > 0 then
        store.vouched = math.max(store.vouched, gseq)
        if heard_of then
            must_hear_of(false)
        end
    end
end

-- Of each letter with which a field of journals begins, what each journal has there.
local function by_journal()
    local fields = redis.call('HGETALL', meta)
    local found = {p = {}, q = {}, v = {}, x = {}}
    for i = 1, #fields, 2 do
        local letter, whose = string.match(fields[i], '^([pqvx]):(.*)$')
        if letter then
            found[letter][whose] = fields[i + 1]
        end
    end
    return found
end

local function nobody_could_vouch()
    local found = by_journal()
    for member in pairs(found.p) do
        if is_vouched(found.v[member]) then
            return false
        end
    end
    return store.registered > 0
end

local function vouch_for_all()
    for member in pairs(by_journal().v) do
        redis.call('HDEL', meta, 'v:' .. member)
    end
end

-- The epoch began here, and no failover has led away since, or away and back. The first replica of
-- all gives the server another replication id, too.
local function is_where_it_began()
    if store.replicated or was_promoted then
        return store.fence == server
    end
    return string.match(store.fence, '^[^.]*') == string.match(server, '^[^.]*')
end

-- ---- rosters ----

-- What the store has of a journal that is named: false if the name is no later than the last word
-- of an operator who let it go; else a table.
local function known_by_name(whose, said)
    local had = redis.call('HMGET', meta, 'p:' .. whose, 'q:' .. whose, 't:' .. whose)
    return is_later(said, had[3]) and {presence = had[1], last = had[2]}
end

local function names()
    return string.gmatch(ARGV[15], '([^: ]+):(%d+%.%d+)')
end

local function somebody_is_forgotten()
    if store.recovering then
        return false
    end
    for whose, said in names() do
        local known = known_by_name(whose, said)
        if known and (not known.presence or whose == journal and nobody_could_vouch()) then
            return true
        end
    end
    return false
end

local function await()
    for whose, said in names() do
        local known = known_by_name(whose, said)
        if known then
            redis.call('HDEL', meta, 'v:' .. whose)
            if whose == journal then
                heard_of = false
            elseif is_later(said, known.last) then
                redis.call('HSET', meta, 'q:' .. whose, said)
            end
            if not known.presence then
                redis.call('HSET', meta, 'p:' .. whose, '0')
                store.registered = store.registered + 1
            end
        end
    end
end

-- Those who have stated their rows, or those who have not in this epoch.
local function tell(the_absent)
    if not the_absent and store.enrolled > MEMBERS then
        return ''
    end
    local found, told = by_journal(), {}
    for member, present in pairs(found.p) do
        present = tonumber(present)
        if the_absent and present ~= store.epoch or not the_absent and present > 0 then
            told[#told + 1] = member .. ':' .. found.q[member]
        end
    end
    table.sort(told)
    return #told <= MEMBERS and table.concat(told, ' ') or ''
end

-- ---- rows ----

local function keep(key, entry, until_s, now_s)
    if until_s == 0 or entry.e == 0 then
        if entry.e ~= 0 then
            redis.call('PERSIST', key)
        end
        return 0
    end
    until_s = math.max(until_s, now_s + LINGER, entry.e or 0)
    if until_s ~= entry.e then
        redis.call('EXPIREAT', key, text(until_s))
    end
    return until_s
end

-- G of the fullest span that has the entry; and what others have in the one that ends with it.
local function fullest(entry, first)
    local totals = {}
    for n = 1, 2 * BEFORE do
        local at = n <= BEFORE and n or n + 1
        local sibling = redis.call('HMGET', KEYS[first + n - 1], 'G', 'U', 'g:' .. journal,
                                   'u:' .. journal)
        totals[at] = number(sibling[1])
        if n <= BEFORE then
            entry.bg = math.min(MOST, entry.bg + (totals[at] - number(sibling[3])))
            entry.bu = math.min(MOST, entry.bu + (number(sibling[2]) - number(sibling[4])))
        end
    end
    totals[BEFORE + 1] = entry.G
    local most = 0
    for start = 1, BEFORE + 1 do
        local span = 0
        for at = start, start + BEFORE do
            span = math.min(MOST, span + totals[at])
        end
        most = math.max(most, span)
    end
    return most
end

local function move(entry, limit, least, most, give, charge, first)
    local given = math.min(give, entry.g)
    local charged = math.min(charge, MOST - (entry.G - given))
    entry.g = entry.g + charged - given
    entry.G = entry.G + charged - given
    if store.recovering then
        return 0
    end
    local room = math.max(0, limit - (first > 0 and fullest(entry, first) or entry.G))
    local fair = math.floor(room / (2 * store.registered))
    local moved = math.min(room, math.max(least, math.min(most, fair)))
    entry.g = entry.g + moved
    entry.G = entry.G + moved
    if moved < least then
        entry.w, entry.h = journal, 2 * store.registered
    elseif least > 0 and entry.w == journal then
        entry.w = ''
    end
    return moved
end

local function sync(entry, value)
    local others = entry.G - entry.g
    entry.g = math.min(value, store.recovering and MOST - others or entry.g)
    entry.G = others + entry.g
end

local function knows_nothing(key, entry, beginning)
    if not beginning then
        return entry.u > 0
    end
    return redis.call('HGET', key, 'b:' .. journal) ~= beginning
end

-- What it has not said it may have spent all the same.
local function forget(key, entry, beginning)
    if not knows_nothing(key, entry, beginning) then
        return
    end
    if entry.g > 0 then
        local gone = number(redis.call('HGET', key, 'g:gone'))
        redis.call('HSET', key, 'g:gone', text(gone + entry.g))
    end
    entry.U = math.min(entry.U + math.max(0, entry.g - entry.u), MOST)
    entry.g, entry.u = 0, 0
    if beginning then
        redis.call('HSET', key, 'b:' .. journal, beginning)
    end
end

local function row(n, now_s)
    local key, at = KEYS[n + 2], HEAD + (n - 1) * COLUMNS
    local limit, until_s = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local mine, spent_mine = 'g:' .. journal, 'u:' .. journal
    local had = redis.call('HMGET', key, 'G', 'U', 'e', 'w', 'h', mine, spent_mine)
    local entry = {
        G = number(had[1]), U = number(had[2]), e = had[3] and tonumber(had[3]), w = had[4] or '',
        h = number(had[5]), g = number(had[6]), u = number(had[7]), bg = 0, bu = 0
    }
    local moved, anew = 0, tonumber(ARGV[at + 10])
    if anew > 0 then
        forget(key, entry, anew > 1 and text(incarnation) .. '.' .. text(anew - 1))
    end
    if kind == 'move' then
        moved = move(entry, limit, tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]),
                     tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6]), tonumber(ARGV[at + 9]))
    elseif kind == 'sync' then
        sync(entry, tonumber(ARGV[at + 7]))
    end
    local others = entry.U - entry.u
    entry.u = math.min(tonumber(ARGV[at + 8]), MOST - others)
    entry.U = others + entry.u
    local wanted = entry.w ~= '' and entry.w ~= journal and entry.h > 0
    if wanted then
        entry.h = entry.h - 1
    end
    redis.call('HSET', key, 'G', text(entry.G), 'U', text(entry.U), 'w', entry.w, 'h',
               text(entry.h), mine, text(entry.g), spent_mine, text(entry.u))
    if limit >= 0 then
        redis.call('HSET', key, 'L', text(limit))
    end
    if ARGV[at + 11] ~= '' then
        redis.call('HSET', key, 'd', ARGV[at + 11])
    end
    local kept = keep(key, entry, until_s, now_s)
    if kept ~= entry.e then
        redis.call('HSET', key, 'e', text(kept))
    end
    for _, value in ipairs({moved, entry.g, entry.G, others, wanted and 1 or 0, entry.bg, entry.bu}) do
        rows[#rows + 1] = value
    end
end

local function all_rows()
    local now_s = tonumber(redis.call('TIME')[1])
    for n = 1, (#ARGV - HEAD) / COLUMNS do
        row(n, now_s)
    end
end

-- ---- operations: each answers with its verdict ----

local operations = {}

function operations.init()
    if there then
        return STALE
    end
    store.fence, store.epoch = server, epoch
    store.awaited, store.recovering = instances, instances > 0
    there = true
    note(false)
    return OK
end

function operations.join()
    if not is_fresh() then
        return STALE
    end
    if not presence then
        local is_first = store.registered == 0 and not store.recovering and is_where_it_began()
        must_hear_of(not is_first and MOST)
        store.registered = store.registered + 1
        presence = '0'
        redis.call('HSET', meta, 'p:' .. journal, presence)
        redis.call('HSETNX', nodes, 'f:' .. journal, ARGV[7])
    end
    redis.call('HSET', nodes, 'l:' .. journal, ARGV[12])
    note(true)
    return OK
end

local function waits_for_unknown()
    if store.recovering then
        return store.awaited > store.returned
    end
    return nobody_could_vouch()
end

-- Others may name it once more with a later word: that one is still the same of those counted.
local function excuse(whose, said)
    if store.awaited > 0 then
        store.awaited = store.awaited - 1
        if said then
            redis.call('HSET', meta, 'x:' .. whose, '1')
        end
    end
end

-- It may come back in the same recovery: counted again it would stand for somebody else.
local function uncount(whose, counted)
    if not store.recovering or number(counted) ~= store.epoch then
        return false
    end
    redis.call('HDEL', meta, 'c:' .. whose)
    store.returned = store.returned - 1
    return true
end

local function strike(whose, its_presence, said)
    if tonumber(its_presence) > 0 then
        store.enrolled = store.enrolled - 1
        store.changed = store.gseq + 1
    end
    if store.recovering and tonumber(its_presence) == store.epoch then
        store.present = store.present - 1
    end
    store.registered = store.registered - 1
    redis.call('HDEL', meta, 'p:' .. whose)
    redis.call('HSET', meta, 't:' .. whose, said)
end

function operations.leave()
    if epoch ~= store.epoch or store.fence ~= server then
        return OLD_FENCE
    end
    local whose = ARGV[11]
    local theirs = redis.call('HMGET', meta, 'p:' .. whose, 'q:' .. whose, 'v:' .. whose,
                              'x:' .. whose, 'c:' .. whose)
    if not theirs[1] and (theirs[4] or not waits_for_unknown()) then
        return STRANGER
    end
    -- One that is new is none of those who are waited for.
    local is_back = store.recovering and number(theirs[1]) == store.epoch
    local is_missing = not theirs[1] or (is_vouched(theirs[3]) and not is_back)
    if not theirs[4] and (uncount(whose, theirs[5]) or is_missing) then
        excuse(whose, theirs[2])
    end
    if theirs[1] then
        strike(whose, theirs[1], theirs[2])
    end
    if not store.recovering and nobody_could_vouch() then
        vouch_for_all()
    end
    note(false)
    return OK
end

-- A journal that has left keeps no more than what the operator says it has spent.
local function settle(key, value)
    local theirs, said = 'g:' .. ARGV[11], 'u:' .. ARGV[11]
    local had = redis.call('HMGET', key, 'G', theirs, said, 'U')
    local total, granted, spent = number(had[1]), number(had[2]), number(had[3])
    local kept = math.min(granted, math.max(value, spent))
    if had[2] then
        local others = number(had[4]) - spent
        total = total - (granted - kept)
        spent = math.max(spent, math.min(kept, MOST - others))
        redis.call('HSET', key, 'G', text(total), 'U', text(others + spent), theirs, text(kept),
                   said, text(spent))
    end
    for _, answer in ipairs({0, kept, total, 0, 0, 0, 0}) do
        rows[#rows + 1] = answer
    end
end

function operations.reconcile()
    if epoch ~= store.epoch or store.recovering or ARGV[3] ~= server or store.fence ~= server then
        return OLD_FENCE
    end
    local theirs = redis.call('HMGET', meta, 'q:' .. ARGV[11], 'p:' .. ARGV[11])
    if not theirs[1] or theirs[2] then
        return STRANGER
    end
    if theirs[1] ~= text(incarnation) .. '.' .. text(sequence) then
        return STALE
    end
    note(false)
    for n = 1, (#ARGV - HEAD) / COLUMNS do
        settle(KEYS[n + 2], tonumber(ARGV[HEAD + (n - 1) * COLUMNS + 7]))
    end
    return OK
end

local function begin_epoch()
    store.fence, store.epoch = server, math.max(store.epoch, tonumber(ARGV[13])) + 1
    store.recovering, store.present, store.returned = true, 0, 0
    store.awaited = math.max(store.awaited, instances)
end

function operations.epoch()
    if epoch == store.epoch then
        if store.fence ~= server or ARGV[9] == '1' or somebody_is_forgotten() then
            begin_epoch()
        end
        if store.recovering then
            await()
        end
    end
    note(true)
    return OK
end

function operations.ready()
    if absent() <= 0 then
        if store.recovering then
            for whose in pairs(by_journal().x) do
                redis.call('HDEL', meta, 'x:' .. whose)
            end
        end
        store.recovering, store.awaited = false, 0
    end
    note(true)
    return OK
end

local function enrol()
    if tonumber(presence) == 0 then
        store.enrolled = store.enrolled + 1
        store.changed = store.gseq + 1 -- that of the reply
        if heard_of then
            must_hear_of(store.changed)
        end
    end
    local was_present = tonumber(presence) == store.epoch
    presence = text(store.epoch)
    redis.call('HSET', meta, 'p:' .. journal, presence)
    if not store.recovering then
        return
    end
    if instances > 0 and heard_of then
        must_hear_of(false)
    end
    await()
    if not was_present then
        store.present = store.present + 1
        if not excused and (ARGV[15] ~= '' or instances > 0) then
            store.returned = store.returned + 1
            redis.call('HSET', meta, 'c:' .. journal, text(store.epoch))
        end
        store.awaited = math.max(store.awaited, instances)
    end
end

function operations.sync()
    if ARGV[8] == '1' then
        enrol()
    end
    note(true)
    all_rows()
    return OK
end

function operations.move()
    note(true)
    all_rows()
    return store.recovering and RECOVERING or OK
end

function operations.beat()
    note(true)
    all_rows()
    return OK
end

local by_operator = {init = true, leave = true, reconcile = true}

local function apply()
    if not there and kind ~= 'init' then
        return EMPTY
    end
    if by_operator[kind] or kind == 'join' then
        return operations[kind]()
    end
    if kind ~= 'epoch' and (epoch ~= store.epoch or ARGV[3] ~= server or store.fence ~= server) then
        return OLD_FENCE
    end
    if not presence then
        return STRANGER
    end
    if not is_fresh() then
        return STALE
    end
    vouch(tonumber(ARGV[14]))
    return operations[kind]()
end

local function asks_as_vouched()
    return not by_operator[kind] and number(presence) > 0 and is_vouched(heard_of)
end

local function told()
    local knows = tonumber(ARGV[14]) > 0 and store.changed <= tonumber(ARGV[14])
    if store.recovering then
        return kind == 'ready' and tell(true) or ''
    end
    return not by_operator[kind] and not knows and number(presence) > 0 and tell(false) or ''
end

local verdict = apply()
local reply = {
    verdict, server, store.epoch, store.recovering and 1 or 0,
    there and store.fence ~= server and 1 or 0, store.gseq, store.enrolled, absent(),
    asks_as_vouched() and 1 or 0,
    (has_replicas or store.replicated) and 0 or 1, store.changed,
    verdict == OK and told() or ''
}
for i = 1, #rows do
    reply[#reply + 1] = rows[i]
end
return reply
