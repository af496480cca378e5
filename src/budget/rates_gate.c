/*
 * One mutex around the rate limits.
 */
#include "budget/rates_gate.h"

#include <pthread.h>
#include <stdlib.h>

struct rates_gate {
    struct rates_core *core;
    pthread_mutex_t lock; /* guards the core */
};

struct rates_gate *rates_gate_open(size_t most)
{
    struct rates_gate *gate = memory_new(sizeof *gate);
    gate->core = rates_open(most);
    pthread_mutex_init(&gate->lock, NULL);
    return gate;
}

void rates_gate_close(struct rates_gate *gate)
{
    if (gate == NULL)
        return;
    rates_close(gate->core);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

void rates_gate_enter(struct rates_gate *gate, struct rates_pass **pass,
                      const struct rates_ask *ask, struct rates_answer *answer)
{
    pthread_mutex_lock(&gate->lock);
    rates_enter(gate->core, pass, ask, answer);
    pthread_mutex_unlock(&gate->lock);
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

void rates_gate_lease(struct rates_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    rates_lease(gate->core);
    pthread_mutex_unlock(&gate->lock);
}

size_t rates_gate_list(struct rates_gate *gate, struct rates_place *place,
                       struct rates_counter counters[RATES_COUNTERS_MOST])
{
    pthread_mutex_lock(&gate->lock);
    size_t count = rates_list(gate->core, place, counters);
    pthread_mutex_unlock(&gate->lock);
    return count;
}

bool rates_gate_grant(struct rates_gate *gate, const struct rates_counter *of, int64_t more)
{
    pthread_mutex_lock(&gate->lock);
    bool granted = rates_grant(gate->core, of, more);
    pthread_mutex_unlock(&gate->lock);
    return granted;
}

int64_t rates_gate_trim(struct rates_gate *gate, const struct rates_counter *of, int64_t least)
{
    pthread_mutex_lock(&gate->lock);
    int64_t share = rates_trim(gate->core, of, least);
    pthread_mutex_unlock(&gate->lock);
    return share;
}
