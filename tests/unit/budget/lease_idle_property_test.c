/*
 * Sessions that fall silent while others spend: instances with one store, which forget accounts at
 * other times than it does, whose answers get lost and whose commits fail. Whatever is used when, a
 * session spends no more than its limit, and what costs that nobody asked for add to it, before
 * everybody has been silent for as long as it takes to begin anew; and the store has all that was
 * spent until then, but for such costs that could not be told yet.
 */
#include "../random.h"
#include "budget/core_state.h"
#include "tenant.h"

#include <stdio.h>

#define INSTANCES 3
#define SESSIONS  4
#define HOLDS     6
#define STEPS     3000
#define SEEDS     5
#define LIMIT     INT64_C(200) /* micro-dollars, as all amounts here */
#define IDLE_S    3600
#define BEAT_S    120

struct held {
    uint64_t hold;
    int64_t amount;
    size_t session;
};

struct instance {
    struct tenant t;
    struct held holds[HOLDS];
};

struct session {
    uint64_t account; /* 0: not yet known */
    int64_t spent;    /* since it began anew */
    int64_t costs;    /* of it: that nobody asked for */
    int64_t held;
    int64_t used_s; /* the last time */
};

struct world {
    uint64_t random;
    struct store *store;
    struct instance instances[INSTANCES];
    struct session sessions[SESSIONS];
    int64_t granted, begun_anew;
};

static bool once_in(struct world *world, int64_t times)
{
    return random_below(&world->random, times) == 0;
}

static int64_t now_s(const struct world *world)
{
    return world->instances[0].t.f.now_s;
}

/* ---- the other side of a lease ---- */

static void ask_store(struct world *world, struct tenant *t)
{
    bool lost = once_in(world, 40);
    if (!lost || once_in(world, 2))
        store_apply(world->store, t->action.request, &t->reply);
    if (lost)
        fail_with(t, STORE_AWAY);
    else
        lease_replied(t->lease, t->now_ms, &t->reply);
}

static void serve(struct world *world, struct tenant *t)
{
    while (next(t) != LEASE_REST) {
        if (t->action.step == LEASE_ASK)
            ask_store(world, t);
        else
            commit(t, !once_in(world, 40));
    }
}

static void pass(struct world *world, int64_t ms)
{
    for (size_t i = 0; i < INSTANCES; i++)
        pass_ms(&world->instances[i].t, ms);
    store_set_time(world->store, now_s(world));
    for (size_t i = 0; i < INSTANCES; i++)
        serve(world, &world->instances[i].t);
}

/* ---- what happens ---- */

static void spend(struct world *world, struct instance *instance, struct held *held)
{
    struct session *session = &world->sessions[held->session];
    int64_t used = random_below(&world->random, held->amount + 1);
    fixture_settle(&instance->t.f, held->hold, used * MICRO);
    session->spent += used;
    session->held -= held->amount;
    session->used_s = now_s(world);
    held->hold = 0;
}

static void take(struct world *world, struct instance *instance, struct held *held)
{
    const struct grant *grant = &instance->t.f.grant;
    struct session *session = &world->sessions[held->session];
    held->hold = grant->hold;
    held->amount = grant->amount.nano / MICRO;
    session->account = grant->charges[0].account;
    session->held += held->amount;
    session->used_s = now_s(world);
    world->granted++;
}

/* Whatever is left of the limit. */
static void book_cost(struct world *world, struct instance *instance, struct session *session)
{
    struct fixture *f = &instance->t.f;
    int64_t amount = 1 + random_below(&world->random, 3);
    struct spend used = {{amount * MICRO, 0, 0}};
    core_reserve_fact(f->core, &f->subject, f->now_s, &f->grant);
    ck_assert_int_eq(f->grant.verdict, VERDICT_GRANTED);
    session->account = f->grant.charges[0].account;
    core_settle(f->core, f->grant.hold, &used, NULL);
    session->spent += amount;
    session->costs += amount;
    session->used_s = now_s(world);
}

/* Who has to wait is served at once, and does not wait on. */
static void ask(struct world *world, struct instance *instance, struct held *held)
{
    static const struct text names[SESSIONS] = {TEXT("a"), TEXT("b"), TEXT("c"), TEXT("d")};
    struct tenant *t = &instance->t;
    held->session = (size_t)random_below(&world->random, SESSIONS);
    t->f.subject.id[SCOPE_SESSION] = names[held->session];
    if (once_in(world, 10)) {
        book_cost(world, instance, &world->sessions[held->session]);
        return;
    }
    enum verdict verdict = fixture_reserve(&t->f, 10 + random_below(&world->random, 40));
    if (verdict == VERDICT_WAIT) {
        struct cookie cookie;
        uint64_t waiter = t->f.grant.waiter;
        serve(world, t);
        if (core_next_wake(t->f.core, &cookie, &t->f.grant))
            verdict = t->f.grant.verdict;
        else
            ck_assert(core_leave(t->f.core, waiter));
    }
    if (verdict == VERDICT_GRANTED)
        take(world, instance, held);
}

static void act(struct world *world)
{
    struct instance *instance = &world->instances[random_below(&world->random, INSTANCES)];
    struct held *held = &instance->holds[random_below(&world->random, HOLDS)];
    if (held->hold != 0)
        spend(world, instance, held);
    else
        ask(world, instance, held);
    serve(world, &instance->t);
}

static void spend_all(struct world *world)
{
    for (size_t i = 0; i < INSTANCES; i++) {
        for (size_t at = 0; at < HOLDS; at++) {
            if (world->instances[i].holds[at].hold != 0)
                spend(world, &world->instances[i], &world->instances[i].holds[at]);
        }
    }
}

/* All beat meanwhile, if after a while not as often as they would. No call lasts for longer than
 * `idle`. */
static void wait_some_time(struct world *world)
{
    static const int64_t seconds[] = {
        1, 7, IDLE_S / 2, IDLE_S + 60, ACCOUNT_LINGER_S + 600, IDLE_S + ACCOUNT_LINGER_S + 600};
    int64_t left_s = seconds[random_below(&world->random, UNIT_COUNT(seconds))];
    if (left_s > IDLE_S)
        spend_all(world);
    for (int beat = 0; left_s > BEAT_S && beat < 6 * 4; beat++)
        pass(world, 250);
    for (; left_s > BEAT_S; left_s -= BEAT_S)
        pass(world, BEAT_S * 1000);
    pass(world, left_s * 1000);
}

/* ---- what must hold ---- */

/* What nobody has used for so long may begin anew. */
static void begin_anew(struct world *world, struct session *session)
{
    bool silent = session->held == 0 && now_s(world) - session->used_s > IDLE_S;
    if (!silent || session->spent == 0 || store_total(world->store, session->account) > 0)
        return;
    session->spent = session->costs = 0;
    world->begun_anew++;
}

/* Of what was spent on it, what no lessor answered for yet. */
static int64_t untold(const struct world *world, const struct session *session)
{
    int64_t over = 0;
    for (size_t i = 0; i < INSTANCES; i++) {
        const struct core *core = world->instances[i].t.f.core;
        const struct account *account = core->accounts.lanes[0].first;
        for (; account != NULL; account = account->next)
            over += account->number == session->account ? account->over : 0;
    }
    return over / MICRO;
}

static void check(struct world *world)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        struct session *session = &world->sessions[i];
        begin_anew(world, session);
        int64_t total = store_total(world->store, session->account);
        ck_assert_int_le(total, LIMIT + session->costs);
        ck_assert_int_le(session->spent + session->held, LIMIT + session->costs);
        ck_assert_int_le(session->spent + session->held, total + untold(world, session));
    }
}

/* ---- a life ---- */

static void open_instance(struct instance *instance, size_t number)
{
    struct tenant *t = &instance->t;
    tenant_begin(t, LIMIT * MICRO, true);
    core_close(t->f.core);
    t->f.budgets[0].scope = SCOPE_SESSION;
    t->f.budgets[0].window = WINDOW_TOTAL;
    t->f.budgets[0].idle_s = IDLE_S;
    fixture_start(&t->f);
    struct lease_options options = {
        .core = t->f.core, .shared = true, .incarnation = 1, .label = TEXT("here")};
    (void)snprintf(options.journal, sizeof(options.journal), "%032zu", number);
    t->lease = lease_open(&options, NULL, 0);
}

static void live(uint64_t seed, struct world *world)
{
    *world = (struct world){.random = seed, .store = store_open()};
    store_init(world->store, "a-fence");
    for (size_t i = 0; i < INSTANCES; i++)
        open_instance(&world->instances[i], i);
    for (int beat = 0; beat < 20; beat++) /* somebody vouches for each */
        pass(world, 250);
    for (int step = 0; step < STEPS; step++) {
        if (once_in(world, 20))
            wait_some_time(world);
        else if (once_in(world, 3))
            pass(world, 250);
        else
            act(world);
        check(world);
    }
    for (size_t i = 0; i < INSTANCES; i++)
        tenant_close(&world->instances[i].t);
    store_close(world->store);
}

START_TEST(no_session_spends_more_than_its_limit_before_it_begins_anew)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world;
        live(seed, &world);
        ck_assert_int_gt(world.granted, STEPS / 20);
        ck_assert_int_gt(world.begun_anew, 0);
    }
}
END_TEST

UNIT_MAIN(no_session_spends_more_than_its_limit_before_it_begins_anew)
