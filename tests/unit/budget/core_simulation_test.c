/*
 * A seeded simulation of the budget core: random budgets, asks, extensions, settlements (bills
 * above the hold included), waits, time-ups, leaves and clocks, compared with the model at every
 * step.
 *
 *     I1    spent + held ≤ limit + over on every account
 *     I6    held = the open holds' charges; spent = the sum of the settlements
 *     all or none: a grant charges exactly the accounts it should, a refusal none
 *     nobody takes from an account that somebody who came before waits for
 *     an extension is all or none too, and asks nobody who waits
 *     nobody is kept waiting who has nobody before him and room enough
 *     in the end nothing is held and nobody waits
 *
 * SEEDS=n runs n seeds, SEED=n only that one. The mutants at the end prove that it can fail.
 */
#include "../unit.h"
#include "world.h"

/* ---- checks ---- */

static void note_used(struct world *world, const struct model_ask *ask)
{
    for (size_t at = 0; at < ask->count; at++) {
        struct model_account *account = &world->model.accounts[ask->accounts[at]];
        if (account->used_s < world->told_s)
            account->used_s = world->told_s;
    }
}

static void check_charges(struct world *world, const struct model_ask *ask, int64_t held_output)
{
    const struct grant *grant = &world->grant;
    EXPECT(world, grant->charge_count == ask->count);
    EXPECT(world, (grant->hold != 0) == (ask->count > 0));
    for (size_t at = 0; at < grant->charge_count && world->failure[0] == 0; at++) {
        const struct charge *charge = &grant->charges[at];
        struct model_account *account =
            model_find(&world->model, model_budget(&world->model, charge->budget), charge->unit,
                       charge->id, charge->window);
        size_t found = 0;
        for (size_t other = 0; other < ask->count; other++)
            found += &world->model.accounts[ask->accounts[other]] == account ? 1 : 0;
        EXPECT(world, found == 1);
        if (found != 1)
            return;
        EXPECT(world, account->number == 0 || account->number == charge->account);
        account->number = charge->account;
        EXPECT(world, charge->amount == model_need(ask, charge->unit, held_output));
        EXPECT(world, charge->until_s == model_until_s(&world->model, account));
    }
}

/* A grant of what the demand says, to one with this place in the order of arrival. */
static void take_grant(struct world *world, const struct model_ask *ask,
                       const struct model_demand *demand)
{
    int64_t held_output = demand->held_output;
    EXPECT(world, world->grant.max_output == demand->max_output);
    EXPECT(world, world->grant.held_output == held_output);
    if (world->failure[0] != 0)
        return;
    EXPECT(world, world->grant.clamped == (demand->max_output < demand->ceiling));
    EXPECT(world, model_fits(&world->model, ask, held_output, ROOM_FREE));
    for (size_t at = 0; at < world->waiter_count; at++) {
        if (world->waiters[at].number < ask->ask.cookie.number)
            EXPECT(world,
                   !model_is_in_the_way(&world->model, &world->waiters[at].ask, ask, held_output));
    }
    note_used(world, ask);
    check_charges(world, ask, held_output);
    if (world->grant.hold == 0 || world->hold_count == MOST_HOLDS)
        return;
    for (size_t at = 0; at < ask->count; at++) {
        struct model_account *account = &world->model.accounts[ask->accounts[at]];
        account->held += model_need(ask, account->unit, held_output);
        account->pins++;
    }
    world->holds[world->hold_count++] = (struct open_hold){.id = world->grant.hold,
                                                           .ask = *ask,
                                                           .max_output = demand->max_output,
                                                           .held_output = held_output};
}

static void remove_waiter(struct world *world, size_t at)
{
    const struct model_ask *ask = &world->waiters[at].ask;
    for (size_t i = 0; i < ask->count; i++)
        world->model.accounts[ask->accounts[i]].pins--;
    world->waiter_count--;
    memmove(&world->waiters[at], &world->waiters[at + 1],
            (world->waiter_count - at) * sizeof(world->waiters[0]));
}

static void take_decision(struct world *world, const struct model_ask *ask)
{
    struct model_demand demand = model_assess(&world->model, ask);
    EXPECT(world, world->grant.verdict == demand.verdict);
    if (world->grant.verdict == VERDICT_GRANTED && world->failure[0] == 0)
        take_grant(world, ask, &demand);
}

static void take_wakes(struct world *world)
{
    struct cookie cookie;
    while (core_next_wake(world->core, &cookie, &world->grant)) {
        if (world->mutant == MUTANT_SWALLOWS_WAKES && chance(world, 20))
            continue;
        size_t at = 0;
        while (at < world->waiter_count && world->waiters[at].number != cookie.number)
            at++;
        EXPECT(world, at < world->waiter_count);
        EXPECT(world, cookie.owner == world);
        if (world->failure[0] != 0)
            return;
        struct model_ask ask = world->waiters[at].ask;
        remove_waiter(world, at);
        take_decision(world, &ask);
    }
}

static bool has_one_before(const struct world *world, size_t waiter)
{
    for (size_t at = 0; at < waiter; at++) {
        if (model_share(&world->model, &world->waiters[at].ask, &world->waiters[waiter].ask))
            return true;
    }
    return false;
}

static void check_waiters(struct world *world)
{
    EXPECT(world, core_waiting(world->core) == world->waiter_count);
    EXPECT(world, world->hold_count > 0 || world->waiter_count == 0);
    for (size_t at = 0; at < world->waiter_count; at++) {
        const struct model_ask *ask = &world->waiters[at].ask;
        if (has_one_before(world, at))
            continue;
        struct model_demand demand = model_assess(&world->model, ask);
        EXPECT(world, demand.verdict == VERDICT_GRANTED);
        EXPECT(world, demand.verdict != VERDICT_GRANTED ||
                          !model_fits(&world->model, ask, demand.held_output, ROOM_FREE));
    }
}

static void check_world(struct world *world)
{
    size_t count = core_view(world->core, NULL, true, world->told_s, world->views, MOST_VIEWS);
    size_t with_holds = 0;
    for (size_t at = 0; at < count; at++) {
        EXPECT(world, model_agrees(&world->model, &world->views[at], world->told_s));
        with_holds += world->views[at].held > 0 ? 1 : 0;
    }
    for (size_t at = 0; at < world->model.count; at++)
        with_holds -= world->model.accounts[at].held > 0 ? 1 : 0;
    EXPECT(world, with_holds == 0);
    EXPECT(world, core_open_holds(world->core) == world->hold_count);
    check_waiters(world);
}

/* ---- the core as the world sees it, right or mutated ---- */

static void engine_reserve(struct world *world, const struct model_ask *ask)
{
    struct ask given = ask->ask;
    given.subject = &ask->subject;
    given.own = world->mutant == MUTANT_SELFLESS ? NULL : &ask->own;
    given.slice_tokens = world->mutant == MUTANT_IN_FULL ? 0 : given.slice_tokens;
    if (world->mutant == MUTANT_UNDERHOLDS && given.bound.input_tokens < INT64_MAX)
        given.bound.input_tokens -= given.bound.input_tokens > 0 ? 1 : 0;
    given.now_s += world->mutant == MUTANT_EARLY ? 3600 : 0;
    struct waiting *first = &world->waiters[0];
    bool overtakes = world->mutant == MUTANT_OVERTAKES && world->waiter_count > 0 &&
                     core_leave(world->core, first->id);
    core_reserve(world->core, &given, &world->grant);
    if (overtakes) {
        struct grant again;
        struct ask late = first->ask.ask;
        late.subject = &first->ask.subject;
        late.own = &first->ask.own;
        core_reserve(world->core, &late, &again);
        first->id = again.waiter;
    }
    if (world->mutant == MUTANT_PARTIAL && world->grant.verdict == VERDICT_GRANTED &&
        world->grant.charge_count > 1)
        world->grant.charge_count--;
    if (world->mutant == MUTANT_NO_WAIT && world->grant.verdict == VERDICT_WAIT) {
        core_leave(world->core, world->grant.waiter);
        world->grant.verdict = VERDICT_EXHAUSTED;
    }
}

static void engine_extend(struct world *world, const struct open_hold *hold, int64_t output)
{
    struct grant before;
    if (world->mutant == MUTANT_EXTENDS_LATE && world->waiter_count > 0) {
        world->grant.verdict = VERDICT_CONTENTION;
        return;
    }
    if (world->mutant != MUTANT_EXTENDS_ON_PAPER) {
        core_extend(world->core, hold->id, output, &world->grant);
        return;
    }
    core_extend(world->core, hold->id, 0, &before);
    world->grant = before;
    world->grant.held_output = output < before.max_output ? output : before.max_output;
    for (size_t at = 0; at < before.charge_count; at++)
        world->grant.charges[at].amount =
            model_need(&hold->ask, before.charges[at].unit, world->grant.held_output);
}

static void engine_settle(struct world *world, uint64_t hold, const struct spend *used)
{
    struct spend given = *used;
    if (world->mutant == MUTANT_VOIDS)
        given = (struct spend){0};
    if (world->mutant == MUTANT_FORGETS_UNITS)
        given.amount[UNIT_TOKENS] = 0;
    if (world->mutant == MUTANT_LEAKS && chance(world, 10))
        return;
    struct money over;
    core_settle(world->core, hold, &given, &over);
}

/* ---- steps ---- */

static void step_reserve(struct world *world)
{
    struct model_ask ask;
    if (world->hold_count == MOST_HOLDS || world->waiter_count == MOST_WAITERS)
        return;
    random_ask(world, &ask);
    world->told_s = world->now_s;
    model_gather(&world->model, &ask);
    engine_reserve(world, &ask);
    enum verdict verdict = world->grant.verdict;
    if (verdict != VERDICT_WAIT && verdict != VERDICT_CONTENTION) {
        take_decision(world, &ask);
        return;
    }
    struct model_demand demand = model_assess(&world->model, &ask);
    bool shares = false;
    for (size_t at = 0; at < world->waiter_count; at++)
        shares = shares || model_share(&world->model, &world->waiters[at].ask, &ask);
    EXPECT(world, demand.verdict == VERDICT_GRANTED);
    if (world->failure[0] != 0)
        return;
    EXPECT(world, shares || !model_fits(&world->model, &ask, demand.held_output, ROOM_FREE));
    EXPECT(world,
           (verdict == VERDICT_CONTENTION) == (world->waiter_count == world->options.max_waiting));
    if (verdict != VERDICT_WAIT)
        return;
    for (size_t at = 0; at < ask.count; at++)
        world->model.accounts[ask.accounts[at]].pins++;
    world->waiters[world->waiter_count++] =
        (struct waiting){.id = world->grant.waiter, .number = ask.ask.cookie.number, .ask = ask};
}

static int64_t random_use(struct world *world, int64_t held)
{
    if (chance(world, 10))
        return held + below(world, 300);
    return chance(world, 30) ? held : below(world, held + 1);
}

static void settle_at(struct world *world, size_t at)
{
    struct open_hold hold = world->holds[at];
    struct spend used;
    for (int unit = 0; unit < UNIT_COUNT; unit++)
        used.amount[unit] =
            random_use(world, model_need(&hold.ask, (enum unit)unit, hold.held_output));
    for (size_t i = 0; i < hold.ask.count; i++) {
        struct model_account *account = &world->model.accounts[hold.ask.accounts[i]];
        int64_t held = model_need(&hold.ask, account->unit, hold.held_output);
        int64_t amount = used.amount[account->unit];
        account->held -= held;
        account->spent += amount;
        account->over += amount > held ? amount - held : 0;
        account->pins--;
    }
    note_used(world, &hold.ask);
    world->holds[at] = world->holds[--world->hold_count];
    engine_settle(world, hold.id, &used);
}

static void step_settle(struct world *world)
{
    if (world->hold_count > 0)
        settle_at(world, (size_t)below(world, (int64_t)world->hold_count));
}

/* What an extension of the hold must come to. */
static enum verdict expected_extension(const struct world *world, const struct open_hold *hold,
                                       int64_t output)
{
    enum verdict verdict = VERDICT_GRANTED;
    for (size_t at = 0; at < hold->ask.count; at++) {
        const struct model_account *account = &world->model.accounts[hold->ask.accounts[at]];
        int64_t need = model_need(&hold->ask, account->unit, output);
        int64_t more = need - model_need(&hold->ask, account->unit, hold->held_output);
        int64_t left = account->limit - account->spent;
        if (!model_lacks(more, left - account->held))
            continue;
        if (need > left)
            return VERDICT_EXHAUSTED;
        verdict = VERDICT_CONTENTION;
    }
    return verdict;
}

static void take_extension(struct world *world, struct open_hold *hold, int64_t output)
{
    for (size_t at = 0; at < hold->ask.count; at++) {
        struct model_account *account = &world->model.accounts[hold->ask.accounts[at]];
        account->held += model_need(&hold->ask, account->unit, output) -
                         model_need(&hold->ask, account->unit, hold->held_output);
    }
    hold->held_output = output;
}

static void step_extend(struct world *world)
{
    if (world->hold_count == 0)
        return;
    struct open_hold *hold = &world->holds[below(world, (int64_t)world->hold_count)];
    int64_t most = hold->max_output < 6000 ? hold->max_output : 6000;
    int64_t output = below(world, most + most / 4 + 1);
    int64_t goal = output < hold->max_output ? output : hold->max_output;
    goal = goal < hold->held_output ? hold->held_output : goal;
    engine_extend(world, hold, output);
    EXPECT(world, world->grant.verdict == expected_extension(world, hold, goal));
    if (world->grant.verdict != VERDICT_GRANTED || world->failure[0] != 0)
        return;
    take_extension(world, hold, goal);
    EXPECT(world, world->grant.hold == hold->id);
    EXPECT(world, world->grant.max_output == hold->max_output);
    EXPECT(world, world->grant.held_output == hold->held_output);
    check_charges(world, &hold->ask, hold->held_output);
}

static void step_time_is_up(struct world *world)
{
    if (world->waiter_count == 0)
        return;
    size_t at = (size_t)below(world, (int64_t)world->waiter_count);
    struct model_ask ask = world->waiters[at].ask;
    world->told_s = world->now_s;
    bool undecided =
        core_time_is_up(world->core, world->waiters[at].id, world->now_s, &world->grant);
    EXPECT(world, undecided); /* or its wake did not come */
    if (!undecided)
        return;
    bool before = has_one_before(world, at);
    remove_waiter(world, at);
    struct model_demand demand = model_assess(&world->model, &ask);
    enum verdict verdict = world->grant.verdict;
    if (verdict == VERDICT_GRANTED) {
        int64_t free = model_largest(&world->model, &ask, demand.held_output, ROOM_FREE);
        demand.held_output = free;
        demand.max_output = demand.rolling ? demand.max_output : free;
        take_grant(world, &ask, &demand);
        EXPECT(world, demand.may_clamp && free >= demand.least);
    } else if (demand.verdict != VERDICT_GRANTED) {
        EXPECT(world, verdict == demand.verdict);
    } else {
        EXPECT(world, verdict == VERDICT_CONTENTION);
        int64_t free = model_largest(&world->model, &ask, demand.held_output, ROOM_FREE);
        EXPECT(world, before || !demand.may_clamp || free < demand.least);
    }
}

static void step_leave(struct world *world)
{
    if (world->waiter_count == 0)
        return;
    size_t at = (size_t)below(world, (int64_t)world->waiter_count);
    EXPECT(world, core_leave(world->core, world->waiters[at].id));
    remove_waiter(world, at);
}

static void step_clock(struct world *world)
{
    if (world->clock_goes_back && chance(world, 30))
        world->now_s -= below(world, 7200);
    else
        world->now_s += below(world, chance(world, 20) ? 3 * 86400 : 1800);
}

static void step(struct world *world)
{
    int64_t what = below(world, 100);
    if (what < 45)
        step_reserve(world);
    else if (what < 55)
        step_extend(world);
    else if (what < 75)
        step_settle(world);
    else if (what < 85)
        step_time_is_up(world);
    else if (what < 90)
        step_leave(world);
    else
        step_clock(world);
    if (world->failure[0] == 0)
        take_wakes(world);
    if (world->failure[0] == 0)
        check_world(world);
}

/* ---- runs ---- */

/* False: it failed; `failure` (200 bytes) says where. */
static bool run(uint64_t seed, enum mutant mutant, char *failure)
{
    struct world *world = world_open(seed, mutant);
    for (int i = 0; i < STEPS && world->failure[0] == 0; i++)
        step(world);
    while (world->hold_count > 0 && world->failure[0] == 0) {
        settle_at(world, 0);
        take_wakes(world);
        if (world->failure[0] == 0)
            check_world(world);
    }
    bool good = world->failure[0] == 0;
    memcpy(failure, world->failure, sizeof(world->failure));
    world_close(world);
    return good;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    int64_t number = 0;
    return value != NULL && text_to_int(text_of(value), &number) ? (uint64_t)number : otherwise;
}

START_TEST(the_core_does_what_the_model_does)
{
    uint64_t first = from_environment("SEED", 1);
    uint64_t count = getenv("SEED") != NULL ? 1 : from_environment("SEEDS", 100);
    char failure[200];
    for (uint64_t seed = first; seed < first + count; seed++)
        ck_assert_msg(run(seed, MUTANT_NONE, failure), "SEED=%lu: %s", (unsigned long)seed,
                      failure);
}
END_TEST

START_TEST(every_mutant_is_caught)
{
    char failure[200];
    for (int mutant = MUTANT_NONE + 1; mutant < MUTANT_COUNT; mutant++) {
        uint64_t seed = 1;
        while (seed <= 200 && run(seed, (enum mutant)mutant, failure))
            seed++;
        ck_assert_msg(seed <= 200, "mutant %d lives", mutant);
    }
}
END_TEST

UNIT_MAIN(the_core_does_what_the_model_does, every_mutant_is_caught)
