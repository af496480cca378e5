/*
 * hiredis without blocking, and waiting by poll: so that one deadline counts for a whole operation.
 * (The library's own timeout counts anew with each byte that a slow server sends.)
 */
#include "budget/redis_link.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

/* No reply is larger: 512 rows of 5 numbers, or INFO. */
#define REPLY_BYTES_MOST (1 << 20)

struct redis_link {
    redisContext *context;
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
        if (redisBufferWrite(link->context, &done) != REDIS_OK)
            return away(link, fault, link->context->errstr);
        if (done)
            return true;
        if (!await(link, POLLOUT, fault))
            return false;
    }
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
        if (reply != NULL)
            return reply;
        if (link->context->reader->len > REPLY_BYTES_MOST) {
            away(link, fault, "its answer is too long");
            return NULL;
        }
        if (!await(link, POLLIN, fault))
            return NULL;
        if (redisBufferRead(link->context) != REDIS_OK) {
            away(link, fault, link->context->errstr);
            return NULL;
        }
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
    if (reply == NULL)
        return false;
    bool good = reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "OK") == 0;
    if (!good)
        away(link, fault, reply->type == REDIS_REPLY_ERROR ? reply->str : "it is no Redis");
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
    if (is_connected(link, fault) &&
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
