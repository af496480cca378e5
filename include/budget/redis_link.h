/*
 * A connection to one Redis (or Sentinel), for a thread that may wait: commands go out, replies
 * come back in order, and nothing takes longer than it may. After any failure the link is of no
 * more use: close it.
 */
#ifndef PURSER_BUDGET_REDIS_LINK_H
#define PURSER_BUDGET_REDIS_LINK_H

#include "base/clock.h"
#include "base/fault.h"
#include "wire/redis_url.h"

struct redis_link;
struct redisReply; /* hiredis's; freed with freeReplyObject */

/* Connects, by TLS if `url` is secure (redis_tls.h), and says who it is (AUTH) and which database
 * it means (SELECT) as `url` has it; NULL with a fault that names host and port, but no password.
 * The name is looked up by the system's resolver, however long that takes; all else within
 * `timeout_ms`. `as_sentinel`: AUTH only if asked for, no SELECT. */
struct redis_link *redis_link_open(const struct redis_url *url, const struct redis_host *host,
                                   bool as_sentinel, int64_t timeout_ms, struct fault *fault);
void redis_link_close(struct redis_link *link); /* NULL-safe */

/* What follows must be done within so many milliseconds. */
void redis_link_begin(struct redis_link *link, int64_t timeout_ms);

/* Queues commands; nothing is sent before redis_link_get. */
void redis_link_put(struct redis_link *link, struct text formatted);
void redis_link_put_words(struct redis_link *link, const char *const *words, size_t count);

/* The next reply, after sending what is queued; NULL: away, too late, or it breaks the protocol.
 * An error of the server's is a reply. */
struct redisReply *redis_link_get(struct redis_link *link, struct fault *fault);

/* Puts and gets one command. */
struct redisReply *redis_link_ask(struct redis_link *link, const char *const *words, size_t count,
                                  struct fault *fault);

#endif
