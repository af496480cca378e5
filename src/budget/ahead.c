/*
 * The ceilings of the window that comes next are asked for before it begins: else the first call of
 * each account would wait for its lessor, all of them at one moment.
 */
#include "budget/headroom.h"

enum {
    AHEAD_S = 2,        /* before the window's end; less than HEADROOM_IDLE_S */
    AHEAD_MOST = 512,   /* accounts of a window; the others ask when they are used. And so many that
                           were not used of late are passed over, */
    OTHERS_MOST = 4096, /* and so many of other budgets and windows: nobody reserves meanwhile */
};

/* The last moment in which it was time to do so for a budget is remembered: it is done once. */
static bool is_time(struct lane *lane, int64_t now_s)
{
    int64_t left_s = lane->window.end_s - now_s;
    if (lane->rolling || left_s <= 0 || left_s > AHEAD_S || lane->ahead_s == lane->window.end_s)
        return false;
    lane->ahead_s = lane->window.end_s;
    return true;
}

/* Nothing is swept for it: where the table is full it is not worth that. */
static void ask_ahead(struct core *core, const struct account *account, const struct window *next)
{
    struct accounts *accounts = &core->accounts;
    struct account_key key = {
        .budget = account->budget, .unit = account->unit, .id = account->id, .window = next};
    struct account *coming = NULL;
    if (accounts->count >= accounts->most ||
        accounts_use(accounts, &key, core->now_s, &coming) != ACCOUNT_USED)
        return;
    headroom_note_coming(accounts, coming, account->growing.flow);
    account_unpin(coming);
}

/* Those that were used last stand last, with some among them that came there by an
 * answer. */
static void look_at(struct core *core, size_t budget)
{
    const struct accounts *accounts = &core->accounts;
    const struct lane *lane = &accounts->lanes[budget];
    struct window next = budget_window_at(&accounts->budgets[budget], lane->window.end_s);
    const struct account *account = accounts->newest, *older = NULL;
    int count = 0, unused = 0, others = 0;
    for (; account != NULL && count < AHEAD_MOST; account = older) {
        if (unused == AHEAD_MOST || others == OTHERS_MOST)
            return;
        older = account->growing.older;
        if (account->used_s + AHEAD_S < core->now_s) {
            unused++;
            continue;
        }
        if (account->budget != budget || account->window.start_s != lane->window.start_s) {
            others++;
            continue;
        }
        ask_ahead(core, account, &next);
        count++;
    }
}

void headroom_look_ahead(struct core *core)
{
    if (!core->options.leased || core->options.lease_s == 0)
        return;
    for (size_t budget = 0; budget < core->options.budget_count; budget++) {
        if (is_time(&core->accounts.lanes[budget], core->now_s))
            look_at(core, budget);
    }
}
