/*
 * The rows of a shared lease: what the journal says of every account, and what the store has said
 * of it, kept in memory so that all of it can be stated again (STORE_SYNC). Part of the lease
 * (lease.h); nobody else includes this.
 *
 * Here meet the units of the core (nano-dollars) and of the store (micro-dollars); tokens and
 * requests are the same in both.
 */
#ifndef PURSER_BUDGET_LEASE_ROWS_H
#define PURSER_BUDGET_LEASE_ROWS_H

#include "base/table.h"
#include "budget/store.h"
#include "money/charge.h"

struct lease_row {
    struct charge charge; /* as the journal has it */
    int64_t granted;      /* g as the store said last; this and what follows in its units */
    int64_t limit;        /* LIMIT_NONE: not known */
    int64_t spent;
    bool doubtful; /* nobody knows whether the last operation on it was applied */
    bool lacking;  /* the store has less than the journal says */
    bool anew;     /* the journal has nothing of it but an overdraft, and the store has not heard
                      that yet (struct store_row) */
    int64_t beginning; /* the number of that (struct store_row) */
    bool lapses;       /* it is of a session: it is over when nobody has used it for so long */
    uint64_t renewal;  /* the last one that came by an account of it (lease_state.h) */
};

/* Zero-initialised is empty and valid. */
struct lease_rows {
    struct table table;
    size_t doubtful, lacking; /* so many rows are */
    int64_t beginnings;       /* of rows that were new, or past their time */
    size_t swept;             /* how far this round of lease_rows_sweep has come; 0: it has ended */
    int64_t sweep_s;          /* no other one begins before */
};

void lease_rows_close(struct lease_rows *rows);

struct lease_row *lease_rows_find(const struct lease_rows *rows, uint64_t account);
/* What the journal says from now on of the charge's account; its texts are copied. */
struct lease_row *lease_rows_put(struct lease_rows *rows, const struct charge *charge,
                                 int64_t now_s);
/* It is of use until then. A row that is new, or was past its time, the store may have or may have
 * forgotten: nothing of it is expected (granted is 0), and if the journal has something of it, it
 * is doubtful; if that is not more than was overdrawn, it is anew. */
void lease_rows_renew(struct lease_rows *rows, struct lease_row *row, int64_t until_s,
                      int64_t now_s);

void lease_rows_doubt(struct lease_rows *rows, struct lease_row *row, bool doubtful);
void lease_rows_lack(struct lease_rows *rows, struct lease_row *row, bool lacking);

/* Walks the rows (start with *at = 0; NULL at the end), and drops those that are past their time
 * (now_s INT64_MIN: none).
 */
struct lease_row *lease_rows_next(struct lease_rows *rows, size_t *at, int64_t now_s);

void lease_rows_drop(struct lease_rows *rows, struct lease_row *row);

/* To be called some times a second: looks at a few rows, and drops those that are past their time;
 * all of them within some minutes. */
void lease_rows_sweep(struct lease_rows *rows, int64_t now_s);

/* What a SYNC states of a row; it points to the row. */
struct store_row lease_row_stated(const struct lease_row *row);

/* Into the store's units, rounded down or up, to STORE_MOST at the most; and back, to 2^62 at the
 * most. Of amounts of 0 or more. */
int64_t store_floor(enum unit unit, int64_t amount);
int64_t store_ceil(enum unit unit, int64_t amount);
int64_t store_amount(enum unit unit, int64_t stored);

#endif
