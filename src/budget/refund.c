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

static void refund_account(struct core *core, struct account *account, const struct refund *refund)
{
    group_take_out(account);
    int64_t given = lower(&account->spent, refund->given);
    group_put_in(account);
    (void)lower(&account->forfeited, refund->forfeited);
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
    struct table owed; /* by number: what is owed still, a struct refund */
    const struct refund *at;
    size_t count, looked;
    bool begun;
    uint64_t redefined; /* the core's, then */
    struct tour tour;
};

static struct text key_of(const uint64_t *number)
{
    return text_make((const char *)number, sizeof(*number));
}

static void owe(struct refunds *refunds, const struct refund *refund)
{
    struct refund *owed = table_get(&refunds->owed, key_of(&refund->account));
    ASSERT(refund->given >= 0);
    ASSERT(refund->forfeited >= 0);
    if (owed == NULL) {
        owed = memory_new(sizeof(*owed));
        owed->since_s = refund->since_s;
        table_put(&refunds->owed, key_of(&refund->account), owed);
    }
    if (owed->since_s < refund->since_s)
        *owed = (struct refund){.since_s = refund->since_s};
    if (owed->since_s > refund->since_s)
        return;
    owed->given = account_add(owed->given, refund->given, ACCOUNT_MOST);
    owed->forfeited = account_add(owed->forfeited, refund->forfeited, ACCOUNT_MOST);
}

struct refunds *refunds_open(const struct refund *list, size_t count)
{
    struct refunds *refunds = memory_new(sizeof(*refunds));
    refunds->at = list;
    refunds->count = count;
    for (size_t at = 0; at < count; at++)
        owe(refunds, &list[at]);
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

/* What is owed to that account, once; nothing if it began anew. */
static struct refund take_owed(struct refunds *refunds, uint64_t number, int64_t since_s)
{
    struct refund *owed = table_remove(&refunds->owed, key_of(&number));
    bool same = owed != NULL && owed->since_s == since_s;
    struct refund refund = same ? *owed : (struct refund){0};
    free(owed);
    return refund;
}

static void refund_restored(struct core *core, struct refunds *refunds, uint64_t number)
{
    struct restored *restored = table_get(&core->accounts.restored, key_of(&number));
    if (restored == NULL)
        return;
    struct refund refund = take_owed(refunds, number, restored->since_s);
    (void)lower(&restored->amount, refund.given);
    (void)lower(&restored->forfeited, refund.forfeited);
}

static void refund_owed(struct core *core, struct account *account, void *context)
{
    struct refund refund = take_owed(context, account->number, account->since_s);
    if (refund.forfeited > 0 || refund.given > 0)
        refund_account(core, account, &refund);
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

void core_refund(struct core *core, const struct refund *refund)
{
    struct refunds *refunds = refunds_open(refund, 1);
    bool more = core_refund_some(core, refunds, SIZE_MAX);
    ASSERT(!more);
    refunds_close(refunds);
}
