/* Workers: what one thread owns, and the end of its turns. */
#include "pipeline/worker.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "pipeline/errand.h"
#include "pipeline/pipeline.h"
#include "pipeline/pledge.h"

#define COMPLAINT_US (1000000ll) /* a full disk is told, and tried again, once a second */

static void complain(struct worker *worker, const struct fault *fault)
{
    if (worker->retry.at_us != 0)
        return;
    log_error("the ledger cannot be written: %s; new calls are refused until it can",
              fault->message);
    loop_timer_set(worker->loop, &worker->retry, COMPLAINT_US);
}

void worker_book(struct worker *worker, uint64_t hold, const struct spend *used, struct money *over)
{
    if (hold == 0)
        return;
    if (worker->booked_count == worker->booked_room) {
        worker->booked_room = worker->booked_room == 0 ? 16 : 2 * worker->booked_room;
        worker->booked =
            memory_resize(worker->booked, worker->booked_room * sizeof *worker->booked);
    }
    gate_book(worker->house->gate, hold, used, over);
    worker->booked[worker->booked_count++] = hold;
}

static void release_booked(struct worker *worker)
{
    if (worker->booked_count > 0)
        gate_release(worker->house->gate, worker->booked, worker->booked_count);
    worker->booked_count = 0;
}

/* Lines first, then the calls they announce and the room that they give back. */
static void commit(struct worker *worker)
{
    struct fault fault;
    bool committed = ledger_batch_empty(worker->batch) || ledger_commit(worker->batch, &fault);
    if (committed)
        release_booked(worker);
    else
        complain(worker, &fault);
    calls_start(worker, committed);
}

/* Any turn tries again what could not be written; this one sees that there is a turn. */
static void retry_due(void *context)
{
    (void)context;
}

#define ROUNDS_MOST 4 /* of a turn's end: a call that fails at once leads to another line */

static bool turn_end(void *context)
{
    struct worker *worker = context;
    for (int round = 0; round < ROUNDS_MOST; round++) {
        if (worker->to_start != NULL || worker->booked_count > 0 ||
            !ledger_batch_empty(worker->batch))
            commit(worker);
        if (!transport_pending(worker->transport))
            break;
        transport_kick(worker->transport);
    }
    return worker_has_work(worker);
}

bool worker_has_work(const struct worker *worker)
{
    return worker->to_start != NULL || transport_pending(worker->transport) ||
           (!ledger_batch_empty(worker->batch) && !ledger_failing(worker->house->ledger));
}

static void deliver(void *context, struct letter *letter)
{
    struct worker *worker = context;
    if (!pipeline_letter(worker, letter))
        worker->on_letter(worker->letter_context, letter);
}

void worker_open(struct worker *worker, struct house *house, struct terms *terms,
                 const struct clock *clock)
{
    worker->house = house;
    worker->terms = terms_take(terms);
    worker->clock = clock;
    worker->loop = loop_open(clock);
    worker->mailbox = mailbox_open(worker->loop, deliver, worker);
    worker->batch = ledger_batch_open(house->ledger);
    worker->hasher = hasher_open();
    worker->keyed_hasher = keyed_hasher_open(house->secret);
    worker->to_start_end = &worker->to_start;
    worker->retry.due = retry_due;
    tally_register(&house->tallies, &worker->tally);
    ssize_t got = getrandom(&worker->random, sizeof worker->random, 0);
    ASSERT(got == (ssize_t)sizeof worker->random);
    loop_at_turn_end(worker->loop, turn_end, worker);
    worker->transport = transport_open(worker->loop);
}

void worker_adopt(struct worker *worker, struct terms *terms)
{
    terms_drop(worker->terms);
    worker->terms = terms;
    transport_renew(worker->transport);
    pledges_renew(worker);
}

void worker_close(struct worker *worker)
{
    ASSERT(worker->requests.count == 0);
    ASSERT(worker->calls.count == 0);
    pledges_close(worker);
    while (worker->errands != NULL)
        errand_close(worker->errands);
    loop_turn(worker->loop, 0); /* frees what was deferred, commits the last lines */
    transport_close(worker->transport);
    struct fault fault;
    if (!ledger_batch_empty(worker->batch) && !ledger_commit(worker->batch, &fault))
        log_error("the last ledger lines are lost: %s", fault.message);
    ledger_batch_close(worker->batch);
    release_booked(worker);
    free(worker->booked);
    rolling_forget(worker);
    loop_timer_cancel(worker->loop, &worker->retry);
    mailbox_close(worker->mailbox);
    hasher_close(worker->hasher);
    keyed_hasher_close(worker->keyed_hasher);
    roster_close(&worker->requests);
    roster_close(&worker->calls);
    loop_close(worker->loop);
    tally_close(&worker->tally);
    terms_drop(worker->terms);
}

/* splitmix64 (Steele, Lea, Flood 2014): ids need to be distinct, not secret. */
static uint64_t random_next(struct worker *worker)
{
    uint64_t z = (worker->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void put_hex(uint64_t value, char *out, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
}

void worker_request_id(struct worker *worker, char out[REQUEST_ID_SIZE])
{
    memcpy(out, "req_", 4);
    put_hex((uint64_t)loop_wall_us(worker->loop) / 1000, out + 4, 12);
    put_hex(random_next(worker), out + 16, 12);
    out[REQUEST_ID_SIZE - 1] = '\0';
}

void worker_end_all(struct worker *worker)
{
    struct call *call;
    size_t at = 0;
    while ((call = roster_next(&worker->calls, &at)) != NULL)
        call_cut(call, "shutdown");
    errands_cut(worker);
    struct request *request;
    at = 0;
    while ((request = roster_next(&worker->requests, &at)) != NULL)
        pipeline_send_away(request);
}
