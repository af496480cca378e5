/*
 * The chain. What happens to a request, and in which order, is this table and this driver; nothing
 * else moves a request from one step to another.
 *
 *     admit → recall → route → reserve → forward → settle → record
 *
 * A step goes on, waits, or sends the request to its books. Every exit passes settle and record:
 * money has one way out.
 */
#include "pipeline/pipeline.h"

#include <stdlib.h>

#include "pipeline/intake.h"
#include "pipeline/objects.h"
#include "pipeline/rating.h"
#include "pipeline/refusal.h"

struct step_row {
    const char *name;
    enum next (*run)(struct request *request);
    enum next (*awake)(struct request *request); /* of a step that waits */
};

static const struct step_row chain[STEP_COUNT] = {
    [STEP_ADMIT] = {"admit", admit_request, admit_awake},
    [STEP_RECALL] = {"recall", recall_request, recall_awake},
    [STEP_ROUTE] = {"route", route_request, route_awake},
    [STEP_RESERVE] = {"reserve", reserve_request, reserve_awake},
    [STEP_FORWARD] = {"forward", forward_request, forward_awake},
    [STEP_SETTLE] = {"settle", settle_request, NULL},
    [STEP_RECORD] = {"record", record_request, NULL},
};

/* The one place where a request changes its step. */
static void set_step(struct request *request, enum step step)
{
    ASSERT(step > request->step || request->step == STEP_OVER);
    loop_timer_cancel(request->worker->loop, &request->timer);
    request->step = step;
    assert_trace(request->name, step == STEP_OVER ? "over" : chain[step].name);
}

static void drive(struct request *request, enum next next)
{
    while (next != GO_WAIT) {
        if (next == GO_DONE) {
            ASSERT(request->step == STEP_RECORD);
            set_step(request, STEP_OVER);
            return;
        }
        set_step(request, next == GO_BOOKS ? STEP_SETTLE : request->step + 1);
        next = chain[request->step].run(request);
    }
}

void pipeline_start(struct request *request)
{
    ASSERT(request->step == STEP_OVER);
    set_step(request, STEP_ADMIT);
    drive(request, chain[STEP_ADMIT].run(request));
}

void pipeline_awake(struct request *request)
{
    ASSERT(request->step < STEP_OVER);
    ASSERT(chain[request->step].awake != NULL);
    drive(request, chain[request->step].awake(request));
}

/* Waiting for a share of its rate limits, for its budget, for somebody who asked the same, or to
 * hear who owns an object. */
static void stop_waiting(struct request *request, enum refusal refusal, const char *why)
{
    ASSERT(request->step < STEP_FORWARD);
    rating_stop_waiting(request);
    /* If the grant is on its way already, the letter finds nobody and its hold is settled. */
    if (request->step == STEP_RESERVE)
        gate_leave(request->worker->house->gate, request->waiter);
    request->waiter = 0;
    refuse(request, refusal, NULL, "%s", why);
    drive(request, GO_BOOKS);
}

/* Its answer is replayed; what it had of it is all it gets. */
static void stop_replay(struct request *request)
{
    replay_break(request);
    drive(request, GO_BOOKS);
}

void pipeline_client_gone(struct request *request)
{
    if (request->step == STEP_OVER || request->client_gone)
        return;
    request->client_gone = true;
    if (request->step == STEP_FORWARD && request->call == NULL) {
        stop_replay(request);
        return;
    }
    if (request->step == STEP_FORWARD) {
        /* The call has its own way to the books, now or after draining. */
        struct call *call = request->call;
        request->outcome.logged = true;
        set_step(request, STEP_SETTLE);
        set_step(request, STEP_RECORD);
        set_step(request, STEP_OVER);
        call_abandon(call);
        return;
    }
    stop_waiting(request, REFUSAL_CLIENT_GONE, "The client hung up while it waited.");
}

void pipeline_send_away(struct request *request)
{
    if (request->step < STEP_FORWARD)
        stop_waiting(request, REFUSAL_SHUTTING_DOWN, "purser is shutting down.");
    else if (request->step == STEP_FORWARD && request->call == NULL)
        stop_replay(request);
}

/* A late one finds nobody who waits. */
static bool rates_letter(struct worker *worker, struct letter *letter)
{
    if (letter->kind != RATES_LETTER)
        return false;
    struct request *request = roster_find(&worker->requests, letter->to);
    if (request != NULL && rating_waits(request))
        pipeline_awake(request);
    letter_free(letter);
    return true;
}

bool pipeline_letter(struct worker *worker, struct letter *letter)
{
    if (rates_letter(worker, letter))
        return true;
    if (letter->kind != GATE_LETTER_GRANT)
        return objects_letter(worker, letter) || intake_letter(worker, letter) ||
               share_letter(worker, letter);
    struct request *request = roster_find(&worker->requests, letter->to);
    struct grant *grant = letter->body;
    if (request != NULL && request->step == STEP_RESERVE && request->waiter != 0) {
        reserve_take(request, grant);
        pipeline_awake(request);
    } else if (grant->verdict == VERDICT_GRANTED && grant->hold != 0) {
        gate_settle(worker->house->gate, grant->hold, &(struct spend){{0}}, NULL);
    }
    letter_free(letter);
    return true;
}
