/*
 * The ledger: JSONL files, one per instance and day or `rotate_mb`, hash-chained, append only.
 *
 * Workers collect the entries of a turn in a batch of their own and commit it at the end of the
 * turn with one write; only then do the calls they announce start. A bookkeeper thread syncs
 * (fdatasync) and rotates; a slow disk delays neither append nor request.
 *
 * Files are <dir>/<YYYY-MM-DD>.<node>.<nnnn>.jsonl; <dir>/journal.lock is locked while a process
 * writes there: a second one does not start.
 *
 * Before a call relies on a larger hold, its EXTEND line is written: so after kill -9 a hold is
 * forfeited at what was last relied on, or more.
 *
 * Replay at open: the newest file is verified (chain of SHA-256 hashes, sequence) and read forward
 * from its last `open` line. A torn tail is cut at the last line whose chain holds; what was cut is
 * kept in <file>.torn. Holds that the dead process left open are forfeited: booked in full (but for
 * those that somebody goes on with). A file of the same day and node that is not full is continued,
 * by another `open` line. Not yet against power loss: lines not synced may be missing after one
 * (see the README).
 */
#ifndef PURSER_BOOKS_LEDGER_H
#define PURSER_BOOKS_LEDGER_H

#include "base/clock.h"
#include "base/table.h"
#include "books/balances.h"

struct ledger_options {
    const char *dir; /* created (0700) if missing, with what leads to it */
    struct text node;
    const struct clock *clock;
    int64_t fsync_ms;
    int64_t rotate_bytes;
    struct text price_version; /* goes into `open` lines */
    const struct table *kept;  /* calls whose open holds are not forfeited: somebody goes on with
                                  them; NULL: none */
};

struct ledger;
struct ledger_batch; /* one worker's; not thread-safe */

/* What replay found, for the log and for the budgets. */
struct ledger_replay {
    size_t lines;
    size_t forfeits; /* holds booked in full */
    struct money forfeited;
    size_t torn_bytes; /* cut off and kept aside */
};

/* Opens or creates, replays, repairs, writes an `open` line and the forfeits. Fails with what to do
 * if the directory cannot be written, is locked, or a file is damaged before its tail. The text
 * options are copied, the clock is not. */
MUST_USE struct ledger *ledger_open(const struct ledger_options *options,
                                    struct ledger_replay *replay, struct fault *fault);
/* Walks the balances after replay: for the budget gate, before anything is appended. */
bool ledger_next_balance(const struct ledger *ledger, size_t *at, struct charge *charge);

/* Likewise those of which something is forfeited (that in charge.amount). */
bool ledger_next_forfeited(const struct ledger *ledger, size_t *at, struct charge *charge);

/* Likewise those on which holds were forfeited at the opening (that in charge.amount). */
bool ledger_next_given_up(const struct ledger *ledger, size_t *at, struct charge *charge);

/* Forfeits that nobody has refunded: FORFEIT entries, the oldest first. */
struct ledger_forfeits {
    struct entry_copy *at;
    size_t count;
};
void ledger_forfeits_close(struct ledger_forfeits *forfeits);

/* Those of that request id or call; empty: all. To be closed. Any thread, as the next. */
void ledger_forfeits(struct ledger *ledger, struct text name, struct ledger_forfeits *found);

/* Refunds them, by a line for each: at once, all or none. `part` (NULL: all): so much of each unit;
 * the rest is spent then, and nobody refunds it any more. `refunds` (to be closed) tell those that
 * nobody had refunded before; there may be none. If one of them forfeited less than `part`, none is
 * given back. Only behind it may budgets give room for them. */
struct ledger_refunds {
    struct ledger_forfeits whole; /* as they were */
    struct ledger_forfeits given; /* each in its place, with what was given back as its cost and
                                     charges */
};
void ledger_refunds_close(struct ledger_refunds *refunds);
MUST_USE bool ledger_refund(struct ledger *ledger, struct text name, const struct spend *part,
                            struct ledger_refunds *refunds, struct fault *fault);

/* The most of each unit that can be given back of each of them. */
struct spend ledger_refund_most(const struct ledger_forfeits *forfeits);

/* Walks the holds that were kept, as the RESERVE entries they came from; valid until something is
 * appended. */
bool ledger_next_hold(const struct ledger *ledger, size_t *at, const struct entry **entry);

/* Starts the bookkeeper thread; after all forks. What was committed before is synced then. */
void ledger_start(struct ledger *ledger);

/* Writes a `close` line, syncs, stops the thread. All batches must be committed and closed.
 * True if everything is on disk. NULL-safe: then false. */
bool ledger_close(struct ledger *ledger);

/* Another catalog is in force: what `open` lines say from now on. Copied; any thread. */
void ledger_reprice(struct ledger *ledger, struct text price_version);

struct ledger_batch *ledger_batch_open(struct ledger *ledger);
void ledger_batch_close(struct ledger_batch *batch);

/* Renders the entry into the batch (nothing is borrowed afterwards). While the ledger fails, REFUSE
 * entries are dropped: they book nothing, and a full disk must not fill the memory too. */
void ledger_note(struct ledger_batch *batch, const struct entry *entry);
bool ledger_batch_empty(const struct ledger_batch *batch);

/* Appends the batch with one write under the ledger's lock. On failure (disk full, I/O error) what
 * was written of it is cut off again, the batch keeps its lines for the next attempt, and false is
 * returned with the reason: calls announced in it must not start. RESERVE lines of calls that are
 * then given up are withdrawn with ledger_withdraw. An empty batch is always committed. */
MUST_USE bool ledger_commit(struct ledger_batch *batch, struct fault *fault);
/* How many commits of this batch have written something: what was noted when it was n is in the
 * file when it is more. So who notes an EXTEND line, which must not hold up the turn, sees by it
 * whether the extension may be relied on yet; a line whose commit failed stays for the next
 * attempt. */
uint64_t ledger_batch_written(const struct ledger_batch *batch);
/* Takes the uncommitted RESERVE line of a call out of the batch; false if it is not in it. */
bool ledger_withdraw(struct ledger_batch *batch, struct text call);

/* True while the last write or sync failed: refuse new calls. Lock-free. The bookkeeper tries again
 * by itself, about once a second, so that it ends when the disk is well again. */
bool ledger_failing(const struct ledger *ledger);

#endif
