/*
 * The lessor: puts a store's operations to Redis and says what it answered. For one thread that may
 * wait (the treasury's; a command's). Each operation is one round trip of the script store.lua.
 *
 * It finds the server by its URL (wire/redis_url.h): hosts are tried in turn, Sentinels are asked
 * for their master, a Cluster's MOVED is followed. A server that is no master, is older than 6.2 or
 * may evict keys (maxmemory-policy) is not used. None of this decides what is granted: whatever
 * server answers, the fence tells whether it is the one that was known (store.h).
 */
#ifndef PURSER_BUDGET_LESSOR_H
#define PURSER_BUDGET_LESSOR_H

#include "budget/store.h"
#include "wire/redis_url.h"

struct lessor;
struct redisReply; /* hiredis's */

struct lessor_options {
    const struct redis_url *url; /* copied */
    struct text script;          /* that lessor_call runs; empty: store.lua */
    int64_t timeout_ms;          /* for an operation, and as much for a connection */
    int64_t wait_replicas; /* a MOVE that may grow counts only if so many replicas have it; 0: WAIT
                              is not asked. A JOIN counts only if all that are connected have it */
};

struct lessor_list {
    struct text *at;
    size_t count;
};

struct lessor *lessor_open(const struct lessor_options *options); /* does not connect yet */
void lessor_close(struct lessor *lessor);                         /* NULL-safe */

/* STORE_AWAY if there was no answer, or none to be believed: then nobody knows whether it was
 * applied. Nothing is ever sent a second time that may have been done. After a failed connection
 * the next ones are put off: by 50 ms, doubling to 1 s; meanwhile it says STORE_AWAY at once. */
void lessor_ask(struct lessor *lessor, const struct store_request *request,
                struct store_reply *reply);

/* Runs another script, `count` words in Redis's protocol after "EVALSHA sha": its answer, which is
 * no error; NULL where lessor_ask says STORE_AWAY. */
struct redisReply *lessor_call(struct lessor *lessor, struct text words, size_t count);
void lessor_free(struct redisReply *answer); /* NULL-safe */

/* Why the last operation was STORE_AWAY or NULL, for people; empty if it was not. */
const char *lessor_trouble(const struct lessor *lessor);
/* The same in short and without whom was asked, for those who are not to know; empty if it cannot
 * be said so. Good until the next operation. */
const char *lessor_brief(const struct lessor *lessor);
/* It is that not all replicas have confirmed a JOIN. */
bool lessor_waits(const struct lessor *lessor);

/* A command of at most 16 words that only reads, or may be done twice, and whose reply is a list of
 * strings, or of such lists: all strings in their order, in the arena. False with a fault: nobody
 * knows whether it was done. */
MUST_USE bool lessor_read(struct lessor *lessor, const char *const *words, size_t count,
                          struct arena *arena, struct lessor_list *list, struct fault *fault);

#endif
