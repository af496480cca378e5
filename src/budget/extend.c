/*
 * Holds that grow while their stream runs: on all their accounts or on none, at once. core.h says
 * why they go before those who wait.
 */
#include "budget/headroom.h"

/* What the stake lacks for what the hold needs now. Requests are held whole from the beginning. */
static int64_t missing(const struct stake *stake, const int64_t need[UNIT_COUNT])
{
    const struct account *account = stake->account;
    if (account->unit == UNIT_REQUESTS || need[account->unit] <= stake->amount)
        return 0;
    int64_t more = need[account->unit] - stake->amount;
    if (account->budget != ACCOUNT_GONE)
        return more;
    /* No limit keeps it in range. */
    int64_t room = MONEY_MOST.nano - account->held;
    return more < room ? more : room;
}

static bool stake_refuses(const struct stake *stake, const int64_t need[UNIT_COUNT])
{
    return stake->account->budget != ACCOUNT_GONE &&
           account_lacks(stake->account, missing(stake, need));
}

static bool is_exhausted(const struct stake *stake, const int64_t need[UNIT_COUNT])
{
    return stake_refuses(stake, need) && need[stake->account->unit] > account_left(stake->account);
}

/* The stake that says no, one that no settlement of others can help before any else; NULL: none. */
static const struct stake *blocking(const struct hold *hold, const int64_t need[UNIT_COUNT])
{
    const struct stake *found = NULL;
    for (size_t at = 0; at < hold->count; at++) {
        const struct stake *stake = &hold->stakes[at];
        if (is_exhausted(stake, need))
            return stake;
        if (found == NULL && stake_refuses(stake, need))
            found = stake;
    }
    return found;
}

/* For the next time that it is asked. False if it may be in vain: others hold what is missing, or
 * no lessor answers. */
static bool ask_lessor(struct core *core, const struct hold *hold, const int64_t need[UNIT_COUNT])
{
    bool growing = core->options.leased;
    for (size_t at = 0; at < hold->count; at++) {
        const struct stake *stake = &hold->stakes[at];
        if (!stake_refuses(stake, need))
            continue;
        int64_t lack = missing(stake, need);
        headroom_note_lack(&core->accounts, stake->account, lack);
        growing = growing && account_reaches(stake->account, lack) && !stake->account->growing.away;
    }
    return growing;
}

/* True if somebody waits who has one of its accounts. */
static bool raise_stakes(struct core *core, struct hold *hold, const int64_t need[UNIT_COUNT])
{
    size_t waiters = 0;
    for (size_t at = 0; at < hold->count; at++) {
        struct stake *stake = &hold->stakes[at];
        struct account *account = stake->account;
        int64_t more = missing(stake, need);
        stake->amount += more;
        group_take_out(account);
        account->held += more;
        group_put_in(account);
        if (account->budget == ACCOUNT_GONE)
            account_note_overrun(account);
        account_check(account);
        headroom_note_use(&core->accounts, account, more);
        waiters += account->line->waiters;
    }
    return waiters > 0;
}

static void tell(const struct hold *hold, uint64_t id, struct grant *grant)
{
    grant_clear(grant, VERDICT_GRANTED);
    grant->hold = id;
    grant->max_output = hold->max_output;
    grant->held_output = hold->held_output;
    grant->amount = hold->amount;
    grant->tokens = hold->tokens;
    grant->charge_count = hold->count;
    for (size_t at = 0; at < hold->count; at++)
        charge_fill(&hold->stakes[at], &grant->charges[at]);
}

void core_extend(struct core *core, uint64_t id, int64_t output, struct grant *grant)
{
    struct hold *hold = roster_find(&core->holds, id);
    ASSERT(hold != NULL);
    ASSERT(!hold->fact);
    ASSERT(!hold->booked);
    ASSERT(output >= 0);
    int64_t goal = output < hold->max_output ? output : hold->max_output;
    int64_t need[UNIT_COUNT];
    if (goal > hold->held_output) {
        demand_fill_need(hold->price, &hold->bound, goal, need);
        const struct stake *no = blocking(hold, need);
        if (no != NULL) {
            bool growing = ask_lessor(core, hold, need);
            grant_clear(grant, is_exhausted(no, need) ? VERDICT_EXHAUSTED : VERDICT_CONTENTION);
            grant->growing = growing;
            view_account(core, no->account, &grant->blocking);
            return;
        }
        hold->held_output = goal;
        hold->amount = (struct money){need[UNIT_USD]};
        hold->tokens = need[UNIT_TOKENS];
        if (raise_stakes(core, hold, need))
            waiting_look(core);
    }
    tell(hold, id, grant);
}
