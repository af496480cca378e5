/*
 * The vault: ceilings on disk. It is what budget-protocol calls an instance's journal, and has
 * another name here because books/journal.h is the ledger's file.
 *
 * It is a component of ceilings.db, through a connection of its own (SQLite, WAL,
 * synchronous=FULL): so the registrar, whose objects are in the same file, never waits for the
 * treasury but for the length of a commit. ceilings_open has made and checked the file before.
 *
 *     journal   one row: who this instance is to the store (128 random bits), how often the file
 *               was opened (incarnation), in which boot of the machine, and whether it was closed
 *               cleanly
 *     mark      one row, where there is a store: struct store_mark,
 *     roster    and its roster, a row for each name
 *     ceiling   one row for each account: what the lease noted last. Deleted when the account must
 *               not be remembered any more
 *
 * Not thread-safe.
 */
#ifndef PURSER_BUDGET_VAULT_H
#define PURSER_BUDGET_VAULT_H

#include "base/arena.h"
#include "base/fault.h"
#include "budget/store.h"
#include "money/charge.h"

struct vault;

struct vault_identity {
    char journal[STORE_JOURNAL_SIZE];
    int64_t incarnation;    /* 1 at the first opening */
    struct store_mark mark; /* as it was found */
    bool whole; /* what was written before (here, and to files that were not synced) is there: the
                   last process closed the vault cleanly, or it ran during this boot, so that the
                   kernel has it still. False of a new one, which has nothing of before */
    bool fresh; /* it is new, or was when it was opened before, and was not accepted since */
};

/* Opens `path` and notes the incarnation (on disk when this returns). `boot`: of the machine
 * (vault_boot), at most 63 bytes. NULL with what to do. */
MUST_USE struct vault *vault_open(const char *path, struct text boot, struct fault *fault);
const struct vault_identity *vault_identity(const struct vault *vault);

/* What is not whole has been accounted for: ceilings that may have been used count as used. Until
 * then each opening finds it so, in whatever boot. */
MUST_USE bool vault_accept(struct vault *vault, struct fault *fault);

/* All rows; in the arena. */
MUST_USE bool vault_rows(struct vault *vault, struct arena *arena, const struct charge **rows,
                         size_t *count, struct fault *fault);

/* Notes ceilings, all or none, on disk when this returns. False: nobody knows whether they are
 * noted; the connection is given up, because a sync that failed must not be tried again on the same
 * descriptor, and the next call makes another one. Also forgets some rows whose until_s
 * is before `now_s`. */
MUST_USE bool vault_note(struct vault *vault, const struct charge *rows, size_t count,
                         int64_t now_s, struct fault *fault);

/* Notes what must not be forgotten of the store; on disk when this returns. False: as vault_note.
 */
MUST_USE bool vault_mark(struct vault *vault, const struct store_mark *mark, struct fault *fault);

/* `clean`: everything that was booked is on disk in the ledger, too. NULL-safe. */
void vault_close(struct vault *vault, bool clean);

/* What tells this boot of the machine from others: of /proc/sys/kernel/random/boot_id. Where that
 * cannot be read, something that no other process has. */
struct text vault_boot(struct arena *arena);

#endif
