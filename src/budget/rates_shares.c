/*
 * Shares of rate limits: what a lessor may see and set.
 */
#include "budget/rates_state.h"

static void keep_what_is_used(struct rates_account *account)
{
    for (int rated = 0; rated < RATED_BY_MINUTE; rated++)
        memcpy(account->rings[rated].share, account->rings[rated].used,
               sizeof account->rings[rated].share);
    account->running_share = account->running;
}

void rates_lease(struct rates_core *core)
{
    core->leased = true;
    for (size_t i = 0; i < core->bucket_count; i++) {
        for (struct rates_account *account = core->buckets[i]; account; account = account->next)
            keep_what_is_used(account);
    }
}

static size_t list_account(const struct rates_account *account, struct rates_counter *counters)
{
    size_t count = 0;
    for (unsigned rated = 0; rated < RATED_BY_MINUTE; rated++) {
        const struct rates_ring *ring = &account->rings[rated];
        for (int64_t ago = 0; ago < RATES_COUNTING; ago++) {
            size_t slot = rates_slot(account->newest - ago);
            bool telling = ago == 0 || ring->share[slot] > ring->used[slot];
            if (account->limit[rated] == LIMIT_NONE || !telling)
                continue;
            counters[count++] = (struct rates_counter){
                .account = account->number,
                .rated = (enum rated)rated,
                .subwindow = account->newest - ago,
                .limit = account->limit[rated],
                .used = ring->used[slot],
                .share = ring->share[slot],
                .wanted = ago == 0 ? ring->wanted : 0,
            };
        }
    }
    if (account->limit[RATED_PARALLEL] != LIMIT_NONE)
        counters[count++] = (struct rates_counter){
            .account = account->number,
            .rated = RATED_PARALLEL,
            .limit = account->limit[RATED_PARALLEL],
            .used = account->running,
            .share = account->running_share,
            .wanted = account->running_wanted,
        };
    return count;
}

size_t rates_list(const struct rates_core *core, struct rates_place *place,
                  struct rates_counter counters[RATES_COUNTERS_MOST])
{
    while (place->bucket < core->bucket_count) {
        const struct rates_account *account = core->buckets[place->bucket];
        for (size_t i = 0; i < place->account && account != NULL; i++)
            account = account->next;
        place->account++;
        if (account != NULL)
            return list_account(account, counters);
        *place = (struct rates_place){.bucket = place->bucket + 1};
    }
    return 0;
}

/* Where a counter's share stands, and what is used of it; false: there is none. */
static bool find_share(struct rates_core *core, const struct rates_counter *of, int64_t **share,
                       int64_t *used)
{
    struct text number = text_make((const char *)&of->account, sizeof of->account);
    struct rates_account *account = table_get(&core->by_number, number);
    if (account == NULL)
        return false;
    if (of->rated == RATED_PARALLEL) {
        account->running_wanted = 0;
        *share = &account->running_share;
        *used = account->running;
        return true;
    }
    struct rates_ring *ring = &account->rings[of->rated];
    if (of->subwindow < 0 || of->subwindow > account->newest + 1 ||
        account->newest - of->subwindow >= RATES_COUNTING)
        return false;
    *share = &ring->share[rates_slot(of->subwindow)];
    *used = ring->used[rates_slot(of->subwindow)];
    return true;
}

bool rates_grant(struct rates_core *core, const struct rates_counter *of, int64_t more)
{
    int64_t *share, used;
    ASSERT(more >= 0);
    if (!find_share(core, of, &share, &used))
        return false;
    *share += more;
    return true;
}

int64_t rates_trim(struct rates_core *core, const struct rates_counter *of, int64_t least)
{
    int64_t *share, used;
    if (!find_share(core, of, &share, &used))
        return 0;
    int64_t lowest = least > used ? least : used;
    if (*share > lowest)
        *share = lowest;
    return *share;
}
