/* The treasury: the thread that carries out what the lease says. */
#include "budget/treasury.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"

/* The thread looks at its state at least so often. */
#define DOZE_MOST_MS 60000

struct treasury {
    struct treasury_options options;
    struct core *core; /* within gate_enter, as the lease */
    struct lease *lease;
    struct store_reply reply;
    pthread_t thread;
    bool failing;                     /* the last commit did; the thread's */
    bool away;                        /* the store, when it was asked last; the thread's */
    bool mute;                        /* likewise, and it did not answer at all; the thread's */
    bool crowded;                     /* it was told that they are too many; the thread's */
    struct fault waits_for;           /* as it said last: replicas that must know who joins */
    enum lease_state told;            /* in the log; the thread's */
    char missing[STORE_JOURNAL_SIZE]; /* likewise: who is waited for */
    bool doubting;    /* the wall clock is ahead of what is believed; the thread's */
    bool overdrawing; /* it was told that budgets go on without a store; the thread's */
    bool retired;     /* the thread has ended */
    atomic_bool stopping;
    pthread_mutex_t lock; /* of `brief` */
    struct fault brief;
    _Atomic(enum lease_state) state;
    atomic_bool grants;
};

static int64_t now_ms(const struct treasury *treasury)
{
    return clock_steady_us(treasury->options.clock) / 1000;
}

/* ---- carrying out; without the gate's lock ---- */

static bool say_noted(struct treasury *treasury, bool done, const struct fault *fault)
{
    if (!done && !treasury->failing)
        log_error("ceilings cannot be noted, so no budget can grow: %s", fault->message);
    if (done && treasury->failing)
        log_info("ceilings can be noted again");
    treasury->failing = !done;
    return done;
}

static void say_overdrawn(struct treasury *treasury)
{
    if (!treasury->overdrawing)
        log_warn("the store of budgets does not answer, and on_store_away lets budgets go on "
                 "without it: what is spent from now on may be above their limits (overdraft in "
                 "/budget)");
    treasury->overdrawing = true;
}

static bool commit(struct treasury *treasury, const struct lease_action *action)
{
    struct fault fault;
    bool done =
        vault_note(treasury->options.vault, action->rows, action->row_count, action->now_s, &fault);
    if (done && action->overdrawn)
        say_overdrawn(treasury);
    return say_noted(treasury, done, &fault);
}

static bool mark(struct treasury *treasury, const struct lease_action *action)
{
    struct fault fault;
    bool done = vault_mark(treasury->options.vault, action->mark, &fault);
    return say_noted(treasury, done, &fault);
}

static void show_trouble(struct treasury *treasury, const char *brief)
{
    pthread_mutex_lock(&treasury->lock);
    (void)fault_set(&treasury->brief, "%s", brief);
    pthread_mutex_unlock(&treasury->lock);
}

static void tell_crowd(struct treasury *treasury)
{
    if (treasury->reply.verdict != STORE_OK)
        return;
    bool crowded = treasury->reply.instances > STORE_MEMBERS_MOST;
    if (crowded && !treasury->crowded)
        log_warn("%lld instances share the store of budgets: of more than %d none is told of the "
                 "others, so nobody vouches for those who come now, nor names them after a loss of "
                 "data (`purser budget leave` those that are gone)",
                 (long long)treasury->reply.instances, STORE_MEMBERS_MOST);
    treasury->crowded = crowded;
}

static void ask(struct treasury *treasury, const struct lease_action *action)
{
    struct lessor *lessor = treasury->options.lessor;
    lessor_ask(lessor, action->request, &treasury->reply);
    bool away = treasury->reply.verdict == STORE_AWAY;
    bool waiting = away && lessor_waits(lessor);
    bool same = strcmp(lessor_trouble(lessor), treasury->waits_for.message) == 0;
    show_trouble(treasury, away ? lessor_brief(lessor) : "");
    if (waiting && !same)
        log_warn("the store of budgets answers, but does not take this instance in yet: %s",
                 lessor_trouble(lessor));
    (void)fault_set(&treasury->waits_for, "%s", waiting ? lessor_trouble(lessor) : "");
    if (away && !waiting && !treasury->mute)
        log_error("the store of budgets does not answer, so no budget can grow: %s",
                  lessor_trouble(lessor));
    if (!away && treasury->away)
        log_info("the store of budgets answers again");
    tell_crowd(treasury);
    treasury->away = away;
    treasury->mute = away && !waiting;
    treasury->overdrawing = treasury->overdrawing && away;
}

/* ---- the thread ---- */

static void show_state(struct treasury *treasury)
{
    atomic_store_explicit(&treasury->state, lease_state(treasury->lease), memory_order_relaxed);
    atomic_store_explicit(&treasury->grants, lease_grants(treasury->lease), memory_order_relaxed);
}

/* Again when it is another one. */
static void tell_missing(struct treasury *treasury, const struct lease_news *news)
{
    if (news->missing[0] == '\0' || strcmp(news->missing, treasury->missing) == 0)
        return;
    memcpy(treasury->missing, news->missing, sizeof(treasury->missing));
    log_warn("the store of budgets waits for %lld more, of them the instance %.12s (`purser budget "
             "list` shows all; one that will not come back: `purser budget leave %.12s`)",
             (long long)news->absent, news->missing, news->missing);
}

/* That it does not answer, and does again, `ask` says. */
static void tell_news(struct treasury *treasury)
{
    struct lease_news news = lease_news(treasury->lease);
    if (news.state == LEASE_RECOVERING)
        tell_missing(treasury, &news);
    if (news.state == treasury->told || news.state == LEASE_GONE)
        return;
    treasury->told = news.state;
    if (news.state != LEASE_RECOVERING)
        treasury->missing[0] = '\0';
    if (news.state == LEASE_OPEN)
        log_info("the store of budgets is open (epoch %lld, instances: %lld)",
                 (long long)news.epoch, (long long)news.instances);
    if (news.state == LEASE_RECOVERING)
        log_warn("the store of budgets recovers: no budget grows until all instances have told "
                 "what they have (missing: %lld)",
                 (long long)news.absent);
    if (news.state == LEASE_NEWCOMER)
        log_info("this instance is new to the store of budgets: no budget grows until another one "
                 "has vouched for it (if none is left that could, `purser budget leave` those that "
                 "will not come back)");
    if (news.state == LEASE_EMPTY)
        log_error(
            "the store of budgets is empty: `purser budget init --config FILE` sets it up (if "
            "it has lost its data, with --instances N: so many as shared it); until then no "
            "budget can grow");
}

static void check_clock(struct treasury *treasury, struct core *core)
{
    int64_t wall_ms = clock_wall_us(treasury->options.clock) / 1000;
    bool believed = core_check_clock(core, wall_ms, now_ms(treasury));
    if (!believed && !treasury->doubting)
        log_warn("the clock was put forward: budgets' windows follow the time that passed since "
                 "purser began, until both agree");
    treasury->doubting = !believed;
}

/* Within gate_enter, and so left. True: it rests. */
static bool step(struct treasury *treasury, struct lease_action *action)
{
    struct gate *gate = treasury->options.gate;
    bool done = false;
    check_clock(treasury, treasury->core);
    lease_next(treasury->lease, now_ms(treasury), clock_wall_us(treasury->options.clock) / 1000000,
               action);
    show_state(treasury);
    gate_exit(gate);
    if (action->step == LEASE_COMMIT)
        done = commit(treasury, action);
    if (action->step == LEASE_MARK)
        done = mark(treasury, action);
    if (action->step == LEASE_ASK)
        ask(treasury, action);
    gate_enter(gate);
    if (action->step == LEASE_COMMIT || action->step == LEASE_MARK)
        lease_committed(treasury->lease, now_ms(treasury), done);
    if (action->step == LEASE_ASK)
        lease_replied(treasury->lease, now_ms(treasury), &treasury->reply);
    show_state(treasury);
    tell_news(treasury);
    return action->step == LEASE_REST;
}

static void doze(struct treasury *treasury, const struct lease_action *action)
{
    int64_t wait_ms = action->until_ms - now_ms(treasury);
    if (wait_ms > DOZE_MOST_MS)
        wait_ms = DOZE_MOST_MS;
    if (wait_ms > 0)
        gate_doze(treasury->options.gate, wait_ms, action->eager);
}

static void *treasury_run(void *context)
{
    struct treasury *treasury = context;
    struct lease_action action;
    bool retiring = false;
    gate_enter(treasury->options.gate);
    for (;;) {
        bool rests = step(treasury, &action);
        if (rests && retiring && action.until_ms == INT64_MAX)
            break;
        if (atomic_load(&treasury->stopping) && !retiring) {
            retiring = true;
            lease_retire(treasury->lease);
        } else if (rests) {
            doze(treasury, &action);
        }
    }
    gate_exit(treasury->options.gate);
    return NULL;
}

/* ---- opening and closing ---- */

struct treasury *treasury_open(const struct treasury_options *options, const struct charge *rows,
                               size_t count)
{
    struct treasury *treasury = memory_new(sizeof(*treasury));
    const struct vault_identity *identity = vault_identity(options->vault);
    treasury->options = *options;
    pthread_mutex_init(&treasury->lock, NULL);
    treasury->told = options->lessor == NULL ? LEASE_EMBEDDED : LEASE_GONE;
    if (options->lessor != NULL)
        gate_watch(options->gate, options->clock);
    treasury->core = gate_enter(options->gate);
    check_clock(treasury, treasury->core);
    struct lease_options lease = {.core = treasury->core,
                                  .shared = options->lessor != NULL,
                                  .incarnation = identity->incarnation,
                                  .mark = identity->mark,
                                  .label = options->label};
    memcpy(lease.journal, identity->journal, sizeof(lease.journal));
    treasury->lease = lease_open(&lease, rows, count);
    show_state(treasury);
    gate_exit(options->gate);
    int result = pthread_create(&treasury->thread, NULL, treasury_run, treasury);
    ASSERT(result == 0);
    return treasury;
}

void treasury_retire(struct treasury *treasury)
{
    if (treasury == NULL || treasury->retired)
        return;
    atomic_store(&treasury->stopping, true);
    gate_rouse(treasury->options.gate);
    pthread_join(treasury->thread, NULL);
    treasury->retired = true;
}

void treasury_close(struct treasury *treasury)
{
    if (treasury == NULL)
        return;
    treasury_retire(treasury);
    lease_close(treasury->lease);
    pthread_mutex_destroy(&treasury->lock);
    free(treasury);
}

enum lease_state treasury_state(const struct treasury *treasury)
{
    if (treasury == NULL)
        return LEASE_EMBEDDED;
    return atomic_load_explicit(&treasury->state, memory_order_relaxed);
}

bool treasury_grants(const struct treasury *treasury)
{
    return treasury == NULL || atomic_load_explicit(&treasury->grants, memory_order_relaxed);
}

void treasury_trouble(struct treasury *treasury, struct fault *brief)
{
    pthread_mutex_lock(&treasury->lock);
    *brief = treasury->brief;
    pthread_mutex_unlock(&treasury->lock);
}
