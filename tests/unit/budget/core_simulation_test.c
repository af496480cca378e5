/*
 * A seeded simulation of the budget core: random budgets, asks, settlements (bills above the hold
 * included), waits, time-ups, leaves and clocks, compared with the model at every step.
 *
 *     I1    spent + held ≤ limit + over on every account
 *     I6    held = the open holds' charges; spent = the sum of the settlements
 *     all or none: a grant charges exactly the accounts it should, a refusal none
 *     nobody takes from an account that somebody who came before waits for
 *     nobody is kept waiting who has nobody before him and room enough
 *     in the end nothing is held and nobody waits
 *
 * SEEDS=n runs n seeds, SEED=n only that one. The mutants at the end prove that it can fail.
 */
#include "../unit.h"
#include "model.h"

#include <stdio.h>

enum { STEPS = 250, MOST_HOLDS = 512, MOST_WAITERS = 64, MOST_VIEWS = MODEL_ACCOUNTS };

enum mutant {
    MUTANT_NONE,
    MUTANT_VOIDS,          /* a settlement books nothing */
    MUTANT_FORGETS_UNITS,  /* a settlement books no tokens */
    MUTANT_LEAKS,          /* a settlement is lost now and then */
    MUTANT_SWALLOWS_WAKES, /* a wake is lost now and then */
    MUTANT_OVERTAKES,      /* whoever comes is served before the first who waits */
    MUTANT_PARTIAL,        /* a grant leaves its last account out */
    MUTANT_UNDERHOLDS,     /* one input token is not held */
    MUTANT_LIMIT_PLUS_ONE,
    MUTANT_EARLY,   /* windows change an hour too early */
    MUTANT_NO_WAIT, /* who would wait is refused instead */
    MUTANT_COUNT
};

struct open_hold {
    uint64_t id;
    struct model_ask ask;
    int64_t max_output;
};

struct waiting {
    uint64_t id;
    uint64_t number; /* its cookie; grows with the arrival */
    struct model_ask ask;
};

struct world {
    uint64_t random;
    enum mutant mutant;
    struct zone *zone;
    struct budget budgets[8], wrong_budgets[8];
    struct budget_override overrides[8];
    struct budget_match matches[8];
    struct core_options options;
    struct price prices[3];
    struct core *core;
    struct model model;
    struct open_hold holds[MOST_HOLDS];
    size_t hold_count;
    struct waiting waiters[MOST_WAITERS]; /* in the order of arrival */
    size_t waiter_count;
    uint64_t last_number;
    int64_t now_s, told_s;
    bool clock_goes_back;
    struct grant grant;
    struct account_view views[MOST_VIEWS];
    char failure[200]; /* empty: none so far */
};

#define EXPECT(world, condition)                                                                   \
    do {                                                                                           \
        if (!(condition) && (world)->failure[0] == 0)                                              \
            snprintf((world)->failure, sizeof((world)->failure), "%s (line %d)", #condition,       \
                     __LINE__);                                                                    \
    } while (0)

/* ---- chance ---- */

static int64_t below(struct world *world, int64_t bound)
{
    return (int64_t)(model_random(&world->random) % (uint64_t)bound);
}

static bool chance(struct world *world, int percent)
{
    return below(world, 100) < percent;
}

static struct text pick(struct world *world, const char *const *names, int64_t count)
{
    return text_of(names[below(world, count)]);
}

/* ---- making a world ---- */

static const char *const KEYS[] = {"alice", "bob"};
static const char *const TEAMS[] = {"research", "sales", "support"};
static const char *const SESSIONS[] = {"alice/1", "alice/2", "bob/1"};
static const char *const TAGS[] = {"red", "green", "blue"};
static const char *const MODELS[] = {"large", "small"};
static const char *const NAMES[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static struct price random_price(struct world *world)
{
    struct price price = {.tier_count = 1 + (int)below(world, 2)};
    for (int tier = 0; tier < price.tier_count; tier++) {
        price.tiers[tier].above_input_tokens = tier == 0 ? -1 : 100;
        for (int bucket = 0; bucket < BUCKET_COUNT; bucket++)
            price.tiers[tier].rates.pico[bucket] = below(world, 4) * 700;
    }
    return price;
}

static int64_t random_limit(struct world *world, enum unit unit)
{
    static const int64_t MOST[UNIT_COUNT] = {12000, 8000, 60};
    return chance(world, 2) ? 0 : MOST[unit] / 10 + below(world, MOST[unit]);
}

/* Every budget has a scope or window of its own, so that no two share accounts. */
static void random_budget(struct world *world, size_t at)
{
    static const enum scope SCOPES[] = {SCOPE_GLOBAL, SCOPE_KEY,   SCOPE_TEAM,    SCOPE_SESSION,
                                        SCOPE_TAG,    SCOPE_MODEL, SCOPE_REQUEST, SCOPE_GLOBAL};
    struct budget *budget = &world->budgets[at];
    *budget = (struct budget){.name = text_of(NAMES[at]),
                              .scope = SCOPES[at],
                              .window = (enum window_kind)below(world, WINDOW_TOTAL + 1),
                              .timezone = TEXT("UTC"),
                              .zone = world->zone,
                              .buffer_bp = chance(world, 30) ? 1000 : 0,
                              .limit = {LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}};
    enum unit unit = (enum unit)below(world, UNIT_COUNT);
    budget->limit[unit] = random_limit(world, unit);
    if (chance(world, 30))
        budget->limit[UNIT_USD] = random_limit(world, UNIT_USD);
    if (budget->scope == SCOPE_SESSION && !world->clock_goes_back)
        budget->idle_s = 1800;
    if (budget->scope == SCOPE_TEAM) {
        world->overrides[at] = (struct budget_override){TEXT("sales"), {500, LIMIT_NONE, 3}};
        budget->overrides = &world->overrides[at];
        budget->override_count = 1;
    }
    if (at == 7) {
        world->matches[at] = (struct budget_match){SCOPE_KEY, TEXT("al*")};
        budget->match = &world->matches[at];
        budget->match_count = 1;
    }
}

/* The budgets as the core gets them: a mutant's are wrong. Absent ones are left out by chance. */
static void random_budgets(struct world *world)
{
    size_t count = 0;
    for (size_t at = 0; at < 8; at++) {
        random_budget(world, at);
        if (chance(world, 60))
            world->budgets[count++] = world->budgets[at];
    }
    world->options.budget_count = count;
    memcpy(world->wrong_budgets, world->budgets, sizeof(world->budgets));
    for (size_t at = 0; at < count && world->mutant == MUTANT_LIMIT_PLUS_ONE; at++) {
        for (int unit = 0; unit < UNIT_COUNT; unit++)
            world->wrong_budgets[at].limit[unit] += world->budgets[at].limit[unit] > 0 ? 1 : 0;
    }
}

static struct world *world_open(uint64_t seed, enum mutant mutant)
{
    struct world *world = memory_new(sizeof(*world));
    world->random = seed;
    world->mutant = mutant;
    world->zone = zone_open(NULL, TEXT("UTC"), NULL);
    world->now_s = INT64_C(1795262400) + below(world, 86400);
    world->clock_goes_back = chance(world, 30);
    for (size_t at = 0; at < 3; at++)
        world->prices[at] = random_price(world);
    random_budgets(world);
    world->options.budgets = world->budgets;
    world->options.clamp = (enum clamp)below(world, 3);
    world->options.min_output_tokens = below(world, 30);
    world->options.default_max_output = chance(world, 30) ? 1 + below(world, 300) : 0;
    world->options.max_waiting = (size_t)(chance(world, 20) ? 2 : MOST_WAITERS);
    world->options.max_accounts = MODEL_ACCOUNTS;
    world->model.options = &world->options;
    struct core_options options = world->options;
    options.budgets = world->wrong_budgets;
    world->core = core_open(&options);
    return world;
}

static void world_close(struct world *world)
{
    core_close(world->core);
    zone_close(world->zone);
    free(world);
}

/* ---- asks ---- */

static void random_subject(struct world *world, struct subject *subject)
{
    *subject = (struct subject){0};
    subject->id[SCOPE_GLOBAL] = TEXT("all");
    subject->id[SCOPE_KEY] = pick(world, KEYS, 2);
    subject->id[SCOPE_TEAM] = pick(world, TEAMS, 3);
    subject->id[SCOPE_MODEL] = pick(world, MODELS, 2);
    if (chance(world, 70))
        subject->id[SCOPE_SESSION] = pick(world, SESSIONS, 3);
    while (subject->tag_count < 3 && chance(world, 40))
        subject->tags[subject->tag_count++] = pick(world, TAGS, 3);
}

static int64_t random_output(struct world *world)
{
    if (chance(world, 15))
        return INT64_MAX;
    return below(world, chance(world, 20) ? 5000 : 400);
}

static void random_ask(struct world *world, struct model_ask *ask)
{
    random_subject(world, &ask->subject);
    ask->ask = (struct ask){.price = &world->prices[below(world, 3)],
                            .bound = {.input_tokens = below(world, 150),
                                      .choices = chance(world, 80) ? 1 : 1 + below(world, 4),
                                      .extra_output = chance(world, 90) ? 0 : below(world, 50),
                                      .output_free = chance(world, 10)},
                            .wanted_output = random_output(world),
                            .named = chance(world, 60),
                            .unbounded = chance(world, 2),
                            .now_s = world->now_s};
    if (chance(world, 5)) /* it needs nothing but a request */
        ask->ask.bound = (struct bound){.choices = 1, .output_free = true};
    if (chance(world, 3))
        ask->ask.price = NULL;
    if (chance(world, 1))
        ask->ask.bound.input_tokens = INT64_MAX;
    ask->ask.cookie = (struct cookie){.owner = world, .number = ++world->last_number};
}

/* ---- checks ---- */

static void check_charges(struct world *world, const struct model_ask *ask)
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
        EXPECT(world, charge->amount == model_need(ask, charge->unit, grant->max_output));
        EXPECT(world, charge->until_s == model_until_s(&world->model, account));
    }
}

/* A grant of `max_output`, to one with this place in the order of arrival. */
static void take_grant(struct world *world, const struct model_ask *ask, int64_t max_output)
{
    const struct model_demand demand = model_assess(&world->model, ask);
    EXPECT(world, world->grant.max_output == max_output);
    if (world->failure[0] != 0)
        return;
    EXPECT(world, world->grant.clamped == (max_output < demand.ceiling));
    EXPECT(world, model_fits(&world->model, ask, max_output, ROOM_FREE));
    for (size_t at = 0; at < world->waiter_count; at++) {
        if (world->waiters[at].number < ask->ask.cookie.number)
            EXPECT(world,
                   !model_is_in_the_way(&world->model, &world->waiters[at].ask, ask, max_output));
    }
    check_charges(world, ask);
    if (world->grant.hold == 0 || world->hold_count == MOST_HOLDS)
        return;
    for (size_t at = 0; at < ask->count; at++) {
        struct model_account *account = &world->model.accounts[ask->accounts[at]];
        account->held += model_need(ask, account->unit, max_output);
        account->pins++;
    }
    world->holds[world->hold_count++] =
        (struct open_hold){.id = world->grant.hold, .ask = *ask, .max_output = max_output};
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
        take_grant(world, ask, demand.max_output);
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
                          !model_fits(&world->model, ask, demand.max_output, ROOM_FREE));
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
    EXPECT(world, shares || !model_fits(&world->model, &ask, demand.max_output, ROOM_FREE));
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
            random_use(world, model_need(&hold.ask, (enum unit)unit, hold.max_output));
    for (size_t i = 0; i < hold.ask.count; i++) {
        struct model_account *account = &world->model.accounts[hold.ask.accounts[i]];
        int64_t held = model_need(&hold.ask, account->unit, hold.max_output);
        int64_t amount = used.amount[account->unit];
        account->held -= held;
        account->spent += amount;
        account->over += amount > held ? amount - held : 0;
        account->pins--;
        if (account->used_s < world->told_s)
            account->used_s = world->told_s;
    }
    world->holds[at] = world->holds[--world->hold_count];
    engine_settle(world, hold.id, &used);
}

static void step_settle(struct world *world)
{
    if (world->hold_count > 0)
        settle_at(world, (size_t)below(world, (int64_t)world->hold_count));
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
        take_grant(world, &ask, model_largest(&world->model, &ask, demand.max_output, ROOM_FREE));
        EXPECT(world, demand.may_clamp && world->grant.max_output >= demand.least);
    } else if (demand.verdict != VERDICT_GRANTED) {
        EXPECT(world, verdict == demand.verdict);
    } else {
        EXPECT(world, verdict == VERDICT_CONTENTION);
        int64_t free = model_largest(&world->model, &ask, demand.max_output, ROOM_FREE);
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
    if (what < 50)
        step_reserve(world);
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
    uint64_t count = getenv("SEED") != NULL ? 1 : from_environment("SEEDS", 60);
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
