/*
 * Which accounts and limits a request touches, and whether they have room for it.
 */
#include "budget/core_state.h"

static bool has_tag_match(const struct budget *budget)
{
    for (size_t at = 0; at < budget->match_count; at++) {
        if (budget->match[at].scope == SCOPE_TAG)
            return true;
    }
    return false;
}

static bool tag_counts(const struct budget *budget, struct text tag)
{
    for (size_t at = 0; at < budget->match_count; at++) {
        const struct budget_match *match = &budget->match[at];
        if (match->scope == SCOPE_TAG && text_matches(tag, match->pattern))
            return true;
    }
    return !has_tag_match(budget);
}

static bool is_among(struct text id, const struct text *ids, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        if (text_equal(ids[at], id))
            return true;
    }
    return false;
}

size_t subject_ids(const struct budget *budget, const struct subject *subject,
                   struct text ids[SUBJECT_MAX_TAGS])
{
    if (budget->scope != SCOPE_TAG) {
        ids[0] = subject->id[budget->scope];
        return 1;
    }
    size_t count = 0;
    for (size_t at = 0; at < subject->tag_count; at++) {
        struct text tag = subject->tags[at];
        if (tag_counts(budget, tag) && !is_among(tag, ids, count))
            ids[count++] = tag;
    }
    return count;
}

static void lower_request_limit(struct places *places, enum unit unit, int64_t limit, size_t budget)
{
    int64_t *tightest = &places->request_limit[unit];
    if (limit == LIMIT_NONE || (*tightest != LIMIT_NONE && *tightest <= limit))
        return;
    *tightest = limit;
    places->request_budget[unit] = budget;
}

static void gather_request_limits(const struct core *core, size_t budget, struct places *places)
{
    for (int unit = 0; unit < UNIT_COUNT; unit++)
        lower_request_limit(
            places, (enum unit)unit,
            budget_limit_enforced(&core->options.budgets[budget], (enum unit)unit, TEXT_NONE),
            budget);
}

void places_gather_own(const struct own_limits *own, struct places *places)
{
    for (int unit = 0; own != NULL && unit < UNIT_COUNT; unit++) {
        ASSERT(own->limit[unit] >= LIMIT_NONE);
        ASSERT(own->limit[unit] <= MONEY_MOST.nano);
        lower_request_limit(places, (enum unit)unit, own->limit[unit], PLACES_OWN);
    }
}

/* Accounts are looked for some at a time: each is fetched from memory while those before it are
 * looked at. */
#define AT_ONCE 8

struct search {
    struct core *core;
    struct places *places;
    size_t count;
    struct account_key keys[AT_ONCE];
    uint64_t hashes[AT_ONCE];
};

/* False: an account could not appear; it stands first in the search then. */
static bool find_those(struct search *search)
{
    struct places *places = search->places;
    struct accounts *accounts = &search->core->accounts;
    accounts_sweep(accounts, search->core->now_s); /* while what was expected is fetched */
    for (size_t at = 0; at < search->count; at++)
        account_expect(accounts, search->hashes[at]);
    for (size_t at = 0; at < search->count; at++) {
        ASSERT(places->count < CHARGE_MOST);
        struct account **next = &places->accounts[places->count];
        enum account_use use = accounts_use_hashed(accounts, &search->keys[at], search->hashes[at],
                                                   search->core->now_s, next);
        if (use == ACCOUNT_CROWDED) {
            search->keys[0] = search->keys[at];
            return false;
        }
        places->count += use == ACCOUNT_USED ? 1 : 0;
    }
    search->count = 0;
    return true;
}

static bool look_for(struct search *search, const struct account_key *key)
{
    if (search->count == AT_ONCE && !find_those(search))
        return false;
    size_t at = search->count++;
    search->keys[at] = *key;
    search->hashes[at] = account_hash(key);
    chains_expect(&search->core->accounts, search->hashes[at]);
    return true;
}

static bool gather_accounts(struct search *search, size_t budget, const struct subject *subject)
{
    struct text ids[SUBJECT_MAX_TAGS];
    struct accounts *accounts = &search->core->accounts;
    const struct lane *lane = &accounts->lanes[budget];
    size_t count = subject_ids(&accounts->budgets[budget], subject, ids);
    accounts_turn(accounts, budget, search->core->now_s);
    for (size_t id = 0; id < count; id++) {
        struct account_key key = {.budget = budget, .id = ids[id], .window = &lane->window};
        for (int unit = 0; unit < UNIT_COUNT; unit++) {
            key.unit = (enum unit)unit;
            if (lane->limits[unit] && !look_for(search, &key))
                return false;
        }
    }
    return true;
}

static bool gather_all(struct search *search, const struct subject *subject)
{
    const struct core *core = search->core;
    for (size_t at = 0; at < core->options.budget_count; at++) {
        const struct budget *budget = &core->options.budgets[at];
        if (!budget_applies(budget, subject))
            continue;
        if (budget->scope == SCOPE_REQUEST)
            gather_request_limits(core, at, search->places);
        else if (!gather_accounts(search, at, subject))
            return false;
    }
    return find_those(search);
}

bool places_gather(struct core *core, const struct subject *subject, struct places *places,
                   struct account_key *key)
{
    struct search search;
    search.core = core;
    search.places = places;
    search.count = 0;
    places->count = 0;
    for (int unit = 0; unit < UNIT_COUNT; unit++)
        places->request_limit[unit] = LIMIT_NONE;
    if (gather_all(&search, subject))
        return true;
    *key = search.keys[0];
    return false;
}

void places_unpin(struct places *places)
{
    for (size_t at = 0; at < places->count; at++)
        account_unpin(places->accounts[at]);
}

bool places_are_in_reach(const struct places *places, const int64_t need[UNIT_COUNT])
{
    for (size_t at = 0; at < places->count; at++) {
        const struct account *account = places->accounts[at];
        if (!account_reaches(account, need[account->unit]))
            return false;
    }
    return true;
}

bool places_have_room(const struct places *places, const int64_t need[UNIT_COUNT])
{
    for (size_t at = 0; at < places->count; at++) {
        const struct account *account = places->accounts[at];
        if (account_lacks(account, need[account->unit]))
            return false;
    }
    return true;
}

const struct account *places_apart(const struct core *core, const struct places *places,
                                   const int64_t need[UNIT_COUNT])
{
    for (size_t at = 0; core->wall_s >= core->apart_s && at < places->count; at++) {
        const struct account *account = places->accounts[at];
        if (account->idle_s > 0 && need[account->unit] > 0)
            return account;
    }
    return NULL;
}
