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

static bool gather_units(struct core *core, struct account_key *key, struct places *places)
{
    const struct lane *lane = &core->accounts.lanes[key->budget];
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        if (!lane->limits[unit])
            continue;
        key->unit = (enum unit)unit;
        ASSERT(places->count < CHARGE_MOST);
        struct account **next = &places->accounts[places->count];
        enum account_use use = accounts_use(&core->accounts, key, core->now_s, next);
        if (use == ACCOUNT_CROWDED)
            return false;
        places->count += use == ACCOUNT_USED ? 1 : 0;
    }
    return true;
}

bool places_gather(struct core *core, const struct subject *subject, struct places *places,
                   struct account_key *key)
{
    places->count = 0;
    for (int unit = 0; unit < UNIT_COUNT; unit++)
        places->request_limit[unit] = LIMIT_NONE;
    for (size_t at = 0; at < core->options.budget_count; at++) {
        const struct budget *budget = &core->options.budgets[at];
        if (!budget_applies(budget, subject))
            continue;
        if (budget->scope == SCOPE_REQUEST) {
            gather_request_limits(core, at, places);
            continue;
        }
        accounts_turn(&core->accounts, at, core->now_s);
        struct text ids[SUBJECT_MAX_TAGS];
        size_t count = subject_ids(budget, subject, ids);
        for (size_t id = 0; id < count; id++) {
            *key = (struct account_key){
                .budget = at, .id = ids[id], .window = &core->accounts.lanes[at].window};
            if (!gather_units(core, key, places))
                return false;
        }
    }
    return true;
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
