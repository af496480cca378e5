/*
 * What must fit under one limit together: an account of a calendar window alone, of a rolling one
 * every WINDOW_ROLLING_SPAN sub-buckets in a row. Of these only spans that end with a sub-bucket
 * that exists are looked at: any other has no more than one of them.
 */
#include "sim.h"

/* By how many sub-buckets one number comes after another of the same group; below 0: before it. */
static int64_t rolled(uint64_t from, uint64_t to)
{
    int64_t later = (int64_t)((to - from) & (CHARGE_BUCKETS - 1));
    return later < (int64_t)CHARGE_BUCKETS / 2 ? later : later - (int64_t)CHARGE_BUCKETS;
}

static int64_t rolled_to(const struct world *world, size_t from, size_t to)
{
    return rolled(world->accounts[from].name.account, world->accounts[to].name.account);
}

bool span_rolls(const struct world *world, size_t account)
{
    return world->budgets[world->accounts[account].budget].window == WINDOW_ROLLING;
}

uint64_t span_number(const struct budget *budget, uint64_t number, int64_t now_s)
{
    int64_t bucket_s = (budget->rolling_s + WINDOW_ROLLING_BUCKETS - 1) / WINDOW_ROLLING_BUCKETS;
    return charge_sibling(number & ~(CHARGE_BUCKETS - 1), now_s / bucket_s);
}

bool span_counts(const struct world *world, size_t at, int64_t now_s)
{
    const struct sim_account *account = &world->accounts[at];
    uint64_t number = account->name.account;
    int64_t back = rolled(number, span_number(&world->budgets[account->budget], number, now_s));
    return back >= 0 && back < WINDOW_ROLLING_SPAN;
}

static bool are_of_one_group(const struct world *world, size_t a, size_t b)
{
    return span_rolls(world, a) && charge_group(world->accounts[a].name.account) ==
                                       charge_group(world->accounts[b].name.account);
}

static bool is_nearer(const struct world *world, size_t account, size_t other, size_t than)
{
    if (than == NOBODY)
        return true;
    int64_t to = rolled_to(world, account, other), now = rolled_to(world, account, than);
    return (to < 0 ? -to : to) < (now < 0 ? -now : now);
}

void span_join(struct world *world, size_t at)
{
    struct sim_account *account = &world->accounts[at];
    account->earlier = NOBODY;
    account->later = NOBODY;
    for (size_t other = 0; other < world->account_count; other++) {
        if (other == at || !are_of_one_group(world, other, at))
            continue;
        size_t *side = rolled_to(world, at, other) < 0 ? &account->earlier : &account->later;
        if (is_nearer(world, at, other, *side))
            *side = other;
    }
    if (account->earlier != NOBODY)
        world->accounts[account->earlier].later = at;
    if (account->later != NOBODY)
        world->accounts[account->later].earlier = at;
}

__int128 span_sum(const struct world *world, size_t last,
                  int64_t (*of)(const struct world *world, size_t account))
{
    __int128 sum = of(world, last);
    for (size_t at = world->accounts[last].earlier;
         at != NOBODY && rolled_to(world, at, last) < WINDOW_ROLLING_SPAN;
         at = world->accounts[at].earlier)
        sum += of(world, at);
    return sum;
}

size_t span_next(const struct world *world, size_t account, size_t last)
{
    size_t next = world->accounts[last].later;
    bool has = next != NOBODY && rolled_to(world, account, next) < WINDOW_ROLLING_SPAN;
    return has ? next : NOBODY;
}
