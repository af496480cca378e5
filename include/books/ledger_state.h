/*
 * The inside of the ledger. Of ledger.c, batch.c and bookkeeper.c alone; everybody else includes
 * books/ledger.h.
 */
#ifndef PURSER_BOOKS_LEDGER_STATE_H
#define PURSER_BOOKS_LEDGER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "books/chain.h"
#include "books/journal.h"
#include "books/ledger.h"

/* A descriptor that is no longer written to. Only the bookkeeper closes it, because it may be
 * syncing it at that moment. */
struct retired {
    struct retired *next;
    int fd;
    bool spoiled; /* a sync of it failed: what the kernel has of it cannot be trusted */
};

struct ledger {
    /* fixed when it is open */
    char *node;
    const struct clock *clock;
    int64_t begun_us, begun_steady_us; /* what it said when the ledger was opened */
    int64_t fsync_ms;
    int64_t rotate_bytes;
    int lock_fd;               /* journal.lock */
    struct balances *given_up; /* the holds that were forfeited at the opening */

    pthread_mutex_t lock; /* guards what follows; never held during a sync */
    char *price_version;
    struct journal journal;
    struct chain chain;
    struct balances *balances;
    struct buffer out; /* the write in progress; kept for its memory */
    bool renew;        /* the file must be left: a sync of it failed */
    bool dirty;        /* written since the last sync began */
    bool new_name;     /* a file was made: its directory wants a sync */
    struct retired *retired;
    bool stopping;
    pthread_cond_t wake; /* the bookkeeper's: dirty, retired or stopping were set */

    pthread_t bookkeeper;
    bool started;
    atomic_bool write_failing;
    atomic_bool sync_failing;
};

/* All of these with the lock held. */

/* Forgets accounts that count no more: by the wall clock, but as if no more time had passed since
 * the ledger was opened than steady time. So one that is put forward by mistake forgets nothing. */
void ledger_sweep(struct ledger *ledger);

/* Leaves the file if it is full, of another day or spoiled. */
MUST_USE bool ledger_rotate_if_due(struct ledger *ledger, struct fault *fault);

/* Appends an `open` line to the file: says nothing new, but shows whether writing works. */
MUST_USE bool ledger_append_open(struct ledger *ledger, struct fault *fault);

/* Appends what stands in `ledger->out`, lines sealed since `before`; on a failure the chain goes
 * back there. Notes failing and dirty. */
MUST_USE bool ledger_append(struct ledger *ledger, struct chain_place before, struct fault *fault);

/* Closes what was retired, after syncing it; and syncs the file. For the thread, and for closing
 * without one. Takes and leaves the lock held, but frees it while the disk works. */
void ledger_sync_round(struct ledger *ledger);

void *ledger_bookkeeper(void *ledger); /* the thread; takes the lock itself */

#endif
