/*
 * Rolling windows against a naive model: a list of all that was ever admitted, added up anew for
 * each look. Random requests, extensions, settlements, restarts and other limits at random times;
 * once with a core that owns its limits, and once with a lease whose ceilings are added up, too.
 * With a lease, room that one sub-bucket has been granted may be on its way to another when it is
 * asked for: so it may refuse what would fit, but seldom.
 */
#include "../random.h"
#include "budget/core_state.h"
#include "budget/lease.h"
#include "fixture.h"

#include <stdio.h>

#define MOST  4000
#define STEPS 1000
#define SEEDS 10

struct item {
    int64_t bucket;
    uint64_t hold; /* 0: settled */
    int64_t amount, max_output, held_output;
    struct charge charge;
};

struct world {
    struct fixture f;
    uint64_t state;
    int64_t bucket_s, limit;
    struct item items[MOST];
    size_t count;
    struct lease *lease; /* NULL: none */
    int64_t fitting, granted;
    int64_t now_ms;
};

static int64_t below(struct world *world, int64_t bound)
{
    return random_below(&world->state, bound);
}

/* ---- the model ---- */

static int64_t sum(const struct world *world, int64_t last, bool held)
{
    int64_t sum = 0;
    for (size_t at = 0; at < world->count; at++) {
        const struct item *item = &world->items[at];
        bool counts = item->bucket > last - 25 && item->bucket <= last;
        sum += counts && (held || item->hold == 0) ? item->amount : 0;
    }
    return sum;
}

/* Of all the spans that a sub-bucket lies in. */
static int64_t fullest(const struct world *world, int64_t bucket, bool held)
{
    int64_t most = 0;
    for (int64_t last = bucket; last < bucket + 25; last++) {
        int64_t here = sum(world, last, held);
        most = here > most ? here : most;
    }
    return most;
}

static int64_t running(const struct world *world)
{
    return world->f.now_s / world->bucket_s;
}

/* ---- the lease's other side ---- */

static void check_ceilings(const struct world *world)
{
    const struct account *last = world->f.core->accounts.lanes[0].first;
    for (; last != NULL; last = last->next) {
        __int128 ceilings = 0;
        const struct account *account = world->f.core->accounts.lanes[0].first;
        for (; account != NULL; account = account->next) {
            int64_t rolled = window_rolled(&account->window, &last->window);
            ceilings += rolled >= 0 && rolled <= 24 ? account->ceiling : 0;
        }
        ck_assert_int_le((int64_t)ceilings, world->limit);
    }
}

static void lease_until_it_rests(struct world *world)
{
    struct lease_action action = {.step = LEASE_REST};
    while (world->lease != NULL) {
        lease_next(world->lease, world->now_ms, world->f.now_s, &action);
        if (action.step == LEASE_REST)
            return;
        lease_committed(world->lease, world->now_ms, true);
        check_ceilings(world);
    }
}

/* ---- what happens ---- */

static void open_core(struct world *world)
{
    world->f.options.budgets = world->f.budgets;
    world->f.core = core_open(&world->f.options);
    for (size_t at = 0; at < world->count; at++)
        core_restore(world->f.core, &world->items[at].charge);
    for (size_t at = 0; world->f.options.leased && at < world->count; at++)
        core_restore_ceiling(world->f.core, &world->items[at].charge);
    if (!world->f.options.leased)
        return;
    const struct lease_options options = {.core = world->f.core, .label = TEXT("here")};
    world->lease = lease_open(&options, NULL, 0);
}

static void close_core(struct world *world)
{
    lease_close(world->lease);
    core_close(world->f.core);
    world->lease = NULL;
}

static void pass(struct world *world)
{
    int64_t seconds = below(world, world->bucket_s * (below(world, 20) == 0 ? 40 : 2));
    world->f.now_s += seconds;
    world->now_ms += 1000 * seconds;
    core_turn(world->f.core, world->f.now_s);
    lease_until_it_rests(world);
}

static void admitted(struct world *world)
{
    const struct grant *grant = &world->f.grant;
    ck_assert_uint_lt(world->count, MOST);
    struct item *item = &world->items[world->count++];
    *item = (struct item){.bucket = running(world),
                          .hold = grant->hold,
                          .amount = grant->amount.nano,
                          .max_output = grant->max_output,
                          .held_output = grant->held_output,
                          .charge = grant->charges[0]};
    item->charge.id = TEXT("all");
    ck_assert_int_le(fullest(world, item->bucket, true), world->limit);
}

static enum verdict expected(const struct world *world, int64_t least, int64_t slice)
{
    int64_t left = world->limit - sum(world, running(world), false);
    if (2 * least > left)
        return 2 * least > world->limit ? VERDICT_NEVER_FITS : VERDICT_EXHAUSTED;
    bool fits = sum(world, running(world), true) + 2 * slice <= world->limit;
    return fits ? VERDICT_GRANTED : VERDICT_WAIT;
}

static void reserve(struct world *world)
{
    bool stream = below(world, 2) == 0;
    int64_t output = 10 + below(world, stream ? 400 : 150);
    struct ask ask = fixture_ask(&world->f, 0, output);
    ask.slice_tokens = stream ? 20 : 0;
    int64_t left = (world->limit - sum(world, running(world), false)) / 2;
    int64_t most = output < left ? output : left;
    int64_t slice = stream && most > 20 ? 20 : most;
    enum verdict want = expected(world, 10, slice);
    enum verdict verdict = fixture_reserve_ask(&world->f, &ask);
    if (verdict == VERDICT_WAIT && world->lease != NULL) {
        struct cookie cookie;
        uint64_t waiter = world->f.grant.waiter;
        lease_until_it_rests(world);
        if (core_next_wake(world->f.core, &cookie, &world->f.grant))
            verdict = world->f.grant.verdict;
        else
            ck_assert(core_leave(world->f.core, waiter));
    } else if (verdict == VERDICT_WAIT) {
        ck_assert(core_leave(world->f.core, world->f.grant.waiter));
    }
    world->fitting += want == VERDICT_GRANTED ? 1 : 0;
    world->granted += verdict == VERDICT_GRANTED ? 1 : 0;
    if (world->lease != NULL && want == VERDICT_GRANTED && verdict == VERDICT_WAIT)
        return;
    ck_assert_msg(verdict == want, "the core says %d and the model %d", verdict, want);
    if (verdict == VERDICT_GRANTED)
        admitted(world);
}

static struct item *any_open(struct world *world)
{
    size_t tries = world->count < 30 ? world->count : 30;
    for (size_t i = 0; i < tries; i++) {
        struct item *item = &world->items[world->count - 1 - (size_t)below(world, (int64_t)tries)];
        if (item->hold != 0)
            return item;
    }
    return NULL;
}

static void extend(struct world *world)
{
    struct item *item = any_open(world);
    if (item == NULL || item->held_output >= item->max_output)
        return;
    int64_t goal = item->held_output + 1 + below(world, 100);
    goal = goal < item->max_output ? goal : item->max_output;
    int64_t more = 2 * (goal - item->held_output);
    bool fits = fullest(world, item->bucket, true) + more <= world->limit;
    core_extend(world->f.core, item->hold, goal, &world->f.grant);
    if (world->f.grant.verdict != VERDICT_GRANTED && world->lease != NULL) {
        lease_until_it_rests(world);
        core_extend(world->f.core, item->hold, goal, &world->f.grant);
    }
    bool granted = world->f.grant.verdict == VERDICT_GRANTED;
    world->fitting += fits ? 1 : 0;
    world->granted += granted ? 1 : 0;
    ck_assert(granted == fits || (fits && world->lease != NULL));
    if (!granted)
        return;
    item->held_output = goal;
    item->amount += more;
}

static void settle(struct world *world, struct item *item)
{
    int64_t used = item->amount == 0 ? 0 : below(world, item->amount + 1);
    fixture_settle(&world->f, item->hold, used);
    item->hold = 0;
    item->amount = used;
    item->charge.amount = used;
    lease_until_it_rests(world);
}

static void settle_all(struct world *world)
{
    for (size_t at = 0; at < world->count; at++) {
        if (world->items[at].hold != 0)
            settle(world, &world->items[at]);
    }
}

static void disturb(struct world *world)
{
    if (below(world, 2) == 0) {
        world->limit += below(world, 500);
        world->f.budgets[0].limit[UNIT_USD] = world->limit;
        core_redefine(world->f.core, &world->f.options);
        return;
    }
    settle_all(world);
    close_core(world);
    open_core(world);
}

static void check(struct world *world)
{
    struct account_view view = fixture_view(&world->f, 0);
    int64_t spent = sum(world, running(world), false);
    ck_assert_int_eq(view.spent, spent);
    ck_assert_int_eq(view.held, sum(world, running(world), true) - spent);
    ck_assert_int_gt(view.resets_s, world->f.now_s);
}

static void run(uint64_t seed, bool leased)
{
    struct world *world = memory_new(sizeof(*world));
    world->state = seed;
    world->f = fixture_new();
    world->f.options.leased = leased;
    world->f.options.usd_step = 1;
    world->f.options.max_accounts = 200;
    world->now_ms = 1000;
    struct budget *budget = fixture_budget(&world->f, "org", SCOPE_GLOBAL, UNIT_USD, 0);
    budget->window = WINDOW_ROLLING;
    budget->rolling_s = 24 + below(world, 300);
    world->bucket_s = (budget->rolling_s + 23) / 24;
    world->limit = budget->limit[UNIT_USD] = 200 + below(world, 3000);
    open_core(world);
    for (int step = 0; step < STEPS && !(step > 0 && world->count > MOST - 2); step++) {
        int64_t choice = below(world, 100);
        struct item *item = NULL;
        if (choice < 30)
            pass(world);
        else if (choice < 60)
            reserve(world);
        else if (choice < 75)
            extend(world);
        else if (choice < 98 && (item = any_open(world)) != NULL)
            settle(world, item);
        else if (choice >= 98)
            disturb(world);
        check(world);
    }
    settle_all(world);
    ck_assert_int_ge(world->granted, world->fitting * 95 / 100);
    close_core(world);
    zone_close(world->f.zone);
    free(world);
}

START_TEST(a_core_agrees_with_the_model)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, false);
}
END_TEST

START_TEST(a_leased_core_agrees_with_the_model)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, true);
}
END_TEST

UNIT_MAIN(a_core_agrees_with_the_model, a_leased_core_agrees_with_the_model)
