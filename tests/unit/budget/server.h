/*
 * What the tests of the store share: a server with a store, and instances A, B and C that talk to
 * it in good order: with its fence and epoch, and a sequence that grows.
 */
#ifndef PURSER_TESTS_BUDGET_SERVER_H
#define PURSER_TESTS_BUDGET_SERVER_H

#include "../unit.h"
#include "budget/store.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccc"

struct server {
    struct store *store;
    struct store_reply reply; /* the last one */
    int64_t sequence;         /* of what was said last, whoever said it */
};

/* Without a fence it is empty. */
static inline void server_open(struct server *s, const char *fence)
{
    *s = (struct server){.store = store_open()};
    if (fence != NULL)
        store_init(s->store, fence);
}

static inline void server_close(struct server *s)
{
    store_close(s->store);
}

/* From now on it is `store`. */
static inline void server_become(struct server *s, struct store *store)
{
    store_close(s->store);
    s->store = store;
}

/* Without rows; of an operator if the journal is "". */
static inline struct store_request request_of(struct server *s, enum store_kind kind,
                                              const char *journal)
{
    struct store_request request = {
        .kind = kind, .epoch = s->reply.epoch, .incarnation = 1, .sequence = ++s->sequence};
    memcpy(request.journal, journal, strlen(journal) + 1);
    memcpy(request.fence, s->reply.fence, sizeof(request.fence));
    return request;
}

static inline enum store_verdict put(struct server *s, const struct store_request *request)
{
    store_apply(s->store, request, &s->reply);
    return s->reply.verdict;
}

static inline void must_put(struct server *s, const struct store_request *request)
{
    ck_assert_int_eq(put(s, request), STORE_OK);
}

/* What needs no more words. */
static inline enum store_verdict say(struct server *s, enum store_kind kind, const char *journal)
{
    struct store_request request = request_of(s, kind, journal);
    return put(s, &request);
}

static inline void must_say(struct server *s, enum store_kind kind, const char *journal)
{
    ck_assert_int_eq(say(s, kind, journal), STORE_OK);
}

/* That it has no rows. */
static inline void state_none(struct server *s, const char *journal)
{
    struct store_request request = request_of(s, STORE_SYNC, journal);
    request.complete = true;
    must_put(s, &request);
}

/* Likewise, as one that remembers itself and `other` ("": nobody), as of `sequence`. */
static inline void remember(struct server *s, const char *journal, const char *other,
                            int64_t sequence)
{
    struct store_request request = request_of(s, STORE_SYNC, journal);
    struct store_roster roster = {other[0] == '\0' ? 1 : 2, {{"", 1, sequence}, {"", 1, sequence}}};
    memcpy(roster.at[0].journal, journal, strlen(journal) + 1);
    memcpy(roster.at[1].journal, other, strlen(other) + 1);
    request.roster = &roster;
    request.complete = true;
    must_put(s, &request);
}

/* The only row there is; if nothing else is said, of account 7, which lasts for ever. */
static inline enum store_verdict say_row(struct server *s, enum store_kind kind,
                                         const char *journal, struct store_row row)
{
    struct store_request request = request_of(s, kind, journal);
    row.account = row.account == 0 ? 7 : row.account;
    row.until_s = row.until_s == 0 ? WINDOW_FOREVER : row.until_s;
    request.rows = &row;
    request.row_count = 1;
    request.complete = true;
    return put(s, &request);
}

static inline void must_say_row(struct server *s, enum store_kind kind, const char *journal,
                                struct store_row row)
{
    ck_assert_int_eq(say_row(s, kind, journal, row), STORE_OK);
}

/* What account 7 grew by; -1: refused as reply.verdict says. */
static inline int64_t grow(struct server *s, const char *journal, int64_t limit, int64_t least,
                           int64_t most)
{
    say_row(s, STORE_MOVE, journal,
            (struct store_row){.limit = limit, .least = least, .most = most});
    return s->reply.row_count == 1 ? s->reply.rows[0].moved : -1;
}

/* An operator lets a journal go. */
static inline enum store_verdict let_go(struct server *s, const char *journal)
{
    struct store_request request = request_of(s, STORE_LEAVE, "");
    memcpy(request.whose, journal, strlen(journal) + 1);
    return put(s, &request);
}

static inline void must_let_go(struct server *s, const char *journal)
{
    ck_assert_int_eq(let_go(s, journal), STORE_OK);
}

/* Likewise, as one of before there were names: it counted so many. */
static inline void remember_count(struct server *s, const char *journal, int64_t instances)
{
    struct store_request request = request_of(s, STORE_SYNC, journal);
    request.instances = instances;
    request.complete = true;
    must_put(s, &request);
}

static inline void vouch(struct server *s, const char *journal, int64_t heard)
{
    struct store_request request = request_of(s, STORE_BEAT, journal);
    request.vouches = heard;
    must_put(s, &request);
}

/* Whether it is when the journal has said READY. */
static inline bool is_open(struct server *s, const char *journal)
{
    must_say(s, STORE_READY, journal);
    return !s->reply.recovering;
}

/* All is lost; so many there were, says an operator; A is back. */
static inline void server_open_wiped(struct server *s, int64_t instances)
{
    server_open(s, NULL);
    store_set_fence(s->store, "f9");
    struct store_request request = request_of(s, STORE_INIT, "");
    request.epoch = 50;
    request.instances = instances;
    must_put(s, &request);
    must_say(s, STORE_JOIN, A);
}

/* An open store of which A and B are. */
static inline void server_open_for_two(struct server *s)
{
    server_open(s, "f1");
    must_say(s, STORE_JOIN, A);
    must_say(s, STORE_JOIN, B);
    state_none(s, A);
    state_none(s, B);
}

#endif
