/*
 * The treasury: a thread that alone talks to the disk and to the store about ceilings. It asks the
 * lease (lease.h) what to do, under the gate's lock, does it without the lock, and tells how it
 * went. Whoever waited for growth gets a letter from the gate.
 *
 * A request that finds headroom meets none of this. One that does not finds the treasury asleep or
 * at a commit; all who come meanwhile share the next one.
 */
#ifndef PURSER_BUDGET_TREASURY_H
#define PURSER_BUDGET_TREASURY_H

#include "base/clock.h"
#include "budget/gate.h"
#include "budget/lease.h"
#include "budget/lessor.h"
#include "budget/vault.h"

struct treasury_options {
    struct gate *gate;     /* its core is leased; outlives the treasury */
    struct vault *vault;   /* the treasury's until it is closed */
    struct lessor *lessor; /* used on the thread only; outlives it. NULL: alone (embedded) */
    struct text label;     /* this instance's name, for people */
    const struct clock *clock;
};

struct treasury;

/* `rows`: the vault's, for each of which gate_restore_ceiling was called; copied. */
struct treasury *treasury_open(const struct treasury_options *options, const struct charge *rows,
                               size_t count);

/* Gives back what is not spent or held, ends the thread, and stays otherwise: its letters may still
 * be under way. Requests that would need growth wait in vain from now on. */
void treasury_retire(struct treasury *treasury);
/* Retires it if that was not done. NULL-safe. */
void treasury_close(struct treasury *treasury);

/* As the lease says; any thread, lock-free. No treasury (NULL) is LEASE_EMBEDDED. */
enum lease_state treasury_state(const struct treasury *treasury);
bool treasury_grants(const struct treasury *treasury);
/* Why the store has not answered lately, in short (lessor_brief); empty if it has. Any thread. */
void treasury_trouble(struct treasury *treasury, struct fault *brief);

#endif
