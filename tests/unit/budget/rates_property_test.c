/*
 * Rate limits under random arrivals: what passes is written down, and no span of 60 seconds has
 * more of it than the limit, wherever it begins; of what could pass at least nine tenths do. The
 * same for several instances that share a limit through a lessor.
 */
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

/* What all instances together have been granted of an account's sub-window. */
struct pot {
    int64_t subwindow;
    int64_t granted;
};

struct lessor {
    int64_t limit;
    struct pot pots[4096]; /* by sub-window */
};

static int64_t granted_around(const struct lessor *lessor, int64_t subwindow)
{
    int64_t sum = 0, most = 0;
    for (int64_t last = subwindow; last <= subwindow + RATES_SUBWINDOWS; last++) {
        sum = 0;
        for (int64_t at = last - RATES_SUBWINDOWS; at <= last; at++)
            sum += at < 0 ? 0 : lessor->pots[at % 4096].granted;
        most = sum > most ? sum : most;
    }
    return most;
}

/* Gives what is wanted, as far as there is any, and takes back what was not used of sub-windows
 * that are over. */
static void serve(struct lessor *lessor, struct rates_core *core, int64_t subwindow)
{
    struct rates_counter counters[RATES_COUNTERS_MOST];
    struct rates_place place = {0};
    size_t count;
    while ((count = rates_list(core, &place, counters)) > 0) {
        for (size_t i = 0; i < count; i++) {
            struct rates_counter *counter = &counters[i];
            struct pot *pot = &lessor->pots[counter->subwindow % 4096];
            if (counter->subwindow < subwindow) {
                int64_t left = rates_trim(core, counter, 0);
                pot->granted -= counter->share - left;
                continue;
            }
            int64_t free = lessor->limit - granted_around(lessor, counter->subwindow);
            int64_t more = counter->wanted < free ? counter->wanted : free;
            if (more > 0 && rates_grant(core, counter, more))
                pot->granted += more;
        }
    }
}

START_TEST(instances_share_a_limit_by_leases)
{
    struct lessor *lessor = memory_new(sizeof *lessor);
    struct fixture instances[INSTANCES];
    struct diary diary = diary_new();
    int64_t limit = 300;
    state = 7;
    lessor->limit = limit;
    for (int i = 0; i < INSTANCES; i++) {
        instances[i] = fixture_new(10);
        instances[i].now_us = 0;
        fixture_limit(&instances[i], SCOPE_KEY, limit, LIMIT_NONE, LIMIT_NONE);
        rates_lease(instances[i].core);
    }
    for (int64_t now_us = 0; now_us < 130 * MINUTE; now_us += SECOND / 10) {
        struct fixture *instance = &instances[below(INSTANCES)];
        instance->now_us = now_us;
        if (fixture_call(instance, 0) == RATES_PASSED)
            note(&diary, now_us, 1);
        serve(lessor, instance->core, now_us / RATES_SUBWINDOW_US);
    }
    ck_assert_int_le(most_in_a_minute(&diary), limit);
    ck_assert_int_ge(total(&diary), limit * 130 / 2); /* this lessor is a simple one */
    for (int i = 0; i < INSTANCES; i++)
        fixture_close(&instances[i]);
    free(diary.events);
    free(lessor);
}
END_TEST

UNIT_MAIN(no_minute_has_more_requests_than_the_limit, no_minute_has_more_tokens_than_the_limit,
          nine_tenths_of_the_limit_can_be_used, instances_share_a_limit_by_leases)
