/*
 * The worlds of the core's simulation: random budgets, prices and asks, and what is remembered of
 * them.
 */
#ifndef PURSER_TESTS_BUDGET_WORLD_H
#define PURSER_TESTS_BUDGET_WORLD_H

#include "../random.h"
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
    MUTANT_EARLY,            /* windows change an hour too early */
    MUTANT_SELFLESS,         /* a request's own limits are not looked at */
    MUTANT_IN_FULL,          /* slices are not looked at */
    MUTANT_EXTENDS_ON_PAPER, /* an extension is granted and not held */
    MUTANT_EXTENDS_LATE,     /* no extension as long as somebody waits */
    MUTANT_NO_WAIT,          /* who would wait is refused instead */
    MUTANT_COUNT
};

struct open_hold {
    uint64_t id;
    struct model_ask ask;
    int64_t max_output, held_output;
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
    return random_below(&world->random, bound);
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
                            .slice_tokens = chance(world, 50) ? 1 + below(world, 100) : 0,
                            .now_s = world->now_s};
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        bool limited = unit != UNIT_REQUESTS && chance(world, 10);
        ask->own.limit[unit] = limited ? below(world, 1500) : LIMIT_NONE;
    }
    if (chance(world, 5)) /* it needs nothing but a request */
        ask->ask.bound = (struct bound){.choices = 1, .output_free = true};
    if (chance(world, 3))
        ask->ask.price = NULL;
    if (chance(world, 1))
        ask->ask.bound.input_tokens = INT64_MAX;
    ask->ask.cookie = (struct cookie){.owner = world, .number = ++world->last_number};
}

#endif
