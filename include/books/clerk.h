/*
 * The clerk: a thread that answers questions about the books, so that a slow query never delays a
 * request or a sync. It keeps roll-ups (SQLite, books.db) fed exactly once from the ledger's files:
 * the offset read so far is stored in the same transaction, and each query first catches up.
 */
#ifndef PURSER_BOOKS_CLERK_H
#define PURSER_BOOKS_CLERK_H

#include "base/fault.h"
#include "base/mailbox.h"

enum books_group { GROUP_DAY = 1, GROUP_MODEL = 2, GROUP_KEY = 4 };

#define CLERK_LETTER_ANSWER 2 /* body: struct books_answer */

struct books_query {
    uint64_t to;             /* roster id the answer goes to */
    struct mailbox *mailbox; /* where the answer goes */
    struct text request_id;  /* not empty: the ledger lines of one request */
    int64_t from_us, to_us;  /* [from, to) of settlement time; whole hours count: both are rounded
                                down to the hour, and the answer says so */
    unsigned groups;         /* of enum books_group */
    struct text key, model;  /* filters; empty: all */
};

struct books_answer {
    int status;         /* 200; 404 for an unknown request id; 500 */
    struct buffer body; /* JSON */
};
void books_answer_free(void *answer);

struct clerk;

/* `dir` is the ledger's directory, `database` the path of books.db (made if missing, moved aside
 * and rebuilt if corrupt or of another version). */
MUST_USE struct clerk *clerk_open(const char *dir, const char *database, struct fault *fault);
void clerk_close(struct clerk *clerk); /* answers nothing further; joins the thread */

/* Copies the query. At most 256 wait; then false (the caller answers 503). */
MUST_USE bool clerk_ask(struct clerk *clerk, const struct books_query *query);

#endif
