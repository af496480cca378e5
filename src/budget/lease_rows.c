/* The rows of a shared lease: a table by the account's number. */
#include "budget/lease_rows.h"

#include <stdlib.h>

#define MOST (INT64_C(1) << 62)

enum {
    SWEEP_S = 60,      /* from the beginning of one round to that of the next, at least */
    SWEEP_LEAST = 64,  /* rows at a time */
    SWEEP_BEATS = 512, /* and of very many so many times fewer */
};

static int64_t bounded(int64_t stored)
{
    return stored < STORE_MOST ? stored : STORE_MOST;
}

int64_t store_floor(enum unit unit, int64_t amount)
{
    return bounded(unit == UNIT_USD ? amount / STORE_USD_STEP : amount);
}

int64_t store_ceil(enum unit unit, int64_t amount)
{
    int64_t whole = store_floor(unit, amount);
    return unit == UNIT_USD && amount % STORE_USD_STEP > 0 ? bounded(whole + 1) : whole;
}

int64_t store_amount(enum unit unit, int64_t stored)
{
    int64_t most = unit == UNIT_USD ? MOST / STORE_USD_STEP : MOST;
    if (stored > most)
        return MOST;
    return unit == UNIT_USD ? stored * STORE_USD_STEP : stored;
}

static struct text key_of(const uint64_t *account)
{
    return text_make((const char *)account, sizeof(*account));
}

void lease_rows_close(struct lease_rows *rows)
{
    size_t at = 0;
    void *row = NULL;
    while (table_next(&rows->table, &at, NULL, &row))
        free(row);
    table_close(&rows->table);
}

struct lease_row *lease_rows_find(const struct lease_rows *rows, uint64_t account)
{
    return table_get(&rows->table, key_of(&account));
}

/* The texts lie behind the row. */
static struct lease_row *row_new(const struct charge *charge)
{
    size_t size = sizeof(struct lease_row) + charge->budget.size + charge->id.size;
    struct lease_row *row = memory_new(size);
    char *budget = (char *)(row + 1);
    char *id = budget + charge->budget.size;
    if (charge->budget.size > 0)
        memcpy(budget, charge->budget.at, charge->budget.size);
    if (charge->id.size > 0)
        memcpy(id, charge->id.at, charge->id.size);
    row->charge = *charge;
    row->charge.budget = text_make(budget, charge->budget.size);
    row->charge.id = text_make(id, charge->id.size);
    row->limit = LIMIT_NONE;
    return row;
}

void lease_rows_doubt(struct lease_rows *rows, struct lease_row *row, bool doubtful)
{
    rows->doubtful = rows->doubtful - (row->doubtful ? 1 : 0) + (doubtful ? 1 : 0);
    row->doubtful = doubtful;
}

/* What the journal has of it is stated, unless that is nothing, or of no use any more. */
static void expect_nothing(struct lease_rows *rows, struct lease_row *row, int64_t now_s)
{
    row->granted = 0;
    row->anew = row->charge.amount == row->charge.overdraft;
    row->beginning = ++rows->beginnings;
    if (row->charge.amount > 0 && row->charge.until_s >= now_s)
        lease_rows_doubt(rows, row, true);
}

void lease_rows_renew(struct lease_rows *rows, struct lease_row *row, int64_t until_s,
                      int64_t now_s)
{
    bool over = row->charge.until_s < now_s;
    row->charge.until_s = until_s;
    if (over)
        expect_nothing(rows, row, now_s);
}

struct lease_row *lease_rows_put(struct lease_rows *rows, const struct charge *charge,
                                 int64_t now_s)
{
    struct lease_row *row = lease_rows_find(rows, charge->account);
    if (row == NULL) {
        row = row_new(charge);
        table_put(&rows->table, key_of(&charge->account), row);
        expect_nothing(rows, row, now_s);
        return row;
    }
    row->charge.amount = charge->amount;
    row->charge.overdraft = charge->overdraft;
    lease_rows_renew(rows, row, charge->until_s, now_s);
    return row;
}

void lease_rows_lack(struct lease_rows *rows, struct lease_row *row, bool lacking)
{
    rows->lacking = rows->lacking - (row->lacking ? 1 : 0) + (lacking ? 1 : 0);
    row->lacking = lacking;
}

static void drop(struct lease_rows *rows, struct text key, struct lease_row *row)
{
    lease_rows_doubt(rows, row, false);
    lease_rows_lack(rows, row, false);
    table_remove(&rows->table, key);
    free(row);
}

void lease_rows_drop(struct lease_rows *rows, struct lease_row *row)
{
    uint64_t account = row->charge.account;
    drop(rows, key_of(&account), row);
}

struct lease_row *lease_rows_next(struct lease_rows *rows, size_t *at, int64_t now_s)
{
    struct text key;
    void *value = NULL;
    while (table_next(&rows->table, at, &key, &value)) {
        struct lease_row *row = value;
        if (row->charge.until_s >= now_s)
            return row;
        drop(rows, key, row);
    }
    return NULL;
}

void lease_rows_sweep(struct lease_rows *rows, int64_t now_s)
{
    struct text key;
    void *value = NULL;
    if (rows->swept == 0 && now_s < rows->sweep_s)
        return;
    if (rows->swept == 0)
        rows->sweep_s = now_s + SWEEP_S;
    for (size_t left = SWEEP_LEAST + rows->table.count / SWEEP_BEATS; left > 0; left--) {
        if (!table_next(&rows->table, &rows->swept, &key, &value)) {
            rows->swept = 0;
            return;
        }
        struct lease_row *row = value;
        if (row->charge.until_s < now_s)
            drop(rows, key, row);
    }
}

struct store_row lease_row_stated(const struct lease_row *row)
{
    return (struct store_row){.account = row->charge.account,
                              .limit = row->limit,
                              .until_s = row->charge.until_s,
                              .value = store_ceil(row->charge.unit, row->charge.amount),
                              .spent = row->anew ? 0 : row->spent,
                              .anew = row->anew,
                              .beginning = row->anew && row->lapses ? row->beginning : 0,
                              .what = &row->charge};
}
