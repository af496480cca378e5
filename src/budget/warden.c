/* The warden: the thread that carries out what the lessee says. */
#include "budget/warden.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "budget/rates_lessee.h"
#include "budget/rates_wire.h"

/* The thread looks at its state at least so often. */
#define DOZE_MOST_MS 60000

struct warden {
    struct warden_options options;
    struct rates_lessee *lessee; /* within rates_gate_hold */
    struct buffer words;         /* the thread's, as what follows */
    struct rates_reply reply;
    bool away;
    bool retired; /* the thread has ended */
    pthread_t thread;
    atomic_bool stopping, heard;
    _Atomic int64_t instances, operations;
};

static int64_t now_us(const struct warden *warden)
{
    return clock_steady_us(warden->options.clock);
}

/* ---- without the lock ---- */

/* Where nothing is limited nobody wants to know. */
static void tell_away(struct warden *warden, bool away, const char *why)
{
    if (rates_gate_accounts(warden->options.gate) == 0)
        return;
    if (away && !warden->away)
        log_error("the store of rate limits does not answer: until it does each instance keeps to "
                  "its part of them: %s",
                  why);
    if (!away && warden->away)
        log_info("the store of rate limits answers again");
    warden->away = away;
}

/* False: no answer, or none to be believed. */
static bool ask(struct warden *warden, const struct rates_request *request)
{
    struct lessor *lessor = warden->options.lessor;
    struct fault fault = {0};
    buffer_clear(&warden->words);
    size_t count = rates_wire_put(&warden->words, request);
    struct redisReply *answer = lessor_call(lessor, buffer_text(&warden->words), count);
    bool good = answer != NULL && rates_wire_read(answer, request, &warden->reply, &fault);
    tell_away(warden, !good, answer == NULL ? lessor_trouble(lessor) : fault.message);
    lessor_free(answer);
    return good;
}

/* ---- the thread ---- */

static void show_state(struct warden *warden)
{
    atomic_store_explicit(&warden->heard, rates_lessee_is_heard(warden->lessee),
                          memory_order_relaxed);
    atomic_store_explicit(&warden->instances, rates_lessee_instances(warden->lessee),
                          memory_order_relaxed);
}

/* Within rates_gate_hold, and so left. */
static void carry_out(struct warden *warden, const struct rates_request *request)
{
    struct rates_gate *gate = warden->options.gate;
    rates_gate_note_waiters(gate);
    rates_gate_exit(gate);
    int64_t sent_us = now_us(warden);
    bool good = ask(warden, request);
    atomic_fetch_add_explicit(&warden->operations, 1, memory_order_relaxed);
    rates_gate_hold(gate);
    rates_lessee_take(warden->lessee, sent_us, now_us(warden), good ? &warden->reply : NULL);
    rates_gate_wake_waiters(gate);
    show_state(warden);
}

static void doze(struct warden *warden, int64_t until_us)
{
    int64_t now = now_us(warden);
    int64_t wait_ms = until_us > now ? (until_us - now + 999) / 1000 : 0;
    rates_gate_doze(warden->options.gate, wait_ms < DOZE_MOST_MS ? wait_ms : DOZE_MOST_MS);
}

static void *warden_run(void *context)
{
    struct warden *warden = context;
    struct rates_request request;
    int64_t until_us = 0;
    bool retiring = false;
    rates_gate_hold(warden->options.gate);
    for (;;) {
        if (rates_lessee_next(warden->lessee, now_us(warden), &request, &until_us)) {
            carry_out(warden, &request);
        } else if (retiring) {
            break;
        } else if (atomic_load(&warden->stopping)) {
            retiring = true;
            rates_lessee_retire(warden->lessee);
        } else {
            doze(warden, until_us);
        }
    }
    rates_gate_note_waiters(warden->options.gate);
    rates_gate_wake_waiters(warden->options.gate);
    rates_gate_exit(warden->options.gate);
    return NULL;
}

/* ---- opening and closing ---- */

static void make_id(char id[RATES_ID_SIZE])
{
    uint64_t random[2];
    ssize_t got = getrandom(random, sizeof random, 0);
    ASSERT(got == (ssize_t)sizeof random);
    snprintf(id, RATES_ID_SIZE, "%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
}

struct warden *warden_open(const struct warden_options *options)
{
    struct warden *warden = memory_new(sizeof *warden);
    char id[RATES_ID_SIZE];
    make_id(id);
    warden->options = *options;
    struct rates_core *core = rates_gate_hold(options->gate);
    rates_lease(core, clock_wall_us(options->clock) - now_us(warden));
    warden->lessee = rates_lessee_open(core, id, options->instances);
    rates_gate_exit(options->gate);
    int result = pthread_create(&warden->thread, NULL, warden_run, warden);
    ASSERT(result == 0);
    return warden;
}

void warden_retire(struct warden *warden)
{
    if (warden == NULL || warden->retired)
        return;
    atomic_store(&warden->stopping, true);
    rates_gate_rouse(warden->options.gate);
    pthread_join(warden->thread, NULL);
    warden->retired = true;
}

void warden_close(struct warden *warden)
{
    if (warden == NULL)
        return;
    warden_retire(warden);
    rates_lessee_close(warden->lessee);
    buffer_close(&warden->words);
    free(warden);
}

bool warden_is_heard(const struct warden *warden)
{
    return atomic_load_explicit(&warden->heard, memory_order_relaxed);
}

int64_t warden_instances(const struct warden *warden)
{
    return atomic_load_explicit(&warden->instances, memory_order_relaxed);
}

int64_t warden_operations(const struct warden *warden)
{
    return atomic_load_explicit(&warden->operations, memory_order_relaxed);
}
