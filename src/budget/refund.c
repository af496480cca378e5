/* What was booked without knowing whether it was used, and was not: given back to its account. */
#include "budget/headroom.h"

#include <stdlib.h>

/* Takes up to `amount` off; what was taken. */
static int64_t lower(int64_t *value, int64_t amount)
{
    int64_t taken = amount < *value ? amount : *value;
    *value -= taken;
    return taken;
}

static void refund_account(struct core *core, struct account *account, int64_t amount)
{
    group_take_out(account);
    int64_t given = lower(&account->spent, amount);
    group_put_in(account);
    (void)lower(&account->forfeited, given);
    (void)lower(&account->over, given);
    core->event++;
    group_note_spent(account, core->event);
    account_note_overrun(account);
    account_check(account);
    headroom_note_room(&core->accounts, account);
    if (account->line->waiters > 0)
        waiting_look(core);
}

/* ---- many at once ---- */

/* Each is first looked for among what is restored, then all accounts are visited. So none is missed
 * that appears meanwhile: it was restored before. */
struct refunds {
    struct table owed; /* by number: what is to be given back still, an int64_t */
    const struct charge *at;
    size_t count, looked;
    bool begun;
    uint64_t redefined; /* the core's, then */
    struct tour tour;
};

static struct text key_of(const uint64_t *number)
{
    return text_make((const char *)number, sizeof(*number));
}

struct refunds *refunds_open(const struct charge *charges, size_t count)
{
    struct refunds *refunds = memory_new(sizeof(*refunds));
    refunds->at = charges;
    refunds->count = count;
    for (size_t at = 0; at < count; at++) {
        int64_t *owed = table_get(&refunds->owed, key_of(&charges[at].account));
        ASSERT(charges[at].amount >= 0);
        if (owed == NULL) {
            owed = memory_new(sizeof(*owed));
            table_put(&refunds->owed, key_of(&charges[at].account), owed);
        }
        *owed = account_add(*owed, charges[at].amount, ACCOUNT_MOST);
    }
    return refunds;
}

void refunds_close(struct refunds *refunds)
{
    size_t at = 0;
    void *owed = NULL;
    while (table_next(&refunds->owed, &at, NULL, &owed))
        free(owed);
    table_close(&refunds->owed);
    free(refunds);
}

/* What is owed to that account, once. */
static int64_t take_owed(struct refunds *refunds, uint64_t number)
{
    int64_t *owed = table_remove(&refunds->owed, key_of(&number));
    int64_t amount = owed == NULL ? 0 : *owed;
    free(owed);
    return amount;
}

static void refund_restored(struct core *core, struct refunds *refunds, uint64_t number)
{
    struct restored *restored = table_get(&core->accounts.restored, key_of(&number));
    if (restored != NULL)
        (void)lower(&restored->forfeited, lower(&restored->amount, take_owed(refunds, number)));
}

static void refund_owed(struct core *core, struct account *account, void *context)
{
    int64_t owed = take_owed(context, account->number);
    if (owed > 0)
        refund_account(core, account, owed);
}

/* Few: only what was in flight when their budget went. */
static void refund_gone(struct core *core, void *context)
{
    struct account *account = core->accounts.gone.first;
    for (; account != NULL; account = account->next)
        refund_owed(core, account, context);
}

/* Where budgets change, accounts go back to what is restored. */
static void begin(struct core *core, struct refunds *refunds)
{
    tour_end(core, &refunds->tour);
    refunds->tour = (struct tour){0};
    refunds->looked = 0;
    refunds->begun = true;
    refunds->redefined = core->redefined;
}

bool core_refund_some(struct core *core, struct refunds *refunds, size_t portion)
{
    const struct tour_visitor visitor = {
        .begin = refund_gone, .account = refund_owed, .context = refunds};
    if (!refunds->begun || refunds->redefined != core->redefined)
        begin(core, refunds);
    for (; portion > 0 && refunds->looked < refunds->count; portion--)
        refund_restored(core, refunds, refunds->at[refunds->looked++].account);
    if (refunds->looked < refunds->count)
        return true;
    if (refunds->owed.count > 0 && tour_go_on(core, &refunds->tour, &visitor, portion))
        return true;
    tour_end(core, &refunds->tour);
    return false;
}

void core_refund(struct core *core, const struct charge *charge)
{
    struct refunds *refunds = refunds_open(charge, 1);
    bool more = core_refund_some(core, refunds, SIZE_MAX);
    ASSERT(!more);
    refunds_close(refunds);
}
