/*
 * What is on an instance's disk: the journal of ceilings, whose commits are on disk when they have
 * ended well, and the ledger, whose lines are in the page cache until the next sync.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

size_t journal_new(struct world *world, size_t instance)
{
    ASSERT(world->journal_count < JOURNALS);
    struct journal *journal = &world->journals[world->journal_count];
    memset(journal, 0, sizeof(*journal));
    journal->instance = instance;
    journal->joined_at = -1;
    static const char LETTERS[] = "123456789abcdefghijklmnopqrstuvwx";
    _Static_assert(sizeof(LETTERS) > JOURNALS, "a letter for each journal");
    snprintf(journal->id, sizeof(journal->id), "%c%031d", LETTERS[world->journal_count], 0);
    return world->journal_count++;
}

void journal_close(struct journal *journal)
{
    free(journal->lines);
}

/* ---- ceilings ---- */

void disk_apply(struct world *world, struct instance *instance)
{
    struct journal *journal = &world->journals[instance->journal];
    if (instance->commit.marks)
        journal->mark = instance->commit.mark;
    for (size_t at = 0; at < instance->commit.count; at++) {
        size_t account = instance->commit.rows[at].account;
        journal->has[account] = true;
        journal->ceiling[account] = instance->commit.rows[at].amount;
        journal->overdraft[account] = instance->commit.rows[at].overdraft;
        journal->until_s[account] = instance->commit.rows[at].until_s;
        world->accounts[account].drawn += instance->commit.rows[at].drawn - journal->drawn[account];
        journal->drawn[account] = instance->commit.rows[at].drawn;
    }
}

/* ---- the ledger ---- */

static struct line *line_new(struct journal *journal)
{
    if (journal->count == journal->room) {
        journal->room = journal->room == 0 ? 64 : 2 * journal->room;
        journal->lines = realloc(journal->lines, journal->room * sizeof(journal->lines[0]));
        ASSERT(journal->lines != NULL);
    }
    return &journal->lines[journal->count++];
}

void disk_note(struct world *world, const struct call *call, enum line_kind kind,
               const int64_t amounts[UNIT_COUNT])
{
    struct line *line = line_new(&world->journals[call->journal]);
    line->kind = kind;
    line->call = call->serial;
    line->at_s = call->begun_s;
    line->count = call->count;
    for (size_t at = 0; at < call->count; at++) {
        line->parts[at].account = call->accounts[at];
        line->parts[at].amount = amounts[world->accounts[call->accounts[at]].name.unit];
    }
}

void disk_sync_now(struct world *world, const struct instance *instance)
{
    struct journal *journal = &world->journals[instance->journal];
    if (world->now >= instance->fails_until)
        journal->synced = journal->count;
}

void disk_sync(struct world *world, struct instance *instance)
{
    disk_sync_now(world, instance);
    world_at(world, world->now + world->profile.sync_us, EVENT_SYNC,
             (size_t)(instance - world->instances), instance->life);
}

void disk_lose(struct world *world, struct journal *journal)
{
    size_t loose = journal->count - journal->synced;
    journal->count = journal->synced + (size_t)below(world, (int64_t)loose + 1);
}

/* Where a call's hold stands in `open`, a list of lines; SIZE_MAX: it has none. */
static size_t find_open(const struct line *const *open, size_t count, uint64_t call)
{
    for (size_t at = count; at > 0; at--) {
        if (open[at - 1]->call == call)
            return at - 1;
    }
    return SIZE_MAX;
}

/* As the lines say that were settled: calls that run are looked at for what they were. */
int64_t disk_until_s(const struct world *world, const struct journal *journal, size_t account)
{
    int64_t used_s = 0;
    for (size_t at = 0; at < journal->count; at++) {
        const struct line *line = &journal->lines[at];
        for (size_t part = 0; line->kind == LINE_SETTLE && part < line->count; part++) {
            if (line->parts[part].account == account && line->at_s > used_s)
                used_s = line->at_s;
        }
    }
    return idle_until_s(world, account, used_s);
}

static void forget(struct journal *journal, size_t account)
{
    journal->billed[account] = 0;
    journal->over[account] = 0;
    for (size_t at = 0; at < journal->count; at++) {
        struct line *line = &journal->lines[at];
        for (size_t part = 0; line->kind == LINE_SETTLE && part < line->count; part++)
            line->parts[part].amount *= line->parts[part].account == account ? 0 : 1;
    }
}

void disk_rotate(struct world *world, const struct instance *instance)
{
    struct journal *journal = &world->journals[instance->journal];
    int64_t today = world_wall_s(world) / 86400;
    if (!world->profile.idle || today == journal->day)
        return;
    journal->day = today;
    for (size_t at = 0; at < world->account_count; at++) {
        if (idle_is_session(world, at) && disk_until_s(world, journal, at) <= world_wall_s(world))
            forget(journal, at);
    }
}

static void book(const struct line *line, int64_t spent[ACCOUNTS])
{
    for (size_t at = 0; at < line->count; at++)
        spent[line->parts[at].account] += line->parts[at].amount;
}

/* A hold of the dead is spent in full, and the ledger says so. */
static void forfeit(struct journal *journal, const struct line *hold, int64_t spent[ACCOUNTS])
{
    struct line line = *hold;
    line.kind = LINE_SETTLE;
    book(&line, spent);
    *line_new(journal) = line;
}

void disk_replay(struct world *world, struct journal *journal, int64_t spent[ACCOUNTS])
{
    const struct line **open = memory_new((journal->count + 1) * sizeof(*open));
    size_t count = 0;
    memset(spent, 0, ACCOUNTS * sizeof(spent[0]));
    for (size_t at = 0; at < journal->count; at++) {
        const struct line *line = &journal->lines[at];
        size_t hold = find_open(open, count, line->call);
        if (line->kind == LINE_RESERVE) {
            open[count++] = line;
        } else if (line->kind == LINE_EXTEND) {
            ASSERT(hold != SIZE_MAX);
            open[hold] = line;
        } else {
            book(line, spent);
            if (hold != SIZE_MAX)
                open[hold] = open[--count];
        }
    }
    /* The lines move when others are added. */
    struct line *holds = memory_new((count + 1) * sizeof(*holds));
    for (size_t at = 0; at < count; at++)
        holds[at] = *open[at];
    for (size_t at = 0; at < count; at++)
        forfeit(journal, &holds[at], spent);
    if (count > 0)
        world_say(world, "  %zu calls in flight are booked in full", count);
    free(holds);
    free(open);
}
