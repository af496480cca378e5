/*
 * The inside of the roll-ups. Of rollup.c, rollup_feed.c and rollup_ask.c alone; everybody else
 * includes books/rollup.h.
 */
#ifndef PURSER_BOOKS_ROLLUP_STATE_H
#define PURSER_BOOKS_ROLLUP_STATE_H

#include <sqlite3.h>

#include "books/rollup.h"

enum rollup_statement {
    ROLLUP_BEGIN,
    ROLLUP_COMMIT,
    ROLLUP_ROLLBACK,
    ROLLUP_FILE_ADD,
    ROLLUP_FILE_FIND,
    ROLLUP_FILE_MOVE,
    ROLLUP_FORGET_SUMS, /* of a file, like the next two */
    ROLLUP_FORGET_RECENT,
    ROLLUP_FORGET_BOOKINGS,
    ROLLUP_FACET_ADD,
    ROLLUP_FACET_FIND,
    ROLLUP_TAG_ADD,
    ROLLUP_SUM_ADD,
    ROLLUP_RECENT_ADD,
    ROLLUP_RECENT_TRIM,
    ROLLUP_BOOKING_ADD,
    ROLLUP_BOOKING_FIND,
    ROLLUP_BOOKING_TRIM,
    ROLLUP_STATEMENT_COUNT
};

struct rollup {
    sqlite3 *db;
    sqlite3_stmt *prepared[ROLLUP_STATEMENT_COUNT];
    sqlite3_stmt *asked; /* the question under way; NULL: none */
    unsigned groups;     /* of it */
};

/* Sets what SQLite says; returns false. */
bool rollup_fault(const struct rollup *rollup, struct fault *fault);

/* Runs a statement that gives no rows. */
bool rollup_run(struct rollup *rollup, enum rollup_statement which, struct fault *fault);

/* The text must live until the statement is reset. */
void rollup_bind(sqlite3_stmt *statement, int at, struct text text);
struct text rollup_column(sqlite3_stmt *statement, int at); /* valid until the next step */

#endif
