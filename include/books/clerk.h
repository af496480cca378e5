/*
 * The clerk: a thread that answers questions about the books, so that a slow query never delays a
 * request or a sync. It keeps roll-ups (SQLite, books.db) fed exactly once from the ledger's files:
 * the offset read so far is stored in the same transaction, and each query first catches up.
 */
#ifndef PURSER_BOOKS_CLERK_H
#define PURSER_BOOKS_CLERK_H

#include "base/fault.h"
#include "books/query.h"

struct clerk;

/* `dir` is the ledger's directory, `database` the path of books.db (made if missing, moved aside
 * and rebuilt if it cannot be used: books/rollup.h). */
MUST_USE struct clerk *clerk_open(const char *dir, const char *database, struct fault *fault);
void clerk_close(struct clerk *clerk); /* answers nothing further; joins the thread */

/* Copies the query; a letter BOOKS_LETTER_ANSWER will come. At most 256 wait; then false (the
 * caller answers 503). */
MUST_USE bool clerk_ask(struct clerk *clerk, const struct books_query *query);

#endif
