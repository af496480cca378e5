/*
 * hiredis without blocking, and waiting by poll: so that one deadline counts for a whole operation.
 * (The library's own timeout counts anew with each byte that a slow server sends.)
 */
#include "budget/redis_link.h"
#include "budget/redis_errors.h"
#include "budget/redis_tls.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

/* No reply is larger: 512 rows of 5 numbers, or INFO. */
#define REPLY_BYTES_MOST (1 << 20)

struct redis_link {
    redisContext *context;
    struct ssl_st *session; /* the context's; NULL: without TLS */
    bool has_answered;
    int64_t deadline_us;
    char name[300];
};

static int64_t now_us(void)
{
    return clock_steady_us(clock_real());
}

static bool away(const struct redis_link *link, struct fault *fault, const char *why)
{
    return fault_set(fault, "Redis at %s: %s", link->name, why);
}

/* TLS keeps its reasons for itself; hiredis has that of an earlier system call. */
static bool broken(const struct redis_link *link, struct fault *fault)
{
    const char *why = link->context->errstr;
    bool stranger = link->session == NULL && !link->has_answered;
    return fault_set(fault, "Redis at %s: %s%s", link->name,
                     link->session == NULL ? why : redis_tls_why(why),
                     stranger ? ", before any answer: does it want TLS?" : "");
}

/* Waits until the socket can be read or written. */
static bool await(struct redis_link *link, short events, struct fault *fault)
{
    for (;;) {
        int64_t left_us = link->deadline_us - now_us();
        struct pollfd poller = {.fd = link->context->fd, .events = events};
        int found = left_us <= 0 ? 0 : poll(&poller, 1, (int)(left_us / 1000) + 1);
        if (found > 0)
            return true;
        if (found == 0)
            return away(link, fault, "it does not answer in time");
        if (errno != EINTR)
            return away(link, fault, strerror(errno));
    }
}

void redis_link_begin(struct redis_link *link, int64_t timeout_ms)
{
    link->deadline_us = now_us() + timeout_ms * 1000;
}

void redis_link_put(struct redis_link *link, struct text formatted)
{
    int done = redisAppendFormattedCommand(link->context, formatted.at, formatted.size);
    ASSERT(done == REDIS_OK);
}

void redis_link_put_words(struct redis_link *link, const char *const *words, size_t count)
{
    const char *argv[16];
    ASSERT(count <= sizeof(argv) / sizeof(argv[0]));
    for (size_t i = 0; i < count; i++)
        argv[i] = words[i];
    int done = redisAppendCommandArgv(link->context, (int)count, argv, NULL);
    ASSERT(done == REDIS_OK);
}

static bool flush(struct redis_link *link, struct fault *fault)
{
    for (int done = 0;;) {
        redis_tls_forget_errors();
        if (redisBufferWrite(link->context, &done) != REDIS_OK)
            return broken(link, fault);
        if (done)
            return true;
        if (!await(link, POLLOUT, fault))
            return false;
    }
}

/* Whatever has come; waits for it. */
static bool read_more(struct redis_link *link, struct fault *fault)
{
    short events = link->session == NULL ? POLLIN : redis_tls_awaits(link->session);
    if (events != 0 && !await(link, events, fault))
        return false;
    redis_tls_forget_errors();
    return redisBufferRead(link->context) == REDIS_OK || broken(link, fault);
}

struct redisReply *redis_link_get(struct redis_link *link, struct fault *fault)
{
    void *reply = NULL;
    if (!flush(link, fault))
        return NULL;
    for (;;) {
        if (redisGetReplyFromReader(link->context, &reply) != REDIS_OK) {
            away(link, fault, link->context->errstr);
            return NULL;
        }
        if (reply != NULL) {
            link->has_answered = true;
            return reply;
        }
        if (link->context->reader->len > REPLY_BYTES_MOST) {
            away(link, fault, "its answer is too long");
            return NULL;
        }
        if (!read_more(link, fault))
            return NULL;
    }
}

struct redisReply *redis_link_ask(struct redis_link *link, const char *const *words, size_t count,
                                  struct fault *fault)
{
    redis_link_put_words(link, words, count);
    return redis_link_get(link, fault);
}

/* A command that must be answered with OK. */
static bool demand(struct redis_link *link, const char *const *words, size_t count,
                   struct fault *fault)
{
    redisReply *reply = redis_link_ask(link, words, count, fault);
    struct fault told;
    if (reply == NULL)
        return false;
    bool good = reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "OK") == 0;
    if (!good)
        away(link, fault,
             redis_errors_tell(reply->type == REDIS_REPLY_ERROR ? reply->str : NULL, &told));
    freeReplyObject(reply);
    return good;
}

static bool authenticate(struct redis_link *link, const struct redis_url *url, struct fault *fault)
{
    const char *const with_user[] = {"AUTH", url->user, url->password};
    const char *const alone[] = {"AUTH", url->password};
    return url->user[0] != '\0' ? demand(link, with_user, 3, fault) : demand(link, alone, 2, fault);
}

static bool select_db(struct redis_link *link, const struct redis_url *url, struct fault *fault)
{
    char number[16];
    const char *const words[] = {"SELECT", number};
    snprintf(number, sizeof(number), "%d", url->db);
    return url->db == 0 || demand(link, words, 2, fault);
}

/* Sentinels are seldom protected, and refuse a password that they do not have. */
static bool greet_sentinel(struct redis_link *link, const struct redis_url *url,
                           struct fault *fault)
{
    const char *const ping[] = {"PING"};
    redisReply *reply = redis_link_ask(link, ping, 1, fault);
    if (reply == NULL)
        return false;
    bool asked = reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOAUTH", 6) == 0;
    freeReplyObject(reply);
    return !asked || authenticate(link, url, fault);
}

static bool greet(struct redis_link *link, const struct redis_url *url, struct fault *fault)
{
    return (url->password[0] == '\0' || authenticate(link, url, fault)) &&
           select_db(link, url, fault);
}

static bool is_connected(struct redis_link *link, struct fault *fault)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (link->context->err != 0)
        return away(link, fault, link->context->errstr);
    if (!await(link, POLLOUT, fault))
        return false;
    if (getsockopt(link->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
        return away(link, fault, strerror(error));
    return true;
}

static bool shake(struct redis_link *link, struct fault *fault)
{
    struct fault why;
    for (;;) {
        enum redis_tls_step step = redis_tls_shake(link->session, &why);
        if (step == REDIS_TLS_DONE)
            return true;
        if (step == REDIS_TLS_FAILED)
            return away(link, fault, why.message);
        if (!await(link, step == REDIS_TLS_READ ? POLLIN : POLLOUT, NULL))
            return away(link, fault, "it does not answer to TLS in time: is this its TLS port?");
    }
}

static bool secure(struct redis_link *link, const struct redis_url *url,
                   const struct redis_host *host, struct fault *fault)
{
    struct fault why;
    if (!url->secure)
        return true;
    link->session = redis_tls_begin(link->context, url, host, &why);
    return link->session == NULL ? away(link, fault, why.message) : shake(link, fault);
}

struct redis_link *redis_link_open(const struct redis_url *url, const struct redis_host *host,
                                   bool as_sentinel, int64_t timeout_ms, struct fault *fault)
{
    struct redis_link *link = memory_new(sizeof(*link));
    if (host->port == 0)
        snprintf(link->name, sizeof(link->name), "%s", host->name);
    else
        snprintf(link->name, sizeof(link->name), "%s:%d", host->name, host->port);
    link->context = host->port == 0 ? redisConnectUnixNonBlock(host->name)
                                    : redisConnectNonBlock(host->name, host->port);
    ASSERT(link->context != NULL);
    redis_link_begin(link, timeout_ms);
    if (is_connected(link, fault) && secure(link, url, host, fault) &&
        (as_sentinel ? greet_sentinel(link, url, fault) : greet(link, url, fault)))
        return link;
    redis_link_close(link);
    return NULL;
}

void redis_link_close(struct redis_link *link)
{
    if (link == NULL)
        return;
    redisFree(link->context);
    free(link);
}
