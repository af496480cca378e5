/*
 * What an instance had leased when it was killed is restored for accounts that appear when they are
 * used again. Until then the others would lack it: so such an account appears by itself, and what
 * nobody uses goes back as from any other (headroom_yield).
 */
#include "budget/headroom.h"

enum {
    LOOKS = 64,
    SLOTS = 64
}; /* at what is restored, with a beat; each passes so many empty ones */

/* Something to give back, or an overrun that the lessor may not know of. */
static bool matters(const struct accounts *accounts, const struct restored *restored)
{
    int64_t step = restored->unit == UNIT_USD ? accounts->usd_step : 1;
    int64_t unused = restored->ceiling - restored->amount;
    return restored->ceiling > 0 && (unused >= step || unused < 0);
}

/* With that of a rolling window's present sub-bucket come those before it. What windows that are
 * over have is of no use to anybody. */
static void let_appear(struct core *core, const struct restored *restored)
{
    struct accounts *accounts = &core->accounts;
    struct window window = accounts_window(accounts, restored->budget, core->now_s);
    struct account_key key = {.budget = restored->budget,
                              .unit = restored->unit,
                              .id = text_of(restored->id),
                              .window = &window};
    bool rolling = accounts->lanes[restored->budget].rolling;
    struct account *account = NULL;
    if (!rolling && strcmp(window.id, restored->window) != 0)
        return;
    if (rolling && accounts_find(accounts, &key) != NULL)
        return;
    if (accounts_use(accounts, &key, core->now_s, &account) == ACCOUNT_USED)
        account_unpin(account);
}

void headroom_look_behind(struct core *core)
{
    struct accounts *accounts = &core->accounts;
    void *value = NULL;
    for (int i = 0; i < LOOKS && accounts->count < accounts->most; i++) {
        if (!table_next_within(&accounts->restored, &accounts->looked_at, SLOTS, NULL, &value))
            return; /* all were looked at */
        const struct restored *restored = value;
        if (restored != NULL && restored->budget != ACCOUNT_GONE &&
            restored->until_s >= core->now_s && matters(accounts, restored))
            let_appear(core, restored);
    }
}
