/* What the process before has left of budgets. */
#include "cli/recovery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

/* An account in the ledger and in the vault. */
struct standing {
    struct charge charge; /* its texts are the ledger's or the vault's; amount: spent and held */
    int64_t ceiling, overdraft;
    int64_t given_up; /* of holds, by this start */
};

static struct text key_of(const struct charge *charge)
{
    return text_make((const char *)&charge->account, sizeof(charge->account));
}

static struct standing *standing_of(struct table *standings, const struct charge *charge)
{
    struct standing *standing = table_get(standings, key_of(charge));
    if (standing != NULL) {
        /* A session may have been used since its last line that is there. */
        if (standing->charge.until_s < charge->until_s)
            standing->charge.until_s = charge->until_s;
        return standing;
    }
    standing = memory_new(sizeof(*standing));
    standing->charge = *charge;
    standing->charge.amount = 0;
    table_put(standings, key_of(charge), standing);
    return standing;
}

/* Of amounts of 0 or more. */
static int64_t sum(int64_t a, int64_t b)
{
    int64_t total = 0;
    return __builtin_add_overflow(a, b, &total) ? INT64_MAX : total;
}

static void add(struct table *standings, const struct charge *charge)
{
    struct standing *standing = standing_of(standings, charge);
    if (charge->amount > 0)
        standing->charge.amount = sum(standing->charge.amount, charge->amount);
}

static void gather(const struct recovery *recovery, struct table *standings)
{
    struct charge charge;
    const struct entry *hold = NULL;
    size_t at = 0;
    while (ledger_next_balance(recovery->ledger, &at, &charge))
        add(standings, &charge);
    at = 0;
    while (ledger_next_hold(recovery->ledger, &at, &hold)) {
        for (size_t i = 0; i < hold->charge_count; i++)
            add(standings, &hold->charges[i]);
    }
    at = 0;
    while (ledger_next_given_up(recovery->ledger, &at, &charge))
        standing_of(standings, &charge)->given_up = charge.amount;
    for (size_t i = 0; i < recovery->row_count; i++) {
        struct standing *standing = standing_of(standings, &recovery->rows[i]);
        standing->ceiling = recovery->rows[i].amount;
        standing->overdraft = recovery->rows[i].overdraft;
    }
}

static void forget(struct table *standings)
{
    size_t at = 0;
    void *standing = NULL;
    while (table_next(standings, &at, NULL, &standing))
        free(standing);
    table_close(standings);
}

/* ---- forfeits ---- */

static int64_t unproven(const struct standing *standing)
{
    int64_t above = standing->ceiling - standing->charge.amount;
    return above > 0 ? above : 0;
}

/* In USD, of all its accounts. */
static int64_t unproven_of(const struct table *standings, struct text budget)
{
    int64_t total = 0;
    size_t at = 0;
    void *value = NULL;
    while (table_next(standings, &at, NULL, &value)) {
        const struct standing *standing = value;
        if (standing->charge.unit == UNIT_USD && text_equal(standing->charge.budget, budget))
            total = sum(total, unproven(standing));
    }
    return total;
}

/* The budget whose lines have the cost. Budgets are few: each is added up once. */
static struct text bearer(const struct table *standings, int64_t *most)
{
    struct table seen = {0};
    struct text bearer = TEXT_NONE;
    size_t at = 0;
    void *value = NULL;
    *most = 0;
    while (table_next(standings, &at, NULL, &value)) {
        const struct standing *standing = value;
        struct text budget = standing->charge.budget;
        if (budget.size == 0 || unproven(standing) == 0 || table_put(&seen, budget, &seen) != NULL)
            continue;
        int64_t total = unproven_of(standings, budget);
        if (total <= *most)
            continue;
        *most = total;
        bearer = budget;
    }
    table_close(&seen);
    return bearer;
}

/* So that a report by key or team shows it where it belongs. */
static void name_scope(struct entry *entry, const struct charge *charge)
{
    struct text *const members[SCOPE_COUNT] = {
        [SCOPE_KEY] = &entry->key,           [SCOPE_USER] = &entry->user,
        [SCOPE_TEAM] = &entry->team,         [SCOPE_MODEL] = &entry->model,
        [SCOPE_UPSTREAM] = &entry->upstream, [SCOPE_SERVICE] = &entry->service,
    };
    if (members[charge->scope] != NULL)
        *members[charge->scope] = charge->id;
}

static void note_forfeit(struct ledger_batch *batch, const struct charge *charge, bool bears,
                         int64_t now_us)
{
    char name[48]; /* by which it can be refunded */
    (void)snprintf(name, sizeof name, "lost_%016" PRIx64 "_%" PRIx64, charge->account,
                   (uint64_t)now_us);
    struct entry entry = {
        .kind = ENTRY_FORFEIT,
        .wall_us = now_us,
        .request_id = text_of(name),
        .attempt = 2, /* no request of its own is counted */
        .cost = bears && charge->unit == UNIT_USD ? (struct money){charge->amount} : MONEY_ZERO,
        .usage_source = USAGE_BOUND,
        .charges = charge,
        .charge_count = 1,
        .stop_reason = TEXT("lost"),
        .ttft_ms = -1,
        .duration_ms = -1,
    };
    name_scope(&entry, charge);
    ledger_note(batch, &entry);
}

static size_t note_forfeits(const struct recovery *recovery, const struct table *standings,
                            struct text bearer, struct ledger_batch *batch)
{
    int64_t now_us = clock_wall_us(recovery->clock);
    size_t at = 0, count = 0;
    void *value = NULL;
    while (table_next(standings, &at, NULL, &value)) {
        struct standing *standing = value;
        struct charge charge = standing->charge;
        charge.amount = unproven(standing);
        if (charge.amount == 0)
            continue;
        note_forfeit(batch, &charge, text_equal(charge.budget, bearer), now_us);
        count++;
    }
    return count;
}

/* ---- what another vault was charged with, or nobody used ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Of the account's balance; what is held of it stays. */
static int64_t foreign(const struct recovery *recovery, const struct standing *standing,
                       const struct charge *balance)
{
    int64_t above = least(standing->charge.amount - standing->ceiling, balance->amount);
    return vault_identity(recovery->vault)->fresh ? above : least(above, standing->given_up);
}

static size_t note_disowned(const struct recovery *recovery, const struct table *standings,
                            struct ledger_batch *batch)
{
    struct charge charge;
    size_t at = 0, count = 0;
    while (ledger_next_balance(recovery->ledger, &at, &charge)) {
        struct standing *standing = table_get(standings, key_of(&charge));
        int64_t above = foreign(recovery, standing, &charge);
        if (above <= 0)
            continue;
        charge.amount = -above;
        standing->charge.amount -= above;
        const struct entry entry = {.kind = ENTRY_DISOWN,
                                    .wall_us = clock_wall_us(recovery->clock),
                                    .attempt = 1,
                                    .charges = &charge,
                                    .charge_count = 1,
                                    .ttft_ms = -1,
                                    .duration_ms = -1};
        ledger_note(batch, &entry);
        count++;
    }
    return count;
}

/* Nothing here knows the id of the one before: the store does. */
static void tell_disowned(const struct vault_identity *identity)
{
    if (identity->fresh)
        log_warn("ceilings.db is new here, and the ledger is not: for the store of budgets this is "
                 "another instance now, %.12s, and what the one before had leased stays charged. "
                 "`purser budget list` shows that one, by the same name: let it go by `purser "
                 "budget leave ID`; `purser budget reconcile ID --ledger DIR` gives back what it "
                 "did not spend",
                 identity->journal);
}

static bool forfeit(const struct recovery *recovery, const struct table *standings,
                    struct fault *fault)
{
    int64_t most = 0;
    struct text budget = bearer(standings, &most);
    struct ledger_batch *batch = ledger_batch_open(recovery->ledger);
    size_t count = note_forfeits(recovery, standings, budget, batch);
    size_t disowned = recovery->shared ? note_disowned(recovery, standings, batch) : 0;
    bool good = ledger_commit(batch, fault);
    ledger_batch_close(batch);
    if (good && disowned > 0)
        tell_disowned(vault_identity(recovery->vault));
    char amount[MONEY_STRING_SIZE];
    if (good && count > 0)
        log_warn("the machine or the ledger was lost without a clean end: what may have been used "
                 "of %zu accounts since the last lines is booked as spent, at most %s",
                 count, money_string((struct money){most}, amount));
    return good;
}

/* ---- restoring ---- */

/* In whole steps of what the store counts. */
static int64_t round_up(const struct charge *charge)
{
    int64_t rest = charge->unit == UNIT_USD ? charge->amount % STORE_USD_STEP : 0;
    return rest == 0 ? charge->amount : sum(charge->amount, STORE_USD_STEP - rest);
}

/* What is above a ceiling the store was not told of: as with an overdraft, the lease will. */
static bool raise_ceilings(const struct recovery *recovery, const struct table *standings,
                           struct fault *fault)
{
    struct charge *raised = memory_new((standings->count + 1) * sizeof(*raised));
    size_t at = 0, count = 0;
    void *value = NULL;
    while (table_next(standings, &at, NULL, &value)) {
        struct standing *standing = value;
        if (standing->charge.amount <= standing->ceiling)
            continue;
        standing->ceiling = round_up(&standing->charge);
        raised[count] = standing->charge;
        raised[count].amount = standing->ceiling;
        raised[count++].overdraft = standing->overdraft;
    }
    int64_t now_s = clock_wall_us(recovery->clock) / 1000000;
    bool good = count == 0 || vault_note(recovery->vault, raised, count, now_s, fault);
    free(raised);
    return good;
}

static void restore_gate(const struct recovery *recovery, const struct table *standings)
{
    struct gate *gate = recovery->gate;
    struct charge charge;
    size_t at = 0;
    while (ledger_next_balance(recovery->ledger, &at, &charge)) {
        /* Refunds of what was forgotten, or somebody else's hand: no spend. */
        if (charge.amount > 0)
            gate_restore(gate, &charge);
    }
    at = 0;
    while (ledger_next_forfeited(recovery->ledger, &at, &charge))
        gate_restore_forfeited(gate, &charge);
    at = 0;
    void *value = NULL;
    while (table_next(standings, &at, NULL, &value)) {
        const struct standing *standing = value;
        charge = standing->charge;
        if (charge.amount < standing->ceiling)
            charge.amount = standing->ceiling;
        charge.overdraft = standing->overdraft;
        gate_restore_ceiling(gate, &charge);
    }
}

bool recover(const struct recovery *recovery, struct fault *fault)
{
    struct table standings = {0};
    bool whole = vault_identity(recovery->vault)->whole;
    gather(recovery, &standings);
    bool good = (whole && recovery->ledger_whole) || forfeit(recovery, &standings, fault);
    good = good && (whole || vault_accept(recovery->vault, fault));
    good = good && (!recovery->shared || raise_ceilings(recovery, &standings, fault));
    if (good)
        restore_gate(recovery, &standings);
    forget(&standings);
    return good;
}
