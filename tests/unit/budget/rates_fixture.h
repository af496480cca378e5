/*
 * What the tests of rate limits share: a few limits, a caller, and a clock that stands.
 */
#ifndef PURSER_TESTS_BUDGET_RATES_FIXTURE_H
#define PURSER_TESTS_BUDGET_RATES_FIXTURE_H

#include "../unit.h"
#include "budget/rates.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define CALLER (1u << SCOPE_GLOBAL | 1u << SCOPE_KEY | 1u << SCOPE_TEAM | 1u << SCOPE_TAG)
#define ROUTED (1u << SCOPE_MODEL | 1u << SCOPE_UPSTREAM)

struct fixture {
    struct rates_core *core;
    struct rate_limit limits[8];
    size_t limit_count;
    struct subject subject;
    int64_t now_us;
    struct rates_answer answer; /* the last one */
};

static inline struct fixture fixture_new(size_t most)
{
    struct fixture fixture = {.core = rates_open(most), .now_us = 1000 * SECOND};
    fixture.subject.id[SCOPE_GLOBAL] = TEXT("all");
    fixture.subject.id[SCOPE_KEY] = TEXT("alice");
    fixture.subject.id[SCOPE_TEAM] = TEXT("research");
    return fixture;
}

/* LIMIT_NONE: not limited. What is changed later must be sealed anew. */
static inline struct rate_limit *fixture_limit(struct fixture *fixture, enum scope scope,
                                               int64_t requests, int64_t tokens, int64_t parallel)
{
    struct rate_limit *limit = &fixture->limits[fixture->limit_count++];
    *limit = (struct rate_limit){.who = {.scope = scope}, .limit = {requests, tokens, parallel}};
    rates_seal(limit);
    return limit;
}

static inline enum rates_verdict fixture_enter(struct fixture *fixture, struct rates_pass **pass,
                                               unsigned scopes, int64_t tokens)
{
    const struct rates_ask ask = {
        .limits = fixture->limits,
        .limit_count = fixture->limit_count,
        .subject = &fixture->subject,
        .scopes = scopes,
        .tokens = tokens,
        .now_us = fixture->now_us,
    };
    rates_enter(fixture->core, pass, &ask, &fixture->answer);
    return fixture->answer.verdict;
}

/* A request that is over at once, and used what it took. */
static inline enum rates_verdict fixture_call(struct fixture *fixture, int64_t tokens)
{
    struct rates_pass *pass = NULL;
    enum rates_verdict verdict = fixture_enter(fixture, &pass, CALLER, tokens);
    rates_leave(fixture->core, pass, RATES_UNKNOWN, 0);
    return verdict;
}

static inline void fixture_close(struct fixture *fixture)
{
    ck_assert_uint_eq(rates_passes(fixture->core), 0);
    rates_close(fixture->core);
}

#endif
