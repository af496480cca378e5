/*
 * A clerk at work over a desk's ledger, for tests: book, ask, look at the answer.
 */
#ifndef PURSER_TESTS_BOOKS_OFFICE_H
#define PURSER_TESTS_BOOKS_OFFICE_H

#include "books/clerk.h"
#include "desk.h"

/* A clerk over a desk's ledger, and the mailbox its answers come to. */
struct office {
    struct desk desk;
    struct clerk *clerk;
    struct loop *loop;
    struct mailbox *mailbox;
    int status;
    char body[65536];
    uint64_t to;
    char next[1024];
};

static inline void take_answer(void *context, struct letter *letter)
{
    struct office *office = context;
    struct books_answer *answer = letter->body;
    ck_assert_int_eq(letter->kind, BOOKS_LETTER_ANSWER);
    office->status = answer->status;
    office->to = letter->to;
    (void)snprintf(office->body, sizeof(office->body), "%.*s",
                   TEXT_ARG(buffer_text(&answer->body)));
    (void)snprintf(office->next, sizeof(office->next), "%.*s",
                   TEXT_ARG(buffer_text(&answer->next)));
    letter_free(letter);
    loop_stop(office->loop);
}

static inline void database_of(const struct office *office, char path[128])
{
    (void)snprintf(path, 128, "%s/books.db", office->desk.dir.path);
}

static inline void clerk_begin(struct office *office)
{
    char path[128];
    struct fault fault;
    database_of(office, path);
    office->clerk = clerk_open(office->desk.dir.path, path, &fault);
    ck_assert_msg(office->clerk != NULL, "%s", fault.message);
}

static inline void office_open(struct office *office)
{
    office->desk = desk_make();
    desk_open(&office->desk);
    office->loop = loop_open(clock_real());
    office->mailbox = mailbox_open(office->loop, take_answer, office);
    clerk_begin(office);
}

static inline void office_close(struct office *office)
{
    clerk_close(office->clerk);
    mailbox_close(office->mailbox);
    loop_turn(office->loop, 0);
    loop_close(office->loop);
    desk_close(&office->desk);
    desk_end(&office->desk);
}

static inline const char *ask(struct office *office, struct books_query query)
{
    query.mailbox = office->mailbox;
    query.to = 77;
    office->status = 0;
    ck_assert(clerk_ask(office->clerk, &query));
    loop_run(office->loop);
    ck_assert_uint_eq(office->to, 77);
    return office->body;
}

/* What /costs says where nothing was saved. */
#define NO_SAVINGS                                                                                 \
    "\"saved_usd\":{\"cache\":0,\"router\":0,\"optimizer\":0,\"batch\":0,\"early_stop\":0},"       \
    "\"cached_requests\":0"

static const struct books_query all = {.to_us = INT64_MAX, .limit = 1000};

/* Books a call made by hand: its RESERVE and SETTLE, now. */
static inline void book(struct office *office, struct entry settle)
{
    struct entry reserve = settle;
    settle.wall_us = reserve.wall_us = office->desk.clock.wall_us;
    reserve.kind = ENTRY_RESERVE;
    reserve.cost = MONEY_ZERO;
    reserve.prompt_tokens = reserve.cached_tokens = 0;
    reserve.completion_tokens = reserve.reasoning_tokens = 0;
    ledger_note(office->desk.batch, &reserve);
    ledger_note(office->desk.batch, &settle);
    desk_commit(&office->desk);
}

/* One settled call. */
static inline void call(struct office *office, int number, const char *model, const char *key,
                        int64_t amount)
{
    char room[48];
    struct charge charge = sample_charge(1, amount);
    struct entry settle = sample_entry(ENTRY_SETTLE, sample_call(number, room), &charge);
    settle.model = text_of(model);
    settle.key = text_of(key);
    book(office, settle);
}

static inline bool says(const struct office *office, const char *what)
{
    return strstr(office->body, what) != NULL;
}

#endif
