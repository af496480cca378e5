/*
 * The gate: one mutex around the core. Wakes are collected while it is held and posted after it is
 * released, so that no worker waits for another's eventfd.
 */
#include "budget/gate.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/condition.h"

#define MAIL_BATCH 16

struct gate {
    struct core *core;
    atomic_bool any_usd;
    pthread_mutex_t lock; /* guards the core, and what follows */
    pthread_cond_t wish;  /* the treasury's: the core wants something, or `roused` was set */
    bool dozing;          /* it waits for that */
    bool roused;
    const struct clock *clock; /* NULL: nobody has to know */
    atomic_size_t queue;       /* who waits for the lock */
};

static void lock(struct gate *gate)
{
    if (pthread_mutex_trylock(&gate->lock) == 0)
        return;
    atomic_fetch_add(&gate->queue, 1);
    pthread_mutex_lock(&gate->lock);
    atomic_fetch_sub(&gate->queue, 1);
}

static void enter(struct gate *gate)
{
    lock(gate);
    if (gate->clock != NULL)
        core_note_wall(gate->core, clock_wall_us(gate->clock) / 1000000);
}

struct gate *gate_open(const struct core_options *options)
{
    struct gate *gate = memory_new(sizeof(*gate));
    gate->core = core_open(options);
    atomic_init(&gate->any_usd, core_any_usd(gate->core));
    pthread_mutex_init(&gate->lock, NULL);
    condition_open(&gate->wish);
    return gate;
}

void gate_close(struct gate *gate)
{
    if (gate == NULL)
        return;
    core_close(gate->core);
    pthread_cond_destroy(&gate->wish);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

void gate_restore(struct gate *gate, const struct charge *charge)
{
    enter(gate);
    core_restore(gate->core, charge);
    pthread_mutex_unlock(&gate->lock);
}

void gate_restore_ceiling(struct gate *gate, const struct charge *charge)
{
    enter(gate);
    core_restore_ceiling(gate->core, charge);
    pthread_mutex_unlock(&gate->lock);
}

void gate_restore_forfeited(struct gate *gate, const struct charge *charge)
{
    enter(gate);
    core_restore_forfeited(gate->core, charge);
    pthread_mutex_unlock(&gate->lock);
}

/* ---- mail ---- */

struct mail {
    struct mailbox *mailbox;
    struct letter *letter;
};

/* The lock is held and there is a wake. */
static struct mail write_mail(struct core *core)
{
    struct cookie cookie;
    struct grant *grant = memory_new(sizeof(*grant));
    bool woken = core_next_wake(core, &cookie, grant);
    ASSERT(woken);
    struct letter *letter = letter_new(cookie.number, GATE_LETTER_GRANT);
    letter->body = grant;
    letter->body_free = free;
    return (struct mail){.mailbox = cookie.owner, .letter = letter};
}

/* Releases the lock and posts at most a batch. True: there is more. */
static bool unlock_and_post_some(struct gate *gate)
{
    struct mail mails[MAIL_BATCH];
    size_t count = 0;
    while (count < MAIL_BATCH && core_any_wake(gate->core))
        mails[count++] = write_mail(gate->core);
    bool more = core_any_wake(gate->core);
    bool wishes = gate->dozing && core_wants_growth(gate->core);
    gate->dozing = gate->dozing && !wishes; /* one call is enough */
    pthread_mutex_unlock(&gate->lock);
    if (wishes)
        pthread_cond_signal(&gate->wish);
    for (size_t at = 0; at < count; at++)
        mailbox_post(mails[at].mailbox, mails[at].letter);
    return more;
}

/* Ends every section that may have woken somebody. */
static void unlock_and_post(struct gate *gate)
{
    while (unlock_and_post_some(gate))
        enter(gate);
}

/* ---- the core's functions behind the lock ---- */

void gate_redefine(struct gate *gate, const struct core_options *options)
{
    enter(gate);
    core_redefine(gate->core, options);
    atomic_store_explicit(&gate->any_usd, core_any_usd(gate->core), memory_order_relaxed);
    unlock_and_post(gate);
}

void gate_reserve(struct gate *gate, struct ask *ask, struct mailbox *mailbox, uint64_t to,
                  struct grant *grant)
{
    ask->cookie = (struct cookie){.owner = mailbox, .number = to};
    enter(gate);
    core_reserve(gate->core, ask, grant);
    unlock_and_post(gate);
}

void gate_prepare(struct gate *gate, const struct ask *ask)
{
    enter(gate);
    core_prepare(gate->core, ask);
    unlock_and_post(gate);
}

void gate_reserve_fact(struct gate *gate, const struct subject *subject, int64_t now_s,
                       struct grant *grant)
{
    enter(gate);
    core_reserve_fact(gate->core, subject, now_s, grant);
    unlock_and_post(gate);
}

void gate_rehold(struct gate *gate, const struct subject *subject, const struct spend *held,
                 int64_t made_s, struct grant *grant)
{
    enter(gate);
    core_rehold(gate->core, subject, held, made_s, grant);
    unlock_and_post(gate);
}

void gate_extend(struct gate *gate, uint64_t hold, int64_t output, struct grant *grant)
{
    enter(gate);
    core_extend(gate->core, hold, output, grant);
    unlock_and_post(gate);
}

bool gate_waits_for_lessor(struct gate *gate, uint64_t waiter)
{
    enter(gate);
    bool waits = core_waits_for_lessor(gate->core, waiter);
    unlock_and_post(gate);
    return waits;
}

bool gate_time_is_up(struct gate *gate, uint64_t waiter, int64_t now_s, struct grant *grant)
{
    enter(gate);
    bool decided = core_time_is_up(gate->core, waiter, now_s, grant);
    unlock_and_post(gate);
    return decided;
}

bool gate_leave(struct gate *gate, uint64_t waiter)
{
    enter(gate);
    bool left = core_leave(gate->core, waiter);
    unlock_and_post(gate);
    return left;
}

void gate_book(struct gate *gate, uint64_t hold, const struct spend *used, struct money *over)
{
    enter(gate);
    core_book(gate->core, hold, used, over);
    unlock_and_post(gate);
}

void gate_release(struct gate *gate, const uint64_t *holds, size_t count)
{
    enter(gate);
    for (size_t at = 0; at < count; at++)
        core_release(gate->core, holds[at]);
    unlock_and_post(gate);
}

void gate_settle(struct gate *gate, uint64_t hold, const struct spend *used, struct money *over)
{
    enter(gate);
    core_settle(gate->core, hold, used, over);
    unlock_and_post(gate);
}

/* ---- in portions ---- */

/* Accounts; some thirty microseconds, three hundred of rolling windows. */
#define PORTION 128

/* The same where an account is only looked at. */
#define GLANCE_PORTION 1024

/* A mutex is not fair: who has just left it would be back before whom that woke has come. */
static void give_way(struct gate *gate)
{
    for (int turns = 0; turns < 1000 && atomic_load(&gate->queue) > 0; turns++)
        sched_yield();
}

void gate_refund(struct gate *gate, const struct refund *list, size_t count)
{
    struct refunds *refunds = refunds_open(list, count);
    bool more = true;
    while (more) {
        give_way(gate);
        enter(gate);
        more = core_refund_some(gate->core, refunds, PORTION);
        unlock_and_post(gate);
    }
    refunds_close(refunds);
}

static size_t look_at_all(struct gate *gate, struct survey *survey)
{
    bool more = true;
    while (more) {
        give_way(gate);
        enter(gate);
        more = core_survey(gate->core, survey, PORTION);
        pthread_mutex_unlock(&gate->lock);
    }
    survey_end(survey);
    return survey->count;
}

size_t gate_view(struct gate *gate, const struct subject *subject, bool everything, int64_t now_s,
                 struct account_view *views, size_t most)
{
    if (everything) {
        struct survey survey = {.now_s = now_s, .views = views, .most = most};
        return look_at_all(gate, &survey);
    }
    enter(gate);
    size_t count = core_view(gate->core, subject, false, now_s, views, most);
    pthread_mutex_unlock(&gate->lock);
    return count;
}

bool gate_tightest(struct gate *gate, const struct subject *subject, int64_t now_s,
                   struct account_view *view)
{
    enter(gate);
    bool found = core_tightest(gate->core, subject, now_s, view);
    pthread_mutex_unlock(&gate->lock);
    return found;
}

size_t gate_sums(struct gate *gate, int64_t now_s, struct budget_sum *sums, size_t most)
{
    struct survey survey = {.now_s = now_s, .sums = sums, .most = most};
    return look_at_all(gate, &survey);
}

bool gate_has_room(struct gate *gate, int64_t now_s)
{
    struct room_look room = {.now_s = now_s};
    bool more = true;
    while (more) {
        give_way(gate);
        enter(gate);
        more = core_look_for_room(gate->core, &room, GLANCE_PORTION);
        pthread_mutex_unlock(&gate->lock);
    }
    return room.has;
}

bool gate_any_usd(const struct gate *gate)
{
    return atomic_load_explicit(&gate->any_usd, memory_order_relaxed);
}

size_t gate_open_holds(struct gate *gate)
{
    enter(gate);
    size_t count = core_open_holds(gate->core);
    pthread_mutex_unlock(&gate->lock);
    return count;
}

/* ---- for the treasury ---- */

void gate_watch(struct gate *gate, const struct clock *clock)
{
    lock(gate);
    gate->clock = clock;
    pthread_mutex_unlock(&gate->lock);
}

struct core *gate_enter(struct gate *gate)
{
    enter(gate);
    return gate->core;
}

void gate_exit(struct gate *gate)
{
    unlock_and_post(gate);
}

void gate_doze(struct gate *gate, int64_t wait_ms, bool eager)
{
    const struct timespec end = condition_moment_in(wait_ms);
    int result = 0;
    while (result == 0 && !gate->roused && !(eager && core_wants_growth(gate->core))) {
        gate->dozing = eager;
        result = pthread_cond_timedwait(&gate->wish, &gate->lock, &end);
    }
    gate->dozing = false;
    gate->roused = false;
}

void gate_rouse(struct gate *gate)
{
    enter(gate);
    gate->roused = true;
    pthread_mutex_unlock(&gate->lock);
    pthread_cond_signal(&gate->wish);
}
