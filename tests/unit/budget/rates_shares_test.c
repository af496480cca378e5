/* Rate limits that instances share: instances with a lessee each, one store, a clock that is moved.
 */
#include "budget/rates_lessee.h"
#include "rates_fixture.h"

enum { MOST = 4 };

/* An instance whose requests are over at once. */
struct instance {
    struct fixture fixture;
    struct rates_lessee *lessee;
};

struct world {
    struct rates_store *store;
    struct instance instances[MOST];
    size_t count;
    int64_t now_us;   /* steady */
    int64_t store_us; /* the store's clock is so far ahead of it */
    bool away;
    int64_t asked; /* operations */
};

static struct rates_reply reply;

static struct world world_new(size_t count, int64_t requests, int64_t tokens, int64_t parallel)
{
    struct world world = {.store = rates_store_open(), .count = count, .now_us = 1000 * SECOND};
    for (size_t i = 0; i < count; i++) {
        struct instance *instance = &world.instances[i];
        char id[RATES_ID_SIZE] = {(char)('a' + i)};
        instance->fixture = fixture_new(10);
        fixture_limit(&instance->fixture, SCOPE_KEY, requests, tokens, parallel);
        rates_lease(instance->fixture.core, 0);
        instance->lessee = rates_lessee_open(instance->fixture.core, id, 0);
    }
    return world;
}

static void world_close(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        rates_lessee_close(world->instances[i].lessee);
        fixture_close(&world->instances[i].fixture);
    }
    rates_store_close(world->store);
}

/* All that is to be asked now. */
static void talk(struct world *world, struct instance *instance)
{
    struct rates_request request;
    int64_t until_us;
    for (int i = 0; rates_lessee_next(instance->lessee, world->now_us, &request, &until_us); i++) {
        ck_assert_int_lt(i, 100);
        world->asked++;
        if (!world->away)
            rates_store_apply(world->store, world->now_us + world->store_us, &request, &reply);
        rates_lessee_take(instance->lessee, world->now_us, world->now_us,
                          world->away ? NULL : &reply);
    }
}

static void pass_time(struct world *world, int64_t us)
{
    for (int64_t end = world->now_us + us; world->now_us < end; world->now_us += SECOND / 10)
        for (size_t i = 0; i < world->count; i++)
            talk(world, &world->instances[i]);
}

static enum rates_verdict enter(struct world *world, struct instance *instance,
                                struct rates_pass **pass, int64_t tokens)
{
    struct fixture *fixture = &instance->fixture;
    enum rates_verdict verdict = RATES_WAIT;
    for (int i = 0; verdict == RATES_WAIT && i < 3; i++) {
        const struct rates_ask ask = {.limits = fixture->limits,
                                      .limit_count = fixture->limit_count,
                                      .subject = &fixture->subject,
                                      .scopes = CALLER,
                                      .tokens = tokens,
                                      .now_us = world->now_us,
                                      .patient = true};
        rates_enter(fixture->core, pass, &ask, &fixture->answer);
        verdict = fixture->answer.verdict;
        if (verdict == RATES_WAIT)
            talk(world, instance);
    }
    return verdict;
}

/* How many of so many calls passed. */
static int calls(struct world *world, size_t at, int count, int64_t tokens)
{
    int passed = 0;
    for (int i = 0; i < count; i++) {
        struct rates_pass *pass = NULL;
        passed += enter(world, &world->instances[at], &pass, tokens) == RATES_PASSED;
        rates_leave(world->instances[at].fixture.core, pass, RATES_UNKNOWN, 0);
    }
    return passed;
}

static int64_t remaining(const struct world *world, size_t at, enum rated rated)
{
    return world->instances[at].fixture.answer.level[rated].remaining;
}

/* ---- one minute for all ---- */

START_TEST(together_they_get_the_limit_and_no_more)
{
    struct world world = world_new(4, 100, LIMIT_NONE, LIMIT_NONE);
    int passed = 0;
    for (int round = 0; round < 11; round++) {
        for (size_t i = 0; i < 4; i++)
            passed += calls(&world, i, 20, 0);
        pass_time(&world, 5 * SECOND);
    }
    ck_assert_int_eq(passed, 100);
    world_close(&world);
}
END_TEST

START_TEST(a_steady_crowd_gets_nine_tenths_of_each_minute)
{
    struct world world = world_new(2, 600, LIMIT_NONE, LIMIT_NONE);
    int passed = 0;
    for (int beat = 0; beat < 10 * 60 * 10; beat++) {
        passed += calls(&world, (size_t)beat % 2, 5, 0);
        pass_time(&world, SECOND / 10);
    }
    ck_assert_int_ge(passed, 10 * 600 * 9 / 10);
    ck_assert_int_le(passed, 10 * 600 + 600);
    world_close(&world);
}
END_TEST

START_TEST(one_alone_gets_all_of_it)
{
    struct world world = world_new(4, 1000, LIMIT_NONE, LIMIT_NONE);
    pass_time(&world, 3 * SECOND);
    ck_assert_int_eq(rates_lessee_instances(world.instances[2].lessee), 4);
    ck_assert_int_eq(calls(&world, 2, 1200, 0), 1000);
    world_close(&world);
}
END_TEST

START_TEST(busy_instances_ask_for_many_requests_at_once)
{
    struct world world = world_new(2, 60000, LIMIT_NONE, LIMIT_NONE);
    for (int i = 0; i < 100; i++) { /* 500 a second of each */
        ck_assert_int_eq(calls(&world, 0, 50, 0) + calls(&world, 1, 50, 0), 100);
        pass_time(&world, SECOND / 10);
    }
    ck_assert_int_lt(world.asked, 1500); /* of 10,000 requests; most in the first second */
    world_close(&world);
}
END_TEST

START_TEST(what_is_idle_goes_to_others)
{
    struct world world = world_new(2, 650, LIMIT_NONE, LIMIT_NONE);
    ck_assert_int_eq(calls(&world, 0, 300, 0), 300);
    int others = calls(&world, 1, 400, 0); /* the first still has headroom */
    ck_assert_int_lt(others, 350);
    pass_time(&world, 3 * SECOND);
    ck_assert_int_eq(others + calls(&world, 1, 400, 0), 350);
    world_close(&world);
}
END_TEST

START_TEST(tokens_that_were_not_used_are_free_for_others)
{
    struct world world = world_new(2, LIMIT_NONE, 1000, LIMIT_NONE);
    struct rates_pass *pass = NULL;
    ck_assert_int_eq(enter(&world, &world.instances[0], &pass, 900), RATES_PASSED);
    ck_assert_int_eq(calls(&world, 1, 1, 500), 0);
    ck_assert_int_eq(world.instances[1].fixture.answer.used, 900);
    rates_leave(world.instances[0].fixture.core, pass, RATES_KNOWN, 100);
    pass_time(&world, 3 * SECOND);
    ck_assert_int_eq(calls(&world, 1, 2, 500), 1);
    ck_assert_int_eq(calls(&world, 1, 1, 400), 1);
    world_close(&world);
}
END_TEST

START_TEST(who_needs_more_than_there_is_takes_none_of_it)
{
    struct world world = world_new(2, LIMIT_NONE, 1000, LIMIT_NONE);
    ck_assert_int_eq(calls(&world, 0, 1, 600), 1);
    ck_assert_int_eq(calls(&world, 1, 1, 500), 0);
    ck_assert_int_eq(calls(&world, 0, 1, 400), 1);
    world_close(&world);
}
END_TEST

START_TEST(what_was_used_beyond_its_bound_counts_for_all)
{
    struct world world = world_new(2, LIMIT_NONE, 1000, LIMIT_NONE);
    struct rates_pass *pass = NULL;
    ck_assert_int_eq(enter(&world, &world.instances[0], &pass, 100), RATES_PASSED);
    pass_time(&world, 10 * SECOND);
    rates_leave(world.instances[0].fixture.core, pass, RATES_KNOWN, 800);
    pass_time(&world, SECOND);
    ck_assert_int_eq(calls(&world, 1, 1, 300), 0);
    ck_assert_int_eq(calls(&world, 1, 1, 200), 1);
    world_close(&world);
}
END_TEST

START_TEST(callers_are_told_what_all_have_used)
{
    struct world world = world_new(2, 10, LIMIT_NONE, LIMIT_NONE);
    ck_assert_int_eq(calls(&world, 0, 7, 0), 7);
    pass_time(&world, 12 * SECOND);
    ck_assert_int_eq(calls(&world, 1, 1, 0), 1);
    ck_assert_int_eq(remaining(&world, 1, RATED_REQUESTS), 2);
    ck_assert_int_eq(calls(&world, 1, 3, 0), 2);
    const struct rates_answer *answer = &world.instances[1].fixture.answer;
    ck_assert_int_eq(answer->verdict, RATES_LIMITED);
    ck_assert_int_eq(answer->used, 10);
    ck_assert_int_eq(answer->wait_us, (65 - 12) * SECOND); /* until the first's leave */
    world.now_us += answer->wait_us;
    ck_assert_int_eq(calls(&world, 1, 1, 0), 1);
    world_close(&world);
}
END_TEST

START_TEST(a_refusal_does_not_ask_the_store_each_time)
{
    struct world world = world_new(1, 5, LIMIT_NONE, LIMIT_NONE);
    struct world other = world_new(1, 5, LIMIT_NONE, LIMIT_NONE);
    const char id[RATES_ID_SIZE] = "other";
    ck_assert_int_eq(calls(&world, 0, 5, 0), 5);
    rates_store_close(other.store);
    other.store = world.store;
    rates_lessee_close(other.instances[0].lessee);
    other.instances[0].lessee = rates_lessee_open(other.instances[0].fixture.core, id, 0);
    ck_assert_int_eq(calls(&other, 0, 1000, 0), 0);
    ck_assert_int_lt(other.asked, 4);
    world.store = rates_store_open();
    world_close(&world);
    world_close(&other);
}
END_TEST

START_TEST(who_begins_while_the_store_is_away_takes_a_part_of_as_many_as_were_known)
{
    struct world world = world_new(1, 100, LIMIT_NONE, LIMIT_NONE);
    const char id[RATES_ID_SIZE] = "again";
    rates_lessee_close(world.instances[0].lessee);
    world.instances[0].lessee = rates_lessee_open(world.instances[0].fixture.core, id, 4);
    world.away = true;
    ck_assert_int_le(calls(&world, 0, 1000, 0), 25);
    world.away = false;
    pass_time(&world, 65 * SECOND);
    ck_assert_int_eq(rates_lessee_instances(world.instances[0].lessee), 1);
    ck_assert_int_eq(calls(&world, 0, 1000, 0), 100);
    world_close(&world);
}
END_TEST

/* ---- parallel ---- */

START_TEST(places_of_parallel_are_shared_and_come_back)
{
    struct world world = world_new(2, LIMIT_NONE, LIMIT_NONE, 3);
    struct rates_pass *passes[4] = {NULL};
    ck_assert_int_eq(enter(&world, &world.instances[0], &passes[0], 0), RATES_PASSED);
    ck_assert_int_eq(enter(&world, &world.instances[0], &passes[1], 0), RATES_PASSED);
    ck_assert_int_eq(enter(&world, &world.instances[1], &passes[2], 0), RATES_PASSED);
    ck_assert_int_eq(enter(&world, &world.instances[1], &passes[3], 0), RATES_LIMITED);
    ck_assert_int_eq(world.instances[1].fixture.answer.used, 3);
    pass_time(&world, 60 * SECOND); /* they run on: it is said again and again */
    ck_assert_int_eq(enter(&world, &world.instances[1], &passes[3], 0), RATES_LIMITED);
    rates_leave(world.instances[0].fixture.core, passes[0], RATES_UNKNOWN, 0);
    pass_time(&world, 3 * SECOND);
    ck_assert_int_eq(enter(&world, &world.instances[1], &passes[3], 0), RATES_PASSED);
    rates_leave(world.instances[0].fixture.core, passes[1], RATES_UNKNOWN, 0);
    rates_leave(world.instances[1].fixture.core, passes[2], RATES_UNKNOWN, 0);
    rates_leave(world.instances[1].fixture.core, passes[3], RATES_UNKNOWN, 0);
    world_close(&world);
}
END_TEST

START_TEST(places_of_a_dead_instance_come_back)
{
    struct world world = world_new(2, 10, LIMIT_NONE, 3);
    struct rates_pass *passes[3] = {NULL}, *mine = NULL;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(enter(&world, &world.instances[0], &passes[i], 0), RATES_PASSED);
    for (int i = 0; i < 90; i++, world.now_us += SECOND / 10)
        talk(&world, &world.instances[1]); /* the other one is silent from now on */
    ck_assert_int_eq(enter(&world, &world.instances[1], &mine, 0), RATES_LIMITED);
    for (int i = 0; i < 40; i++, world.now_us += SECOND / 10)
        talk(&world, &world.instances[1]);
    ck_assert_int_eq(enter(&world, &world.instances[1], &mine, 0), RATES_PASSED);
    ck_assert_int_eq(rates_lessee_instances(world.instances[1].lessee), 1);
    rates_leave(world.instances[1].fixture.core, mine, RATES_UNKNOWN, 0);
    for (int i = 0; i < 3; i++)
        rates_leave(world.instances[0].fixture.core, passes[i], RATES_UNKNOWN, 0);
    world_close(&world);
}
END_TEST

START_TEST(who_leaves_gives_everything_back)
{
    struct world world = world_new(2, 650, LIMIT_NONE, LIMIT_NONE);
    struct rates_request request;
    int64_t until_us;
    ck_assert_int_eq(calls(&world, 0, 300, 0), 300);
    rates_lessee_retire(world.instances[0].lessee);
    talk(&world, &world.instances[0]);
    ck_assert(!rates_lessee_next(world.instances[0].lessee, world.now_us, &request, &until_us));
    ck_assert_int_eq(until_us, INT64_MAX);
    ck_assert_int_eq(calls(&world, 1, 400, 0), 350);
    ck_assert_int_eq(rates_lessee_instances(world.instances[1].lessee), 1);
    world_close(&world);
}
END_TEST

/* ---- a store that is away, or forgets ---- */

START_TEST(without_the_store_each_takes_its_part)
{
    struct world world = world_new(2, 100, LIMIT_NONE, 10);
    ck_assert_int_eq(calls(&world, 0, 1, 0) + calls(&world, 1, 1, 0), 2);
    pass_time(&world, 70 * SECOND);
    world.away = true;
    pass_time(&world, 3 * SECOND);
    ck_assert(!rates_lessee_is_heard(world.instances[0].lessee));
    ck_assert_int_eq(calls(&world, 0, 200, 0), 50);
    ck_assert_int_eq(calls(&world, 1, 200, 0), 50);
    ck_assert_int_eq(remaining(&world, 1, RATED_REQUESTS), 0);
    world.away = false;
    pass_time(&world, 2 * SECOND); /* it hears what was used */
    ck_assert_int_eq(calls(&world, 0, 10, 0) + calls(&world, 1, 10, 0), 0);
    pass_time(&world, 66 * SECOND);
    ck_assert_int_eq(calls(&world, 0, 200, 0), 100);
    world_close(&world);
}
END_TEST

START_TEST(without_the_store_what_others_used_still_counts)
{
    struct world world = world_new(2, 100, LIMIT_NONE, LIMIT_NONE);
    ck_assert_int_eq(calls(&world, 0, 60, 0), 60);
    pass_time(&world, 6 * SECOND);
    ck_assert_int_eq(calls(&world, 0, 1, 0), 1);
    ck_assert_int_eq(calls(&world, 1, 1, 0), 1);
    pass_time(&world, 6 * SECOND);
    world.away = true;
    pass_time(&world, 2 * SECOND);
    int passed = calls(&world, 0, 100, 0) + calls(&world, 1, 100, 0);
    ck_assert_int_le(passed, 38);
    ck_assert_int_ge(passed, 36);
    world_close(&world);
}
END_TEST

START_TEST(without_the_store_each_may_have_one)
{
    struct world world = world_new(4, 2, LIMIT_NONE, 2);
    pass_time(&world, 3 * SECOND);
    world.away = true;
    pass_time(&world, 3 * SECOND);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(calls(&world, i, 5, 0), 1);
    world_close(&world);
}
END_TEST

START_TEST(without_the_store_absurd_numbers_from_outside_fill_the_limit_and_no_more)
{
    struct world world = world_new(1, LIMIT_NONE, RATES_MOST, LIMIT_NONE);
    struct fixture *fixture = &world.instances[0].fixture;
    struct rates_pass *pass = NULL;
    rates_alone(fixture->core, 1000000);
    ck_assert_int_eq(fixture_enter(fixture, &pass, CALLER, 10), RATES_PASSED);
    rates_leave(fixture->core, pass, RATES_KNOWN, INT64_MAX);
    ck_assert_int_eq(fixture_call(fixture, 10), RATES_LIMITED);
    ck_assert_int_eq(fixture->answer.level[RATED_TOKENS].remaining, 0);
    fixture->now_us += 66 * SECOND;
    ck_assert_int_eq(fixture_call(fixture, 10), RATES_PASSED);
    world_close(&world);
}
END_TEST

START_TEST(a_store_that_never_answered_is_not_waited_for)
{
    struct world world = world_new(1, 10, LIMIT_NONE, LIMIT_NONE);
    world.away = true;
    pass_time(&world, SECOND);
    ck_assert_int_eq(calls(&world, 0, 20, 0), 10);
    world_close(&world);
}
END_TEST

START_TEST(a_store_that_forgot_is_told_again)
{
    struct world world = world_new(2, 100, LIMIT_NONE, 5);
    ck_assert_int_eq(calls(&world, 0, 40, 0) + calls(&world, 1, 40, 0), 80);
    pass_time(&world, 7 * SECOND);
    rates_store_close(world.store);
    world.store = rates_store_open();
    pass_time(&world, 6 * SECOND);
    ck_assert_int_eq(calls(&world, 0, 40, 0) + calls(&world, 1, 40, 0), 20);
    world_close(&world);
}
END_TEST

START_TEST(a_lost_answer_costs_nothing_for_long)
{
    struct world world = world_new(2, 100, LIMIT_NONE, LIMIT_NONE);
    struct instance *instance = &world.instances[0];
    struct rates_request request;
    struct rates_pass *pass = NULL;
    int64_t until_us;
    pass_time(&world, SECOND);
    const struct rates_ask ask = {.limits = instance->fixture.limits,
                                  .limit_count = 1,
                                  .subject = &instance->fixture.subject,
                                  .scopes = CALLER,
                                  .now_us = world.now_us,
                                  .patient = true};
    for (int i = 0; i < 30; i++)
        rates_enter(instance->fixture.core, &pass, &ask, &instance->fixture.answer);
    ck_assert(rates_lessee_next(instance->lessee, world.now_us, &request, &until_us));
    rates_store_apply(world.store, world.now_us, &request, &reply);
    ck_assert_int_eq(reply.rows[0].moved, 30);
    rates_lessee_take(instance->lessee, world.now_us, world.now_us, NULL);
    pass_time(&world, 3 * SECOND);
    ck_assert_int_eq(calls(&world, 1, 200, 0), 100);
    world_close(&world);
}
END_TEST

/* ---- time ---- */

START_TEST(the_stores_clock_is_the_clock)
{
    struct world world = world_new(2, 100, LIMIT_NONE, 5);
    struct rates_pass *pass = NULL;
    world.store_us = -900 * SECOND;
    ck_assert_int_eq(enter(&world, &world.instances[0], &pass, 0), RATES_PASSED);
    ck_assert_int_eq(calls(&world, 0, 39, 0) + calls(&world, 1, 40, 0), 79);
    world.store_us = 40000 * SECOND; /* another server's */
    pass_time(&world, 3 * SECOND);
    ck_assert_int_eq(calls(&world, 0, 40, 0) + calls(&world, 1, 40, 0), 20);
    rates_leave(world.instances[0].fixture.core, pass, RATES_UNDONE, 0);
    pass_time(&world, 66 * SECOND);
    ck_assert_int_eq(calls(&world, 0, 120, 0), 100);
    world_close(&world);
}
END_TEST

START_TEST(an_account_has_one_number_for_ever)
{
    struct world a = world_new(1, 10, LIMIT_NONE, LIMIT_NONE);
    struct rates_request request;
    struct rates_pass *pass = NULL;
    int64_t until_us;
    const struct rates_ask ask = {.limits = a.instances[0].fixture.limits,
                                  .limit_count = 1,
                                  .subject = &a.instances[0].fixture.subject,
                                  .scopes = CALLER,
                                  .patient = true};
    rates_enter(a.instances[0].fixture.core, &pass, &ask, &a.instances[0].fixture.answer);
    ck_assert_int_eq(a.instances[0].fixture.answer.verdict, RATES_WAIT);
    ck_assert(rates_lessee_next(a.instances[0].lessee, a.now_us, &request, &until_us));
    ck_assert_uint_eq(request.row_count, 1);
    ck_assert_uint_eq(request.rows[0].account, UINT64_C(0x7d3a29cbbe9d877f));
    world_close(&a);
}
END_TEST

UNIT_MAIN(who_begins_while_the_store_is_away_takes_a_part_of_as_many_as_were_known,
          together_they_get_the_limit_and_no_more, a_steady_crowd_gets_nine_tenths_of_each_minute,
          one_alone_gets_all_of_it, busy_instances_ask_for_many_requests_at_once,
          what_is_idle_goes_to_others, tokens_that_were_not_used_are_free_for_others,
          who_needs_more_than_there_is_takes_none_of_it,
          what_was_used_beyond_its_bound_counts_for_all, callers_are_told_what_all_have_used,
          a_refusal_does_not_ask_the_store_each_time, places_of_parallel_are_shared_and_come_back,
          places_of_a_dead_instance_come_back, who_leaves_gives_everything_back,
          without_the_store_each_takes_its_part, without_the_store_what_others_used_still_counts,
          without_the_store_each_may_have_one,
          without_the_store_absurd_numbers_from_outside_fill_the_limit_and_no_more,
          a_store_that_never_answered_is_not_waited_for, a_store_that_forgot_is_told_again,
          a_lost_answer_costs_nothing_for_long, the_stores_clock_is_the_clock,
          an_account_has_one_number_for_ever)
