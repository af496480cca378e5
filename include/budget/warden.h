/*
 * The warden: a thread that alone talks to Redis about rate limits, on a connection of its own, so
 * that neither these nor budgets wait for the other. It asks what the lessee says (rates_lessee.h)
 * and wakes who waited. A request that finds a share meets none of this.
 */
#ifndef PURSER_BUDGET_WARDEN_H
#define PURSER_BUDGET_WARDEN_H

#include "base/clock.h"
#include "budget/lessor.h"
#include "budget/rates_gate.h"

struct warden_options {
    struct rates_gate *gate; /* nobody has entered yet; outlives the warden */
    struct lessor *lessor;   /* with rates_script; the warden's until it is closed */
    const struct clock *clock;
    int64_t instances; /* that shared when the last process heard of them; 0: not known */
};

struct warden;

struct warden *warden_open(const struct warden_options *options);

/* Gives back what is not used and ends the thread. Who enters from now on has what was left. */
void warden_retire(struct warden *warden); /* NULL-safe */
void warden_close(struct warden *warden);  /* retires it if that was not done. NULL-safe */

/* For people: any thread, lock-free. */
bool warden_is_heard(const struct warden *warden);      /* the store answers */
int64_t warden_instances(const struct warden *warden);  /* that share; 0: not known */
int64_t warden_operations(const struct warden *warden); /* asked of the store so far */

#endif
