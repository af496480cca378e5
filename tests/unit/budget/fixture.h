/*
 * What the budget tests share: a core over a few budgets, and asks whose cost is easy to work out.
 * Input costs 1 nano-dollar a token, output 2; so an ask for (i, o) holds i + 2·o nano-dollars,
 * i + o tokens and one request.
 */
#ifndef PURSER_TESTS_BUDGET_FIXTURE_H
#define PURSER_TESTS_BUDGET_FIXTURE_H

#include "../unit.h"
#include "budget/core.h"

#define NOON_S INT64_C(1795262400) /* 2026-11-21 12:00 UTC, a Saturday */
#define DAY_S  86400

struct fixture {
    struct zone *zone;
    struct budget budgets[8];
    struct core_options options;
    struct core *core;
    struct price price;
    struct subject subject;
    int64_t now_s;
    struct grant grant; /* the last one */
};

static inline struct price fixture_price(int64_t input_nano, int64_t output_nano)
{
    struct price price = {.tier_count = 1};
    price.tiers[0].above_input_tokens = -1;
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++)
        price.tiers[0].rates.pico[bucket] =
            1000 *
            (bucket == BUCKET_OUTPUT || bucket == BUCKET_AUDIO_OUTPUT ? output_nano : input_nano);
    return price;
}

static inline struct fixture fixture_new(void)
{
    struct fixture fixture = {.now_s = NOON_S, .price = fixture_price(1, 2)};
    fixture.zone = zone_open(NULL, TEXT("UTC"), NULL);
    ck_assert_ptr_nonnull(fixture.zone);
    fixture.options = (struct core_options){
        .clamp = CLAMP_ALWAYS, .min_output_tokens = 10, .max_waiting = 8, .max_accounts = 100};
    fixture.subject.id[SCOPE_GLOBAL] = TEXT("all");
    fixture.subject.id[SCOPE_KEY] = TEXT("alice");
    fixture.subject.id[SCOPE_TEAM] = TEXT("research");
    fixture.subject.id[SCOPE_SESSION] = TEXT("alice/nightly");
    return fixture;
}

/* Adds a daily budget; the caller may change what is returned before fixture_start. */
static inline struct budget *fixture_budget(struct fixture *fixture, const char *name,
                                            enum scope scope, enum unit unit, int64_t limit)
{
    struct budget *budget = &fixture->budgets[fixture->options.budget_count++];
    *budget = (struct budget){.name = text_of(name),
                              .scope = scope,
                              .window = WINDOW_DAY,
                              .timezone = TEXT("UTC"),
                              .zone = fixture->zone,
                              .limit = {LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}};
    budget->limit[unit] = limit;
    return budget;
}

static inline void fixture_start(struct fixture *fixture)
{
    fixture->options.budgets = fixture->budgets;
    fixture->core = core_open(&fixture->options);
}

static inline void fixture_end(struct fixture *fixture)
{
    core_close(fixture->core);
    zone_close(fixture->zone);
}

static inline struct ask fixture_ask(struct fixture *fixture, int64_t input, int64_t output)
{
    return (struct ask){.subject = &fixture->subject,
                        .price = &fixture->price,
                        .bound = {.input_tokens = input, .choices = 1},
                        .wanted_output = output,
                        .named = true,
                        .now_s = fixture->now_s};
}

/* Reserves as `ask` says; the answer is fixture->grant, too. */
static inline enum verdict fixture_reserve_ask(struct fixture *fixture, const struct ask *ask)
{
    core_reserve(fixture->core, ask, &fixture->grant);
    return fixture->grant.verdict;
}

/* Input 0, so that `output` tokens cost twice as many nano-dollars. */
static inline enum verdict fixture_reserve(struct fixture *fixture, int64_t output)
{
    struct ask ask = fixture_ask(fixture, 0, output);
    return fixture_reserve_ask(fixture, &ask);
}

/* Reserves what must be granted; returns the hold. */
static inline uint64_t fixture_hold(struct fixture *fixture, int64_t output)
{
    ck_assert_int_eq(fixture_reserve(fixture, output), VERDICT_GRANTED);
    return fixture->grant.hold;
}

/* Asks for what must wait; returns the waiter. Its cookie is `number`. */
static inline uint64_t fixture_wait(struct fixture *fixture, int64_t output, uint64_t number)
{
    struct ask ask = fixture_ask(fixture, 0, output);
    ask.cookie.number = number;
    ck_assert_int_eq(fixture_reserve_ask(fixture, &ask), VERDICT_WAIT);
    return fixture->grant.waiter;
}

static inline void fixture_settle(struct fixture *fixture, uint64_t hold, int64_t used)
{
    struct spend spend = {.amount = {used, used, 1}};
    core_settle(fixture->core, hold, &spend, NULL);
}

/* The next wake's cookie, its grant in fixture->grant; 0: none. */
static inline uint64_t fixture_wake(struct fixture *fixture)
{
    struct cookie cookie;
    return core_next_wake(fixture->core, &cookie, &fixture->grant) ? cookie.number : 0;
}

/* The `at`th account of the subject's view. */
static inline struct account_view fixture_view(struct fixture *fixture, size_t at)
{
    struct account_view views[16];
    size_t count = core_view(fixture->core, &fixture->subject, false, fixture->now_s, views, 16);
    ck_assert_uint_lt(at, count);
    return views[at];
}

#endif
