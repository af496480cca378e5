/*
 * Rate limits under random arrivals: what passes is written down, and no span of 60 seconds has
 * more of it than the limit, wherever it begins; of what could pass at least nine tenths do. The
 * same for several instances that share a limit through a lessor.
 */
#include <stdio.h>

#include "budget/rates_lessee.h"
#include "rates_fixture.h"

enum { EVENTS = 40000, OPEN = 64, INSTANCES = 3 };

static uint64_t state;

static int64_t below(int64_t bound)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (int64_t)((state >> 33) % (uint64_t)bound);
}

/* What passed, in the order of time. */
struct event {
    int64_t at_us, amount;
};

struct diary {
    struct event *events;
    size_t count;
};

static struct diary diary_new(void)
{
    return (struct diary){.events = memory_new(EVENTS * sizeof(struct event))};
}

static size_t note(struct diary *diary, int64_t at_us, int64_t amount)
{
    ck_assert_uint_lt(diary->count, EVENTS);
    diary->events[diary->count] = (struct event){at_us, amount};
    return diary->count++;
}

/* The most in any span of 60 seconds: one that begins with an event has as much as any. */
static int64_t most_in_a_minute(const struct diary *diary)
{
    int64_t most = 0, sum = 0;
    size_t end = 0;
    for (size_t begin = 0; begin < diary->count; begin++) {
        while (end < diary->count && diary->events[end].at_us < diary->events[begin].at_us + MINUTE)
            sum += diary->events[end++].amount;
        most = sum > most ? sum : most;
        sum -= diary->events[begin].amount;
    }
    return most;
}

static int64_t total(const struct diary *diary)
{
    int64_t sum = 0;
    for (size_t i = 0; i < diary->count; i++)
        sum += diary->events[i].amount;
    return sum;
}

/* Now and then a pause, or many at once. */
static int64_t step(int64_t mean_us)
{
    int64_t dice = below(100);
    if (dice == 0)
        return below(2 * MINUTE);
    return dice < 40 ? 0 : below(2 * mean_us);
}

START_TEST(no_minute_has_more_requests_than_the_limit)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct fixture fixture = fixture_new(10);
        struct diary diary = diary_new();
        state = seed;
        int64_t limit = 1 + below(200);
        fixture_limit(&fixture, SCOPE_KEY, limit, LIMIT_NONE, LIMIT_NONE);
        fixture.now_us = below(100 * MINUTE);
        for (int i = 0; i < 5000; i++) {
            fixture.now_us += step(MINUTE / limit);
            if (fixture_call(&fixture, 0) == RATES_PASSED)
                note(&diary, fixture.now_us, 1);
        }
        ck_assert_int_le(most_in_a_minute(&diary), limit);
        free(diary.events);
        fixture_close(&fixture);
    }
}
END_TEST

/* A call that runs. */
struct running {
    struct rates_pass *pass;
    int64_t tokens;
    size_t event;
};

START_TEST(no_minute_has_more_tokens_than_the_limit)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct fixture fixture = fixture_new(10);
        struct diary diary = diary_new();
        struct running running[OPEN] = {{0}};
        state = seed;
        int64_t limit = 100 + below(100000);
        fixture_limit(&fixture, SCOPE_KEY, LIMIT_NONE, limit, LIMIT_NONE);
        for (int i = 0; i < 5000; i++) {
            fixture.now_us += step(MINUTE / 100);
            struct running *call = &running[below(OPEN)];
            if (call->pass != NULL) { /* it ends, having used no more than its bound */
                int64_t used = below(call->tokens + 1);
                rates_leave(fixture.core, call->pass, RATES_KNOWN, used);
                diary.events[call->event].amount = used;
                call->pass = NULL;
            }
            call->tokens = 1 + below(limit / 5);
            if (fixture_enter(&fixture, &call->pass, CALLER, call->tokens) == RATES_PASSED)
                call->event = note(&diary, fixture.now_us, call->tokens);
        }
        for (int i = 0; i < OPEN; i++)
            rates_leave(fixture.core, running[i].pass, RATES_UNKNOWN, 0);
        ck_assert_int_le(most_in_a_minute(&diary), limit);
        free(diary.events);
        fixture_close(&fixture);
    }
}
END_TEST

START_TEST(nine_tenths_of_the_limit_can_be_used)
{
    for (int64_t limit = 1; limit <= 1000; limit = limit * 3 + 1) {
        struct fixture fixture = fixture_new(10);
        int64_t begun_us = fixture.now_us, passed = 0;
        fixture_limit(&fixture, SCOPE_KEY, limit, LIMIT_NONE, LIMIT_NONE);
        while (fixture.now_us < begun_us + 130 * MINUTE) { /* who always obeys Retry-After */
            if (fixture_call(&fixture, 0) == RATES_PASSED)
                passed++;
            else
                fixture.now_us += (fixture.answer.wait_us + SECOND - 1) / SECOND * SECOND;
        }
        ck_assert_int_ge(10 * passed, 9 * limit * 130);
        fixture_close(&fixture);
    }
}
END_TEST

/* ---- shared ---- */

/* An instance with a lessee. Now and then an answer is lost, or it dies and another one comes. */
struct member {
    struct fixture fixture;
    struct rates_lessee *lessee;
};

static void member_open(struct member *member, int64_t requests, int64_t tokens)
{
    static int count;
    char id[RATES_ID_SIZE] = {0};
    snprintf(id, sizeof id, "%d", count++);
    member->fixture = fixture_new(10);
    fixture_limit(&member->fixture, SCOPE_KEY, requests, tokens, LIMIT_NONE);
    rates_lease(member->fixture.core, 0);
    member->lessee = rates_lessee_open(member->fixture.core, id, 0);
}

static void member_close(struct member *member)
{
    rates_lessee_close(member->lessee);
    fixture_close(&member->fixture);
}

/* A lost answer: what was asked was done or not, and soon the store is heard again. */
static void talk(struct member *member, struct rates_store *store, int64_t now_us, bool losses)
{
    static struct rates_reply reply;
    struct rates_request request;
    int64_t until_us;
    while (rates_lessee_next(member->lessee, now_us, &request, &until_us)) {
        bool lost = losses && below(500) == 0;
        if (!lost || below(2) == 0)
            rates_store_apply(store, now_us, &request, &reply);
        rates_lessee_take(member->lessee, now_us, now_us, lost ? NULL : &reply);
    }
}

static bool call_shared(struct member *member, struct rates_store *store, int64_t now_us,
                        int64_t tokens)
{
    struct fixture *fixture = &member->fixture;
    struct rates_pass *pass = NULL;
    for (int i = 0; i < 3; i++) {
        const struct rates_ask ask = {.limits = fixture->limits,
                                      .limit_count = fixture->limit_count,
                                      .subject = &fixture->subject,
                                      .scopes = CALLER,
                                      .tokens = tokens,
                                      .now_us = now_us,
                                      .patient = true};
        rates_enter(fixture->core, &pass, &ask, &fixture->answer);
        if (fixture->answer.verdict == RATES_PASSED) {
            rates_leave(fixture->core, pass, RATES_UNKNOWN, 0);
            return true;
        }
        talk(member, store, now_us, false);
    }
    return false;
}

static void share(int64_t requests, int64_t tokens, bool disasters, struct diary *diary)
{
    struct member members[INSTANCES];
    struct rates_store *store = rates_store_open();
    for (int i = 0; i < INSTANCES; i++)
        member_open(&members[i], requests, tokens);
    for (int64_t now_us = 1000 * MINUTE; now_us < 1060 * MINUTE; now_us += SECOND / 10) {
        struct member *member = &members[below(INSTANCES)];
        int64_t take = tokens == LIMIT_NONE ? 0 : 1 + below(tokens / 50);
        for (int i = 0; i < INSTANCES; i++)
            talk(&members[i], store, now_us, disasters);
        if (call_shared(member, store, now_us, take))
            note(diary, now_us, take > 0 ? take : 1);
        if (!disasters || below(1000) > 0)
            continue;
        member_close(member);
        member_open(member, requests, tokens);
    }
    for (int i = 0; i < INSTANCES; i++)
        member_close(&members[i]);
    rates_store_close(store);
}

START_TEST(instances_share_a_limit_by_leases)
{
    static const int64_t limits[] = {40, 300};
    for (size_t i = 0; i < 2; i++) {
        struct diary diary = diary_new();
        state = 7;
        share(limits[i], LIMIT_NONE, false, &diary);
        ck_assert_int_le(most_in_a_minute(&diary), limits[i]);
        ck_assert_int_ge(10 * total(&diary), 9 * limits[i] * 60);
        free(diary.events);
    }
}
END_TEST

START_TEST(they_share_tokens)
{
    struct diary diary = diary_new();
    state = 8;
    share(LIMIT_NONE, 5000, false, &diary);
    ck_assert_int_le(most_in_a_minute(&diary), 5000);
    ck_assert_int_ge(10 * total(&diary), 9 * 5000 * 60);
    free(diary.events);
}
END_TEST

/* Each part of a minute without the store may find what others took that nobody had heard of. */
START_TEST(lost_answers_and_deaths_exceed_no_limit_by_much)
{
    struct diary diary = diary_new();
    state = 9;
    share(300, LIMIT_NONE, true, &diary);
    ck_assert_int_le(most_in_a_minute(&diary), 300 + 30);
    ck_assert_int_ge(10 * total(&diary), 8 * 300 * 60);
    free(diary.events);
}
END_TEST

UNIT_MAIN(no_minute_has_more_requests_than_the_limit, no_minute_has_more_tokens_than_the_limit,
          nine_tenths_of_the_limit_can_be_used, instances_share_a_limit_by_leases,
          they_share_tokens, lost_answers_and_deaths_exceed_no_limit_by_much)
