/* Looking at every account in portions. */
#include "budget/tour.h"

#include "budget/core_state.h"

/* ---- the line of accounts ---- */

static struct account *first_from(const struct accounts *accounts, struct tour *tour)
{
    while (tour->lane < accounts->budget_count && accounts->lanes[tour->lane].first == NULL)
        tour->lane++;
    return tour->lane < accounts->budget_count ? accounts->lanes[tour->lane].first : NULL;
}

static struct account *next_of(const struct accounts *accounts, struct tour *tour,
                               const struct account *account)
{
    if (account->next != NULL)
        return account->next;
    tour->lane++;
    return first_from(accounts, tour);
}

/* A pin keeps it from being swept; an account without a budget goes with it. */
static struct account *unpin(struct core *core, struct tour *tour)
{
    struct account *account = tour->after;
    tour->after = NULL;
    if (account != NULL)
        accounts_release(&core->accounts, account);
    return account;
}

static bool pin(struct tour *tour, struct account *account)
{
    tour->after = account;
    account->pins++;
    return true;
}

/* ---- a portion ---- */

/* An account whose budget went is remembered when its last hold ends: that may move all others. */
static bool has_lost_its_place(const struct core *core, const struct tour *tour)
{
    return tour->place > 0 && tour->layouts != core->accounts.restored.layouts;
}

static bool visit_restored(struct core *core, struct tour *tour, const struct tour_visitor *visitor,
                           size_t portion)
{
    tour->layouts = core->accounts.restored.layouts;
    for (; portion > 0; portion--) {
        struct text key;
        void *value = NULL;
        uint64_t number = 0;
        if (!table_next(&core->accounts.restored, &tour->place, &key, &value))
            return false;
        memcpy(&number, key.at, sizeof(number));
        visitor->restored(core, number, value, visitor->context);
    }
    return true;
}

bool tour_go_on(struct core *core, struct tour *tour, const struct tour_visitor *visitor,
                size_t portion)
{
    struct account *account = unpin(core, tour);
    if (!tour->begun || tour->redefined != core->redefined || has_lost_its_place(core, tour)) {
        *tour = (struct tour){.begun = true, .redefined = core->redefined};
        visitor->begin(core, visitor->context);
        account = first_from(&core->accounts, tour);
    }
    for (; portion > 0 && account != NULL; portion--) {
        visitor->account(core, account, visitor->context);
        account = next_of(&core->accounts, tour, account);
    }
    if (account != NULL)
        return pin(tour, account);
    return visitor->restored != NULL && visit_restored(core, tour, visitor, portion);
}

void tour_end(struct core *core, struct tour *tour)
{
    (void)unpin(core, tour);
}
