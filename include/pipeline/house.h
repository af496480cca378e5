/*
 * The house: what all workers share. Built once by cli/serve.c, read-only afterwards but for what
 * has a lock of its own (gate, ledger, clerk, guests, bookings).
 */
#ifndef PURSER_PIPELINE_HOUSE_H
#define PURSER_PIPELINE_HOUSE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/table.h"
#include "books/clerk.h"
#include "books/ledger.h"
#include "budget/gate.h"
#include "money/catalog.h"
#include "upstream/upstream.h"

enum admission_mode { ADMISSION_KEYS, ADMISSION_OPEN, ADMISSION_PASSTHROUGH };
enum session_naming { SESSION_FREE, SESSION_MUST_BE_NAMED, SESSION_IS_THE_KEY };

/* What a caller may name itself. */
enum naming { NAMING_SESSION = 1, NAMING_LABEL = 2, NAMING_TAGS = 4, NAMING_USER = 8 };

/* A caller's key. */
struct key {
    struct text id;
    struct text user, team;
    struct text tags[SUBJECT_MAX_TAGS];
    size_t tag_count;
    const struct text *models; /* patterns; none: all */
    size_t model_count;
    unsigned may_set;
    enum session_naming session;
    bool may_book; /* costs from elsewhere */
};

struct admission_options {
    enum admission_mode mode;
    uint8_t admin_digest[32]; /* SHA-256 of the admin token */
    bool has_admin;
    struct table keys;          /* SHA-256 of the key (32 bytes) → struct key */
    struct key guest;           /* in open mode everybody; in passthrough the mould of a key */
    const struct text *origins; /* web pages that may call */
    size_t origin_count;
};

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
    struct admission_options admission;
    const struct upstream *upstreams;
    size_t upstream_count;
    const struct catalog *catalog;
    struct gate *gate;
    struct ledger *ledger;
    struct clerk *clerk;
    struct guests guests;
    struct bookings bookings;
    size_t body_most;  /* bytes of a request body */
    size_t calls_most; /* at upstreams, those that outlived their client included; 0: no limit */
    atomic_size_t calls;
    int64_t request_ms, drain_ms, wait_ms;
    int budget_status; /* of an exhausted budget */
    bool hide_amounts, show_shared, log_access;
    atomic_bool stopping; /* set once: new requests are refused */
};

/* A key of passthrough mode was accepted by an upstream; and whether it was. Any thread. */
void house_accept_guest(struct house *house, struct text key_id);
bool house_knows_guest(struct house *house, struct text key_id);

/* Begins the booking of that name; false if it is under way. What was begun is ended. Any thread.
 */
MUST_USE bool house_begin_booking(struct house *house, struct text name);
void house_end_booking(struct house *house, struct text name);

#endif
