/* Refunds: what was forfeited is given back, by lines of their own. */
#include <stdlib.h>

#include "books/ledger_state.h"

static bool is_named(const struct entry *forfeit, struct text name)
{
    return name.size == 0 || text_equal(forfeit->request_id, name) ||
           text_equal(forfeit->call, name);
}

/* `charges` has room for the forfeit's. */
static struct entry refund_of(const struct entry *forfeit, struct charge *charges, int64_t wall_us)
{
    struct entry refund = *forfeit;
    for (size_t i = 0; i < forfeit->charge_count; i++) {
        charges[i] = forfeit->charges[i];
        charges[i].amount = -charges[i].amount;
    }
    refund.kind = ENTRY_REFUND;
    refund.wall_us = wall_us;
    refund.attempt = 2; /* no request of its own is counted */
    refund.cost = (struct money){-forfeit->cost.nano};
    refund.hold = MONEY_ZERO;
    refund.charges = charges;
    refund.stop_reason = TEXT("refund");
    return refund;
}

/* With the lock held. */
static void take_named(const struct ledger *ledger, struct text name, struct ledger_forfeits *found)
{
    const struct entry *forfeit = NULL;
    const void *at = NULL;
    while (balances_next_forfeit(ledger->balances, &at, &forfeit)) {
        if (!is_named(forfeit, name))
            continue;
        found->at = memory_resize(found->at, (found->count + 1) * sizeof(*found->at));
        found->at[found->count] = (struct entry_copy){0};
        entry_copy_take(&found->at[found->count++], forfeit);
    }
}

void ledger_forfeits(struct ledger *ledger, struct text name, struct ledger_forfeits *found)
{
    *found = (struct ledger_forfeits){0};
    pthread_mutex_lock(&ledger->lock);
    take_named(ledger, name, found);
    pthread_mutex_unlock(&ledger->lock);
}

void ledger_forfeits_close(struct ledger_forfeits *forfeits)
{
    for (size_t i = 0; i < forfeits->count; i++)
        entry_copy_close(&forfeits->at[i]);
    free(forfeits->at);
    *forfeits = (struct ledger_forfeits){0};
}

void ledger_refunds_close(struct ledger_refunds *refunds)
{
    ledger_forfeits_close(&refunds->whole);
    ledger_forfeits_close(&refunds->given);
}

static void put_refunds(struct ledger *ledger, const struct ledger_forfeits *forfeits,
                        int64_t now_us)
{
    struct charge charges[CHARGE_MOST];
    buffer_clear(&ledger->out);
    for (size_t i = 0; i < forfeits->count; i++) {
        struct entry refund = refund_of(&forfeits->at[i].entry, charges, now_us);
        size_t start = ledger->out.size;
        entry_put(&ledger->out, &refund, text_of(ledger->node));
        chain_seal(&ledger->chain, &ledger->out, start);
    }
}

static void apply_refunds(struct ledger *ledger, const struct ledger_forfeits *forfeits)
{
    struct charge charges[CHARGE_MOST];
    for (size_t i = 0; i < forfeits->count; i++) {
        struct entry refund = refund_of(&forfeits->at[i].entry, charges, 0);
        bool applied = balances_apply(ledger->balances, &refund);
        ASSERT(applied);
    }
}

/* With the lock held. */
static bool refund(struct ledger *ledger, const struct ledger_forfeits *forfeits,
                   struct fault *fault)
{
    if (forfeits->count == 0)
        return true;
    if (!ledger_rotate_if_due(ledger, fault))
        return false;
    struct chain_place before = ledger->chain.place;
    put_refunds(ledger, forfeits, clock_wall_us(ledger->clock));
    if (!ledger_append(ledger, before, fault))
        return false;
    apply_refunds(ledger, forfeits);
    return true;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void cut(struct entry *forfeit, const struct spend *part)
{
    struct charge *charges = (struct charge *)(uintptr_t)forfeit->charges; /* the copy's own */
    forfeit->cost.nano = least(forfeit->cost.nano, part->amount[UNIT_USD]);
    for (size_t i = 0; i < forfeit->charge_count; i++)
        charges[i].amount = least(charges[i].amount, part->amount[charges[i].unit]);
}

static int64_t refundable(const struct entry *forfeit, enum unit unit)
{
    int64_t most = unit == UNIT_USD ? forfeit->cost.nano : 0;
    for (size_t i = 0; i < forfeit->charge_count; i++)
        if (forfeit->charges[i].unit == unit && forfeit->charges[i].amount > most)
            most = forfeit->charges[i].amount;
    return most;
}

struct spend ledger_refund_most(const struct ledger_forfeits *forfeits)
{
    struct spend most = {{0}};
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        for (size_t i = 0; i < forfeits->count; i++) {
            int64_t amount = refundable(&forfeits->at[i].entry, (enum unit)unit);
            most.amount[unit] = i == 0 ? amount : least(amount, most.amount[unit]);
        }
    }
    return most;
}

/* False: some of them forfeited less. */
static bool cut_all(struct ledger_forfeits *forfeits, const struct spend *part)
{
    struct spend most = ledger_refund_most(forfeits);
    for (int unit = 0; unit < UNIT_COUNT; unit++)
        if (part->amount[unit] > most.amount[unit])
            return false;
    for (size_t i = 0; i < forfeits->count; i++)
        cut(&forfeits->at[i].entry, part);
    return true;
}

bool ledger_refund(struct ledger *ledger, struct text name, const struct spend *part,
                   struct ledger_refunds *refunds, struct fault *fault)
{
    struct ledger_refunds found = {0};
    pthread_mutex_lock(&ledger->lock);
    take_named(ledger, name, &found.whole);
    take_named(ledger, name, &found.given);
    if (part != NULL && !cut_all(&found.given, part))
        ledger_forfeits_close(&found.given);
    bool good = refund(ledger, &found.given, fault);
    pthread_mutex_unlock(&ledger->lock);
    if (good)
        *refunds = found;
    else
        ledger_refunds_close(&found);
    return good;
}
