/*
 * Reserving and settling: all accounts or none, in memory, at once. Which accounts a request
 * touches is places.c's; who must wait, waiting.c's; how much a request needs, demand.c's.
 */
#include "budget/headroom.h"

#include <stdlib.h>

/* ---- opening and closing ---- */

static void take_options(struct core *core, const struct core_options *options)
{
    ASSERT(options->min_output_tokens >= 0);
    ASSERT(options->default_max_output >= 0);
    ASSERT(options->lease_s >= 0);
    definitions_open(&core->definitions, options->budgets, options->budget_count, &core->names);
    core->options = *options;
    core->options.budgets = core->definitions.budgets;
}

static void set_lease(struct core *core)
{
    ASSERT(!core->options.leased || core->options.usd_step > 0);
    core->accounts.leased = core->options.leased;
    core->accounts.usd_step = core->options.usd_step;
    core->accounts.lease_s = core->options.lease_s;
}

struct core *core_open(const struct core_options *options)
{
    struct core *core = memory_new(sizeof(*core));
    core->apart_s = INT64_MAX;
    take_options(core, options);
    accounts_open(&core->accounts, core->options.budgets, options->budget_count,
                  options->max_accounts);
    set_lease(core);
    return core;
}

void core_redefine(struct core *core, const struct core_options *options)
{
    struct definitions before = core->definitions;
    ASSERT(options->leased == core->options.leased);
    ASSERT(options->usd_step == core->options.usd_step);
    core->redefined++;
    waiting_dismiss(core);
    take_options(core, options);
    accounts_redefine(&core->accounts, core->options.budgets, options->budget_count,
                      options->max_accounts, core->now_s);
    core->accounts.looked_at = 0;
    set_lease(core);
    definitions_close(&before);
}

void core_close(struct core *core)
{
    if (core == NULL)
        return;
    size_t at = 0;
    void *hold = NULL;
    while ((hold = roster_next(&core->holds, &at)) != NULL)
        free(hold);
    roster_close(&core->holds);
    waiting_close(core);
    accounts_close(&core->accounts);
    definitions_close(&core->definitions);
    names_close(&core->names);
    free(core);
}

void core_restore(struct core *core, const struct charge *charge)
{
    accounts_restore(&core->accounts, charge);
}

void core_restore_ceiling(struct core *core, const struct charge *charge)
{
    accounts_restore_ceiling(&core->accounts, charge);
}

void core_restore_forfeited(struct core *core, const struct charge *charge)
{
    accounts_restore_forfeited(&core->accounts, charge);
}

bool core_wants_growth(const struct core *core)
{
    return headroom_any(core);
}

/* ---- time ---- */

#define CLOCK_SLACK_MS 2000

bool core_check_clock(struct core *core, int64_t wall_ms, int64_t steady_ms)
{
    int64_t passed_ms = steady_ms - core->checked_ms;
    if (core->latest_ms == 0)
        core->latest_ms = wall_ms + CLOCK_SLACK_MS;
    else if (passed_ms > 0)
        core->latest_ms += passed_ms + passed_ms / 1000;
    core->checked_ms = steady_ms;
    return wall_ms <= core->latest_ms;
}

void core_note_wall(struct core *core, int64_t now_s)
{
    core->wall_s = now_s;
}

void core_see_time(struct core *core, int64_t now_s)
{
    core->now_s = core_believes_s(core, now_s);
    if (core->wall_s < now_s)
        core->wall_s = now_s;
}

void core_turn(struct core *core, int64_t now_s)
{
    core->wall_s = now_s;
    now_s = core_believes_s(core, now_s);
    if (core->now_s < now_s)
        core->now_s = now_s;
    waiting_turn(core);
    headroom_look_ahead(core);
}

int64_t core_believes_s(const struct core *core, int64_t now_s)
{
    int64_t latest_s = core->latest_ms / 1000;
    return latest_s == 0 || now_s <= latest_s ? now_s : latest_s;
}

/* ---- the answer ---- */

/* Not the whole struct: its charges alone are 7 KiB, and the hot path would pay for clearing them.
 */
void grant_clear(struct grant *grant, enum verdict verdict)
{
    grant->verdict = verdict;
    grant->hold = 0;
    grant->max_output = 0;
    grant->held_output = 0;
    grant->send_max = false;
    grant->clamped = false;
    grant->amount = MONEY_ZERO;
    grant->tokens = 0;
    grant->charge_count = 0;
    grant->waiter = 0;
    grant->growing = false;
    grant->affordable_max_output = 0;
}

void account_check(const struct account *account)
{
    ASSERT(account->held >= 0);
    ASSERT(account->returning >= 0);
    ASSERT(account->spent + account->held + account->returning - account->over <=
           account->ceiling); /* I1, in range */
}

/* What of the stake stands above all that a store has granted. */
static int64_t overdrawn(const struct account *account, int64_t amount)
{
    if (account->overdraft == 0)
        return 0;
    int64_t above = account->spent + account->held - (account->ceiling - account->overdraft);
    return above <= 0 ? 0 : above < amount ? above : amount;
}

/* From the stake, because the account may have no budget any more. */
void charge_fill(const struct stake *stake, struct charge *charge)
{
    const struct account *account = stake->account;
    charge->account = account->number;
    charge->amount = stake->amount;
    charge->overdraft = overdrawn(account, stake->amount);
    charge->until_s = account_until_s(account);
    charge->since_s = account->since_s;
    charge->unit = account->unit;
    charge->scope = account->scope;
    charge->budget = stake->budget;
    charge->id = account->id;
    memcpy(charge->window, account->window.id, sizeof(charge->window));
}

static void note_overrun(struct core *core, struct account *account)
{
    account_note_overrun(account);
    headroom_note_over(&core->accounts, account);
}

static void take(struct core *core, struct places *places, const int64_t need[UNIT_COUNT],
                 const struct hold *terms, struct grant *grant)
{
    struct hold *hold = memory_new(sizeof(*hold) + places->count * sizeof(struct stake));
    *hold = *terms;
    hold->count = places->count;
    for (size_t at = 0; at < places->count; at++) {
        struct account *account = places->accounts[at];
        int64_t amount = need[account->unit];
        ASSERT(terms->fact || amount == 0 || amount <= account_free(account));
        group_take_out(account);
        account->held += amount;
        group_put_in(account);
        account_note_use(account, core->now_s);
        if (terms->fact)
            note_overrun(core, account);
        account_check(account);
        headroom_note_use(&core->accounts, account, amount);
        hold->stakes[at] = (struct stake){.account = account,
                                          .amount = amount,
                                          .budget = core->options.budgets[account->budget].name};
        charge_fill(&hold->stakes[at], &grant->charges[at]);
    }
    grant->charge_count = places->count;
    grant->hold = roster_add(&core->holds, hold);
}

static void want_room(struct core *core, const struct places *places,
                      const int64_t need[UNIT_COUNT])
{
    for (size_t at = 0; at < places->count; at++) {
        struct account *account = places->accounts[at];
        int64_t lack = need[account->unit] - account_free(account);
        if (lack > 0)
            headroom_note_lack(&core->accounts, account, lack);
    }
}

/* What lies between `held` and the maximum: a stream that needs more does not wait for it. */
static void want_maximum(struct core *core, const struct places *places, const struct ask *ask,
                         const struct demand *demand, const int64_t held[UNIT_COUNT])
{
    int64_t most[UNIT_COUNT];
    if (!core->options.leased || !demand->rolling || demand->max_output == INT64_MAX)
        return;
    demand_fill_need(ask->price, &ask->bound, demand->max_output, most);
    most[UNIT_USD] -= held[UNIT_USD];
    most[UNIT_TOKENS] -= held[UNIT_TOKENS];
    most[UNIT_REQUESTS] = 0;
    want_room(core, places, most);
}

void core_grant(struct core *core, const struct ask *ask, struct places *places,
                const struct demand *demand, struct grant *grant)
{
    const struct hold terms = {.price = ask->price,
                               .bound = ask->bound,
                               .held_output = demand->held_output,
                               .max_output = demand->max_output,
                               .amount = {demand->need[UNIT_USD]},
                               .tokens = demand->need[UNIT_TOKENS]};
    grant_clear(grant, VERDICT_GRANTED);
    grant->max_output = demand->max_output;
    grant->held_output = demand->held_output;
    grant->send_max = !ask->bound.output_free && demand->max_output < ask->wanted_output;
    grant->clamped = demand->max_output < demand->ceiling;
    grant->amount = terms.amount;
    grant->tokens = terms.tokens;
    if (places->count > 0)
        take(core, places, demand->need, &terms, grant);
    want_maximum(core, places, ask, demand, demand->need);
}

static bool says_no(const struct account *account, enum verdict verdict,
                    const int64_t needs[UNIT_COUNT])
{
    int64_t need = needs[account->unit];
    switch (verdict) {
    case VERDICT_EXHAUSTED:
        return need > 0 && need > account_left(account);
    case VERDICT_CONTENTION:
    case VERDICT_AWAY:
        return account_lacks(account, need) || (need > 0 && account->line->wanted > 0);
    case VERDICT_NEVER_FITS:
        return need > account->limit;
    case VERDICT_UNPRICED:
        return account->unit == UNIT_USD;
    default:
        return account->unit != UNIT_REQUESTS;
    }
}

/* A request's own limit says no where no account does. */
static bool request_says_no(const struct places *places, enum unit unit, enum verdict verdict,
                            const int64_t need[UNIT_COUNT])
{
    if (places->request_limit[unit] == LIMIT_NONE)
        return false;
    if (verdict == VERDICT_NEVER_FITS)
        return need[unit] > places->request_limit[unit];
    return verdict == VERDICT_UNPRICED ? unit == UNIT_USD : unit != UNIT_REQUESTS;
}

static void fill_blocking(const struct core *core, const struct places *places,
                          const struct demand *demand, struct grant *grant)
{
    for (size_t at = 0; at < places->count; at++) {
        if (says_no(places->accounts[at], grant->verdict, demand->need)) {
            const struct account *account = places->accounts[at];
            int64_t lack = demand->need[account->unit] - account_left(account);
            view_refusal(core, account, lack, &grant->blocking);
            return;
        }
    }
    int unit = 0;
    while (!request_says_no(places, (enum unit)unit, grant->verdict, demand->need)) {
        unit++;
        ASSERT(unit < UNIT_COUNT);
    }
    if (places->request_budget[unit] == PLACES_OWN)
        view_own((enum unit)unit, places->request_limit[unit], &grant->blocking);
    else
        view_request(core, places->request_budget[unit], (enum unit)unit, &grant->blocking);
}

void core_refuse(const struct core *core, const struct places *places, enum verdict verdict,
                 const struct demand *demand, struct grant *grant)
{
    grant_clear(grant, verdict);
    grant->affordable_max_output = verdict == VERDICT_NEVER_FITS ? demand->affordable : 0;
    fill_blocking(core, places, demand, grant);
}

/* ---- reserving ---- */

static void reserve_crowded(struct core *core, const struct account_key *key, struct grant *grant)
{
    grant_clear(grant, VERDICT_CROWDED);
    view_absent(core, key, NULL, &grant->blocking);
}

/* Without others' holds it would be there, or would be granted; or is had without a store. */
static bool may_grow(const struct core *core, const struct places *places,
                     const int64_t need[UNIT_COUNT])
{
    for (size_t at = 0; core->options.leased && at < places->count; at++) {
        const struct account *account = places->accounts[at];
        if (!account_reaches(account, need[account->unit]) && !headroom_overdraws(core, account))
            return false;
    }
    return core->options.leased;
}

/* What an era before has left on sessions is of no use any more (headroom.h). */
static void shut_sessions(struct core *core, const struct places *places)
{
    bool apart = core->wall_s >= core->apart_s; /* nobody is granted anything there */
    bool lapses = core->accounts.era != 0 && !apart;
    for (size_t at = 0; lapses && at < places->count; at++)
        headroom_shut(&core->accounts, places->accounts[at]);
}

/* The store was not heard for so long that it may have forgotten these sessions, and waiting for it
 * is of no use. */
static bool refuse_parted(const struct core *core, const struct places *places,
                          const struct demand *demand, struct grant *grant)
{
    const struct account *account = core->parted ? places_apart(core, places, demand->need) : NULL;
    if (account == NULL)
        return false;
    grant_clear(grant, VERDICT_AWAY);
    view_refusal(core, account, 0, &grant->blocking);
    return true;
}

/* There is room by limits and spend; now the holds and the waiters decide. */
static void reserve_among_others(struct core *core, const struct ask *ask, struct places *places,
                                 const struct demand *demand, struct grant *grant)
{
    bool apart = places_apart(core, places, demand->need) != NULL;
    bool room = !apart && places_have_room(places, demand->need);
    if (room && !waiting_has_claim(places, demand->need)) {
        core_grant(core, ask, places, demand, grant);
        if (waiting_concerns(places))
            waiting_look(core);
        return;
    }
    bool growing = apart || may_grow(core, places, demand->need);
    if (growing)
        want_maximum(core, places, ask, demand, (const int64_t[UNIT_COUNT]){0});
    if (core->waiters.count >= core->options.max_waiting && !growing) {
        core_refuse(core, places, VERDICT_CONTENTION, demand, grant);
        places_unpin(places);
        return;
    }
    grant_clear(grant, VERDICT_WAIT);
    grant->growing = growing;
    grant->waiter = waiting_add(core, ask, places, demand);
}

/* A smaller input bound might change the answer for the better. */
static bool is_tight(const struct places *places, const struct demand *demand)
{
    if (demand->verdict == VERDICT_EXHAUSTED || demand->verdict == VERDICT_NEVER_FITS)
        return true;
    return demand->verdict == VERDICT_GRANTED &&
           (demand->max_output < demand->ceiling || !places_are_in_reach(places, demand->need) ||
            waiting_has_claim(places, demand->need));
}

void core_reserve(struct core *core, const struct ask *ask, struct grant *grant)
{
    struct places places;
    struct account_key key;
    core_see_time(core, ask->now_s);
    waiting_turn(core);
    if (!places_gather(core, ask->subject, &places, &key)) {
        reserve_crowded(core, &key, grant);
        places_unpin(&places);
        return;
    }
    places_gather_own(ask->own, &places);
    shut_sessions(core, &places);
    struct demand demand;
    demand_assess(&core->options, ask, &places, &demand);
    if (ask->may_recount && is_tight(&places, &demand)) {
        grant_clear(grant, VERDICT_RECOUNT);
        places_unpin(&places);
        return;
    }
    bool granted = demand.verdict == VERDICT_GRANTED;
    if (granted && !refuse_parted(core, &places, &demand, grant)) {
        reserve_among_others(core, ask, &places, &demand, grant);
        return;
    }
    if (!granted)
        core_refuse(core, &places, demand.verdict, &demand, grant);
    places_unpin(&places);
}

void core_prepare(struct core *core, const struct ask *ask)
{
    struct places places;
    struct account_key key;
    struct demand demand;
    if (!core->options.leased)
        return;
    core_see_time(core, ask->now_s);
    if (places_gather(core, ask->subject, &places, &key)) {
        places_gather_own(ask->own, &places);
        shut_sessions(core, &places);
        demand_assess(&core->options, ask, &places, &demand);
        if (demand.verdict == VERDICT_GRANTED)
            want_room(core, &places, demand.need);
    }
    places_unpin(&places);
}

void core_reserve_fact(struct core *core, const struct subject *subject, int64_t now_s,
                       struct grant *grant)
{
    core_rehold(core, subject, &(struct spend){{0}}, now_s, grant);
}

void core_rehold(struct core *core, const struct subject *subject, const struct spend *held,
                 int64_t now_s, struct grant *grant)
{
    static const struct hold terms = {.fact = true};
    struct places places;
    struct account_key key;
    core->now_s = core_believes_s(core, now_s);
    if (!places_gather(core, subject, &places, &key)) {
        reserve_crowded(core, &key, grant);
        places_unpin(&places);
        return;
    }
    grant_clear(grant, VERDICT_GRANTED);
    if (places.count > 0)
        take(core, &places, held->amount, &terms, grant);
}

/* ---- settling ---- */

/* What it did not use is left on the stake. */
static void book_stake(struct core *core, struct stake *stake, int64_t used)
{
    struct account *account = stake->account;
    int64_t unused = used < stake->amount ? stake->amount - used : 0;
    ASSERT(used >= 0);
    ASSERT(account->held >= stake->amount);
    group_take_out(account);
    account->held -= stake->amount;
    account->returning += unused;
    account->spent = account_add(account->spent, used, ACCOUNT_MOST);
    group_put_in(account);
    if (used > stake->amount)
        note_overrun(core, account);
    group_note_spent(account, core->event);
    account_note_use(account, core->now_s);
    account_check(account);
    stake->amount = unused;
}

void core_book(struct core *core, uint64_t id, const struct spend *used, struct money *over)
{
    struct hold *hold = roster_find(&core->holds, id);
    struct money above = MONEY_ZERO;
    ASSERT(hold != NULL);
    ASSERT(!hold->booked);
    hold->booked = true;
    core->booked++;
    core->event++;
    for (size_t at = 0; at < hold->count; at++) {
        struct stake *stake = &hold->stakes[at];
        int64_t amount = used->amount[stake->account->unit];
        if (stake->account->unit == UNIT_USD && amount > stake->amount)
            above = (struct money){amount - stake->amount};
        book_stake(core, stake, amount);
    }
    if (over != NULL)
        *over = above;
}

void core_release(struct core *core, uint64_t id)
{
    struct hold *hold = roster_find(&core->holds, id);
    size_t waiters = 0;
    ASSERT(hold != NULL);
    ASSERT(hold->booked);
    core->booked--;
    roster_remove(&core->holds, id);
    for (size_t at = 0; at < hold->count; at++) {
        const struct stake *stake = &hold->stakes[at];
        ASSERT(stake->account->returning >= stake->amount);
        group_take_out(stake->account);
        stake->account->returning -= stake->amount;
        group_put_in(stake->account);
        waiters += stake->account->line->waiters;
        stake->account->growing.kept = false;
        headroom_note_room(&core->accounts, stake->account);
        accounts_release(&core->accounts, stake->account);
    }
    free(hold);
    if (waiters > 0)
        waiting_look(core);
}

void core_settle(struct core *core, uint64_t id, const struct spend *used, struct money *over)
{
    core_book(core, id, used, over);
    core_release(core, id);
}

size_t core_open_holds(const struct core *core)
{
    return core->holds.count - core->booked;
}

size_t core_waiting(const struct core *core)
{
    return core->waiters.count;
}

bool core_any_usd(const struct core *core)
{
    for (size_t at = 0; at < core->options.budget_count; at++) {
        if (core->accounts.lanes[at].limits[UNIT_USD])
            return true;
    }
    return false;
}
