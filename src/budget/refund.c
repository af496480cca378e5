/* What was booked without knowing whether it was used, and was not: given back to its account. */
#include "budget/headroom.h"

static struct account *find_in(const struct lane *lane, uint64_t number)
{
    struct account *account = lane->first;
    while (account != NULL && account->number != number)
        account = account->next;
    return account;
}

static struct account *find(const struct core *core, uint64_t number)
{
    const struct accounts *accounts = &core->accounts;
    struct account *account = find_in(&accounts->gone, number);
    for (size_t at = 0; account == NULL && at < accounts->budget_count; at++)
        account = find_in(&accounts->lanes[at], number);
    return account;
}

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

void core_refund(struct core *core, const struct charge *charge)
{
    struct text key = text_make((const char *)&charge->account, sizeof(charge->account));
    struct restored *restored = table_get(&core->accounts.restored, key);
    struct account *account = find(core, charge->account);
    ASSERT(charge->amount >= 0);
    if (account != NULL)
        refund_account(core, account, charge->amount);
    else if (restored != NULL)
        (void)lower(&restored->forfeited, lower(&restored->amount, charge->amount));
}
