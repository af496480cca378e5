/*
 * rates.lua against rates_store.c: random operations on both, every reply compared. Starts a
 * redis-server of its own on a socket in a new folder, and ends it.
 *
 *     rates [operations [seed]]
 *
 * Time is the server's: its answer says at what time it did what it did, and the reference does it
 * at the same. Sub-windows last milliseconds, as do instances and shares of parallel.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/random.h"
#include "base/clock.h"
#include "budget/rates_wire.h"
#include "server.h"

enum { BATCH = 64, INSTANCES = 6, ACCOUNTS = 8, SUBWINDOW_US = 15000 };

struct operation {
    struct rates_request request;
    struct rates_row *rows;
};

static uint64_t state;
static struct rates_store *store;
static struct oracle_server *server;
static char sha[41];
static int64_t sequences[INSTANCES];
static struct operation operations[BATCH];
static int64_t grown, by_verdict[2];

static uint64_t any(uint64_t below)
{
    return random_next(&state) % below;
}

static bool once_in(uint64_t times)
{
    return any(times) == 0;
}

/* ---- what instances ask ---- */

static int64_t amount(void)
{
    switch (any(6)) {
    case 0:
        return 0;
    case 1:
        return (int64_t)any((uint64_t)RATES_MOST + 1);
    case 2:
        return (int64_t)any(5000);
    default:
        return (int64_t)any(60);
    }
}

static void make_row(struct rates_row *row)
{
    int64_t current = clock_wall_us(clock_real()) / SUBWINDOW_US;
    *row = (struct rates_row){.account = any(ACCOUNTS) * UINT64_C(0x123456789abcdef1),
                              .rated = (enum rated)any(RATED_COUNT),
                              .limit = once_in(9) ? amount() : 500,
                              .have = once_in(30) ? amount() : (int64_t)any(20)};
    if (row->rated != RATED_PARALLEL)
        row->subwindow = current + 2 - (int64_t)any(once_in(3) ? 18 : 4);
    if (once_in(3))
        return;
    row->wanted = amount();
    row->useful = once_in(2) ? (int64_t)any((uint64_t)row->wanted + 1) : 0;
    row->ahead = amount();
}

static void make(struct operation *operation)
{
    size_t instance = any(INSTANCES);
    struct rates_request *request = &operation->request;
    *request = (struct rates_request){.sequence = ++sequences[instance],
                                      .life_us = 40000,
                                      .subwindow_us = SUBWINDOW_US,
                                      .leaving = once_in(60),
                                      .rows = operation->rows,
                                      .row_count = any(6)};
    snprintf(request->id, sizeof request->id, "%032zx", instance);
    if (once_in(40))
        request->sequence -= (int64_t)any(4);
    if (once_in(3000))
        request->row_count = RATES_ROWS_MOST;
    for (size_t i = 0; i < request->row_count; i++)
        make_row(&operation->rows[i]);
}

/* ---- comparing ---- */

static bool same(const struct rates_reply *a, const struct rates_reply *b)
{
    if (a->verdict != b->verdict || a->now_us != b->now_us || a->born_us != b->born_us ||
        a->instances != b->instances || a->row_count != b->row_count)
        return false;
    return memcmp(a->rows, b->rows, a->row_count * sizeof a->rows[0]) == 0;
}

static void show(const char *who, const struct rates_reply *reply)
{
    printf("%s: verdict %d born %" PRId64 " instances %" PRId64 "\n", who, (int)reply->verdict,
           reply->born_us, reply->instances);
    for (size_t i = 0; i < reply->row_count && i < 8; i++) {
        printf("  moved %" PRId64 " others", reply->rows[i].moved);
        for (size_t at = 0; at < RATES_COUNTING; at++)
            printf(" %" PRId64, reply->rows[i].others[at]);
        printf("\n");
    }
}

static bool compare(const struct operation *operation)
{
    static struct rates_reply lua, c;
    struct fault fault = {0};
    redisReply *answer = oracle_server_next(server);
    bool agree = rates_wire_read(answer, &operation->request, &lua, &fault);
    if (!agree)
        printf("%s\n", answer->type == REDIS_REPLY_ERROR ? answer->str : fault.message);
    freeReplyObject(answer);
    if (!agree)
        return false;
    rates_store_apply(store, lua.now_us, &operation->request, &c);
    by_verdict[c.verdict]++;
    for (size_t i = 0; i < c.row_count; i++)
        grown += c.rows[i].moved > 0;
    if (same(&c, &lua))
        return true;
    printf("they differ on %zu rows of %s at %" PRId64 "\n", operation->request.row_count,
           operation->request.id, lua.now_us);
    show("C  ", &c);
    show("Lua", &lua);
    return false;
}

static bool run_batch(void)
{
    struct buffer words = {0}, out = {0};
    for (size_t i = 0; i < BATCH; i++) {
        make(&operations[i]);
        buffer_clear(&words);
        size_t count = rates_wire_put(&words, &operations[i].request);
        buffer_clear(&out);
        buffer_printf(&out, "*%zu\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n", count + 2, sha);
        buffer_put(&out, buffer_text(&words));
        oracle_server_put(server, buffer_text(&out));
    }
    buffer_close(&words);
    buffer_close(&out);
    for (size_t i = 0; i < BATCH; i++)
        if (!compare(&operations[i]))
            return false;
    return true;
}

/* Everything is gone. */
static void disturb(void)
{
    oracle_server_say(server, "FLUSHALL");
    rates_store_close(store);
    store = rates_store_open();
}

int main(int argc, char **argv)
{
    int64_t count = 100000, seed = 1;
    if ((argc > 1 && !text_to_int(text_of(argv[1]), &count)) ||
        (argc > 2 && !text_to_int(text_of(argv[2]), &seed))) {
        fprintf(stderr, "usage: rates [operations [seed]]\n");
        return 2;
    }
    state = (uint64_t)seed;
    server = oracle_server_open();
    store = rates_store_open();
    for (size_t i = 0; i < BATCH; i++)
        operations[i].rows = memory_new(RATES_ROWS_MOST * sizeof(struct rates_row));
    oracle_server_load(server, rates_script(), sha);
    bool agree = true;
    int64_t done = 0;
    for (; agree && done < count; done += BATCH) {
        if (once_in(200))
            disturb();
        agree = run_batch();
    }
    oracle_server_close(server);
    printf("seed %" PRId64 ": %" PRId64 " operations: ok %" PRId64 ", stale %" PRId64 "; %" PRId64
           " shares grew\n",
           seed, done, by_verdict[RATES_STORE_OK], by_verdict[RATES_STORE_STALE], grown);
    printf("%d passed, %d failed\n", agree, !agree);
    return agree ? 0 : 1;
}
