/*
 * Replay: what the files of a ledger's directory say, and the repair of a torn tail.
 *
 * The newest file that has a whole line is read from its beginning; each `open` line replaces the
 * balances, the lines behind it are folded in. Bytes behind the last line whose chain holds are a
 * torn tail: they are moved to <file>.torn. But if whole lines that chain to each other follow the
 * damage, it is no tail, and replay refuses: cutting there would forget spend.
 */
#ifndef PURSER_BOOKS_REPLAY_H
#define PURSER_BOOKS_REPLAY_H

#include "books/balances.h"
#include "books/chain.h"
#include "books/journal.h"

struct replay_counts {
    size_t lines;
    size_t torn_bytes;
};

/* Replays into empty balances and a fresh chain. `journal` has its dir_fd; it gets the newest file,
 * open for writing, or none. */
MUST_USE bool replay_run(struct journal *journal, struct chain *chain, struct balances *balances,
                         struct replay_counts *counts, struct fault *fault);

/* The same without touching anything, for a directory that nobody need own: folds its newest file
 * that has a line into empty balances, and names it. False with a fault also if there is none, or
 * if it has a torn tail: then the machine was lost, and what it spent last may not stand there. */
MUST_USE bool replay_look(const char *directory, struct balances *balances,
                          struct ledger_file *newest, struct fault *fault);

#endif
