/*
 * The house: what all workers share for as long as the process lives. Built once by cli/serve.c,
 * read-only afterwards but for what has a lock of its own (gate, rates, ledger, clerk, registrar,
 * reader, guests, bookings). What a reload of the configuration may change is in terms.h.
 */
#ifndef PURSER_PIPELINE_HOUSE_H
#define PURSER_PIPELINE_HOUSE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/table.h"
#include "books/clerk.h"
#include "books/ledger.h"
#include "budget/gate.h"
#include "budget/rates_gate.h"
#include "budget/registrar.h"
#include "budget/treasury.h"
#include "budget/warden.h"
#include "cache/cache.h"
#include "gear/bell.h"
#include "gear/drift.h"
#include "gear/reader.h"
#include "gear/tally.h"
#include "pipeline/recall.h"

/* Keys that an upstream has accepted, in passthrough mode. */
struct guests {
    pthread_mutex_t lock;
    struct table accepted; /* key id → itself */
};

/* Costs from elsewhere whose idempotency key the clerk is looking for: no two at a time. */
struct bookings {
    pthread_mutex_t lock;
    struct table names; /* "<key id>\n<idempotency key>" → this */
};

struct house {
    struct bell *bell; /* for the main thread */
    struct gate *gate;
    struct rates_gate *rates;
    struct warden *warden; /* NULL: rate limits are not shared */
    struct treasury *treasury;
    struct ledger *ledger;
    struct clerk *clerk;
    struct registrar *registrar;
    struct reader *reader; /* of uploaded files */
    struct cache *cache;
    atomic_uint_fast64_t recalled[RECALL_STATE_COUNT]; /* requests, by what came of asking it */
    uint8_t secret[KEYED_HASH_KEY];                    /* of the fingerprints */
    struct guests guests;
    struct bookings bookings;
    struct tallies tallies; /* the workers' */
    struct drift drift;
    size_t calls_most; /* at upstreams, those that outlived their client included; 0: no limit */
    atomic_size_t calls;
    atomic_size_t pledges, pledges_tried; /* and those whose provider cannot be asked */
    atomic_bool stopping;                 /* set once: new requests are refused */
    atomic_bool unread;    /* budgets may have been made at run time that are not known yet */
    atomic_size_t misfits; /* made at run time, and not in force: the file contradicts them */
};

/* A key of passthrough mode was accepted by an upstream; and whether it was. Any thread. */
void house_accept_guest(struct house *house, struct text key_id);
bool house_knows_guest(struct house *house, struct text key_id);

/* Begins the booking of that name; false if it is under way. What was begun is ended. Any thread.
 */
MUST_USE bool house_begin_booking(struct house *house, struct text name);
void house_end_booking(struct house *house, struct text name);

#endif
