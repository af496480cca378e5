/*
 * What tests of the pipeline share: a worker without threads, books or listener, and one request on
 * it, filled in by hand.
 */
#ifndef PURSER_TESTS_PIPELINE_DESK_H
#define PURSER_TESTS_PIPELINE_DESK_H

#include <stdio.h>

#include "../budget/fixture.h"
#include "pipeline/pipeline.h"

struct desk {
    struct clock_fake clock;
    struct house house;
    struct terms *terms;
    struct worker worker;
    struct request *request;
};

/* The house and the terms are empty; what a test needs of them, it fills in. */
static inline void desk_open(struct desk *desk)
{
    *desk = (struct desk){.clock = clock_fake_at(NOON_S * 1000000)};
    desk->terms = terms_new();
    desk->terms->budget_status = 429;
    desk->worker.house = &desk->house;
    desk->worker.terms = desk->terms;
    desk->worker.clock = &desk->clock.clock;
    desk->worker.loop = loop_open(&desk->clock.clock);
    desk->worker.hasher = hasher_open();
    desk->request = request_open(&desk->worker);
}

/* A fresh request instead of the last one. */
static inline void desk_next(struct desk *desk)
{
    request_close(desk->request);
    desk->request = request_open(&desk->worker);
}

static inline void desk_close(struct desk *desk)
{
    request_close(desk->request);
    loop_close(desk->worker.loop);
    free(desk->worker.booked);
    hasher_close(desk->worker.hasher);
    roster_close(&desk->worker.requests);
    roster_close(&desk->worker.calls);
    terms_drop(desk->terms);
}

/* The value of a header of the reply; TEXT_NONE if there is none. */
static inline struct text desk_header(const struct desk *desk, const char *name)
{
    const struct reply *reply = &desk->request->reply;
    for (size_t i = 0; i < reply->header_count; i++) {
        if (text_equal_nocase(text_of(reply->headers[i].name), text_of(name)))
            return text_of(reply->headers[i].value);
    }
    return TEXT_NONE;
}

/* A member of the error in the reply's body, as raw JSON; TEXT_NONE if there is none. */
static inline struct text desk_error(const struct desk *desk, const char *member)
{
    struct json_value body, error, value;
    ck_assert_int_eq(json_parse(reply_backlog(&desk->request->reply), &body, NULL), JSON_OK);
    ck_assert(json_member(body, TEXT("error"), &error));
    return json_member(error, text_of(member), &value) ? value.raw : TEXT_NONE;
}

/* The reply is a refusal of that status and code. */
static inline void desk_expect(const struct desk *desk, int status, const char *code)
{
    char quoted[64];
    const struct reply *reply = &desk->request->reply;
    ck_assert_int_eq(reply->status, status);
    ck_assert(reply->ended);
    ck_assert(!reply->streamed);
    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", code);
    UNIT_TEXT(desk_error(desk, "code"), quoted);
    UNIT_TEXT(desk_header(desk, "x-purser-error"), code);
    UNIT_TEXT(desk_header(desk, "Content-Type"), "application/json");
    ck_assert_str_eq(desk->request->outcome.error, code);
}

#endif
