/*
 * When the store of rate limits is asked, and about what.
 */
#include "budget/rates_lessee.h"

#include <stdlib.h>

#define BEAT_US  INT64_C(250000)
#define HELLO_US INT64_C(2500000) /* with nothing to say */
/* Of what was leased of parallel, and of the instance: several times what lies between two words.
 */
#define LIFE_US INT64_C(10000000)
/* Once the store is back all have said what they have after so long, and nobody grows before. */
#define SETTLE_US (HELLO_US + 2 * BEAT_US)

struct rates_lessee {
    struct rates_core *core;
    char id[RATES_ID_SIZE];
    int64_t sequence;
    int64_t beat_us, hello_us, settled_us; /* when they are due */
    int64_t instances, born_us;
    bool away; /* the store did not answer */
    bool retiring, gone;
    size_t row_count;
    struct rates_row rows[RATES_ROWS_MOST];
};

struct rates_lessee *rates_lessee_open(struct rates_core *core, const char id[RATES_ID_SIZE],
                                       int64_t instances)
{
    struct rates_lessee *lessee = memory_new(sizeof *lessee);
    ASSERT(instances >= 0);
    lessee->core = core;
    lessee->instances = instances;
    memcpy(lessee->id, id, RATES_ID_SIZE);
    return lessee;
}

void rates_lessee_close(struct rates_lessee *lessee)
{
    free(lessee);
}

/* ---- asking ---- */

static bool make_request(struct rates_lessee *lessee, bool leaving, struct rates_request *request)
{
    *request = (struct rates_request){.sequence = ++lessee->sequence,
                                      .life_us = LIFE_US,
                                      .subwindow_us = RATES_SUBWINDOW_US,
                                      .leaving = leaving,
                                      .rows = lessee->rows,
                                      .row_count = lessee->row_count};
    memcpy(request->id, lessee->id, RATES_ID_SIZE);
    return true;
}

static void go_alone(struct rates_lessee *lessee)
{
    rates_alone(lessee->core, lessee->instances > 0 ? lessee->instances : 1);
}

static bool next_of_retiring(struct rates_lessee *lessee, int64_t now_us,
                             struct rates_request *request)
{
    if (lessee->gone || lessee->away) {
        go_alone(lessee); /* nobody is answered any more */
        return false;
    }
    lessee->row_count = rates_ask_shares(lessee->core, now_us, lessee->rows, RATES_ROWS_MOST);
    lessee->gone = !rates_is_due(lessee->core);
    return make_request(lessee, lessee->gone, request);
}

/* A store that is away is only asked whether it is back. */
static bool next_of_away(struct rates_lessee *lessee, int64_t now_us, struct rates_request *request,
                         int64_t *until_us)
{
    *until_us = lessee->beat_us;
    lessee->row_count = 0;
    return now_us >= lessee->beat_us && make_request(lessee, false, request);
}

bool rates_lessee_next(struct rates_lessee *lessee, int64_t now_us, struct rates_request *request,
                       int64_t *until_us)
{
    struct rates_core *core = lessee->core;
    *until_us = INT64_MAX;
    if (lessee->retiring)
        return next_of_retiring(lessee, now_us, request);
    if (lessee->away)
        return next_of_away(lessee, now_us, request, until_us);
    if (now_us >= lessee->settled_us)
        rates_alone(core, 0);
    if (now_us >= lessee->beat_us) {
        lessee->beat_us = now_us + BEAT_US;
        rates_begin_round(core);
    }
    bool urgent = rates_is_urgent(core);
    lessee->row_count = rates_ask_shares(core, now_us, lessee->rows, RATES_ROWS_MOST);
    *until_us = rates_has_listed(core) ? lessee->beat_us : lessee->hello_us;
    /* Who waits is woken by an answer, even if there is nothing to ask any more. */
    if (lessee->row_count > 0 || urgent || now_us >= lessee->hello_us)
        return make_request(lessee, false, request);
    return false;
}

/* ---- answers ---- */

static void take_silence(struct rates_lessee *lessee, int64_t now_us)
{
    rates_lose_shares(lessee->core, lessee->rows, lessee->row_count);
    go_alone(lessee);
    lessee->away = true;
    lessee->beat_us = now_us + BEAT_US;
}

/* What it granted meanwhile may be others'. */
static void take_oblivion(struct rates_lessee *lessee, int64_t now_us)
{
    lessee->settled_us = now_us + SETTLE_US;
    go_alone(lessee);
    rates_lose_shares(lessee->core, lessee->rows, lessee->row_count);
    rates_restate(lessee->core);
}

void rates_lessee_take(struct rates_lessee *lessee, int64_t sent_us, int64_t now_us,
                       const struct rates_reply *reply)
{
    if (reply == NULL || reply->verdict != RATES_STORE_OK) {
        take_silence(lessee, now_us);
        return;
    }
    bool forgotten = lessee->away || (lessee->born_us != 0 && reply->born_us != lessee->born_us);
    /* The store read its clock between the two. */
    bool jumped =
        rates_set_clock(lessee->core, now_us, reply->now_us, reply->now_us + (now_us - sent_us));
    lessee->away = false;
    lessee->born_us = reply->born_us;
    lessee->hello_us = now_us + HELLO_US;
    if (!forgotten && now_us >= lessee->settled_us) /* else it does not know all of them */
        lessee->instances = reply->instances;
    if (forgotten)
        take_oblivion(lessee, now_us);
    else if (!jumped)
        rates_take_shares(lessee->core, lessee->rows, reply->rows, reply->row_count);
}

void rates_lessee_retire(struct rates_lessee *lessee)
{
    lessee->retiring = true;
    rates_give_back(lessee->core);
    rates_begin_round(lessee->core);
}

int64_t rates_lessee_instances(const struct rates_lessee *lessee)
{
    return lessee->instances;
}

bool rates_lessee_is_heard(const struct rates_lessee *lessee)
{
    return !lessee->away;
}
