/*
 * One mutex around the rate limits.
 */
#include "budget/rates_gate.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/condition.h"

struct rates_gate {
    struct rates_core *core;
    pthread_mutex_t lock; /* guards the core, and what follows */
    struct rates_waiter *waiters;
    pthread_cond_t wish; /* the warden's: something is urgent, or `roused` was set */
    bool dozing;         /* it waits for that */
    bool roused;
};

struct rates_gate *rates_gate_open(size_t most)
{
    struct rates_gate *gate = memory_new(sizeof *gate);
    gate->core = rates_open(most);
    pthread_mutex_init(&gate->lock, NULL);
    condition_open(&gate->wish);
    return gate;
}

void rates_gate_close(struct rates_gate *gate)
{
    if (gate == NULL)
        return;
    ASSERT(gate->waiters == NULL);
    rates_close(gate->core);
    pthread_cond_destroy(&gate->wish);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

/* ---- waiters ---- */

static void add_waiter(struct rates_gate *gate, struct rates_waiter *waiter)
{
    waiter->before = NULL;
    waiter->after = gate->waiters;
    if (gate->waiters != NULL)
        gate->waiters->before = waiter;
    gate->waiters = waiter;
    waiter->waiting = true;
    waiter->asked = false;
}

static void drop_waiter(struct rates_gate *gate, struct rates_waiter *waiter)
{
    *(waiter->before != NULL ? &waiter->before->after : &gate->waiters) = waiter->after;
    if (waiter->after != NULL)
        waiter->after->before = waiter->before;
    waiter->before = waiter->after = NULL;
    waiter->waiting = false;
}

void rates_gate_forget(struct rates_gate *gate, struct rates_waiter *waiter)
{
    pthread_mutex_lock(&gate->lock);
    if (waiter->waiting)
        drop_waiter(gate, waiter);
    pthread_mutex_unlock(&gate->lock);
}

void rates_gate_note_waiters(struct rates_gate *gate)
{
    for (struct rates_waiter *waiter = gate->waiters; waiter != NULL; waiter = waiter->after)
        waiter->asked = true;
}

/* Posted with the lock: nobody may be forgotten, and its mailbox closed, between. */
void rates_gate_wake_waiters(struct rates_gate *gate)
{
    struct rates_waiter *next;
    for (struct rates_waiter *waiter = gate->waiters; waiter != NULL; waiter = next) {
        next = waiter->after;
        if (!waiter->asked)
            continue;
        drop_waiter(gate, waiter);
        mailbox_post(waiter->mailbox, letter_new(waiter->to, RATES_LETTER));
    }
}

/* ---- the core's functions behind the lock ---- */

/* One call is enough. */
static void unlock_and_call(struct rates_gate *gate)
{
    bool wishes = gate->dozing && rates_is_urgent(gate->core);
    gate->dozing = gate->dozing && !wishes;
    pthread_mutex_unlock(&gate->lock);
    if (wishes)
        pthread_cond_signal(&gate->wish);
}

void rates_gate_enter(struct rates_gate *gate, struct rates_pass **pass,
                      const struct rates_ask *ask, struct rates_waiter *waiter,
                      struct rates_answer *answer)
{
    pthread_mutex_lock(&gate->lock);
    rates_enter(gate->core, pass, ask, answer);
    if (answer->verdict == RATES_WAIT)
        add_waiter(gate, waiter);
    unlock_and_call(gate);
}

void rates_gate_leave(struct rates_gate *gate, struct rates_pass *pass, enum rates_end end,
                      int64_t tokens)
{
    if (pass == NULL)
        return;
    pthread_mutex_lock(&gate->lock);
    rates_leave(gate->core, pass, end, tokens);
    pthread_mutex_unlock(&gate->lock);
}

size_t rates_gate_accounts(struct rates_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    size_t count = rates_accounts(gate->core);
    pthread_mutex_unlock(&gate->lock);
    return count;
}

size_t rates_gate_passes(struct rates_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    size_t count = rates_passes(gate->core);
    pthread_mutex_unlock(&gate->lock);
    return count;
}

/* ---- for the warden ---- */

struct rates_core *rates_gate_hold(struct rates_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    return gate->core;
}

void rates_gate_exit(struct rates_gate *gate)
{
    pthread_mutex_unlock(&gate->lock);
}

void rates_gate_doze(struct rates_gate *gate, int64_t wait_ms)
{
    const struct timespec end = condition_moment_in(wait_ms);
    int result = 0;
    while (result == 0 && !gate->roused && !rates_is_urgent(gate->core)) {
        gate->dozing = true;
        result = pthread_cond_timedwait(&gate->wish, &gate->lock, &end);
    }
    gate->dozing = false;
    gate->roused = false;
}

void rates_gate_rouse(struct rates_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->roused = true;
    pthread_mutex_unlock(&gate->lock);
    pthread_cond_signal(&gate->wish);
}
