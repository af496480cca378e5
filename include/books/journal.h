/*
 * The file that is being written: whole writes or none, and the step to the next file. It knows
 * bytes only; what they mean is the ledger's business. Not thread-safe.
 */
#ifndef PURSER_BOOKS_JOURNAL_H
#define PURSER_BOOKS_JOURNAL_H

#include "books/files.h"

struct journal {
    int dir_fd;
    int fd;        /* -1: none yet */
    int64_t size;  /* of whole, written lines */
    int64_t begun; /* of that what the file began with; 0: not known */
    struct ledger_file file;
    bool uncut; /* bytes of a failed write may still lie behind `size` */
};

/* Writes at the end with one write. After a short or failed one what was written is cut off, tried
 * once more if it was short, and cut off again: then false, and the file is as before. */
MUST_USE bool journal_write(struct journal *journal, struct text bytes, struct fault *fault);

/* The file to begin next at a moment of that day: its day is never before the last file's, so that
 * the order of names is the order of writing whatever the clock does. */
struct ledger_file journal_next_file(const struct journal *journal, struct text node, int64_t day);

/* Makes the file (0600, must be new) and writes `bytes` as its beginning. The old descriptor, -1 if
 * none, goes to `old_fd`, for the caller to sync and close. On a failure nothing has changed. */
MUST_USE bool journal_begin(struct journal *journal, const struct ledger_file *file,
                            struct text bytes, int *old_fd, struct fault *fault);

#endif
