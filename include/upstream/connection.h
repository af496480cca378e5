/*
 * Connections to upstreams. libcurl makes them (names, proxies, TCP, TLS and its verification);
 * bytes then go to and from the socket directly, or through curl where TLS is spoken. Idle ones are
 * kept and watched, so that one the upstream has closed is never taken.
 */
#ifndef PURSER_UPSTREAM_CONNECTION_H
#define PURSER_UPSTREAM_CONNECTION_H

#include <sys/uio.h>

#include "base/loop.h"
#include "upstream/upstream.h"

struct pool;       /* of one worker */
struct connection; /* in use by one transfer, or idle in the pool */

/* What a connection tells its user, from the loop. */
struct connection_user {
    void (*connected)(void *context, bool fine); /* after connection_make; why: connection_why */
    void (*readable)(void *context);
    void (*writable)(void *context); /* only while connection_want_write is on */
    void *context;
};

/* Once in a process: before its threads, and after them. */
void connections_prepare(void);
void connections_forget(void);

struct pool *pool_open(struct loop *loop);
void pool_close(struct pool *pool); /* idle connections are closed; none may be in use */

/* Certificates that upstreams name are read again from now on; connections that trust the old ones
 * are closed: idle ones at once, others when their user is done with them. */
void pool_renew(struct pool *pool);

/* An idle connection to where the URL says (scheme, host and port), through the upstream's proxy
 * and verified with its certificates; NULL if there is none. It may have been made for another
 * upstream.
 */
struct connection *connection_take(struct pool *pool, const struct upstream *upstream,
                                   struct text url, const struct connection_user *user);

/* A new one: `connected` is called from the loop (never from here). `url` (zero-terminated) and the
 * upstream are borrowed until then. */
struct connection *connection_make(struct pool *pool, const struct upstream *upstream,
                                   struct text url, const struct connection_user *user);

/* Sends what it can; *sent is how much. False if the connection is dead. */
bool connection_send(struct connection *connection, const struct iovec *parts, int count,
                     size_t *sent);

enum receipt { RECEIPT_BYTES, RECEIPT_LATER, RECEIPT_EOF, RECEIPT_DEAD };
/* Reads into the pool's own buffer: valid until the next call on any connection of the pool. With
 * TLS an end without its closing alert is RECEIPT_EOF, too: libcurl does not tell them apart. */
enum receipt connection_receive(struct connection *connection, struct text *bytes);

/* True if the bytes just received were all there were: no need to ask again before `readable`. */
bool connection_drained(const struct connection *connection, struct text bytes);

void connection_want_write(struct connection *connection, bool wanted);
void connection_want_read(struct connection *connection, bool wanted); /* on at first */

const char *connection_why(const struct connection *connection); /* it could not be made, or died */

/* Back to the pool. The upstream may close it there at any time; so does the pool, at once, if what
 * it trusts was renewed, or if the process is short of descriptors. */
void connection_keep(struct connection *connection);
/* Closes it, also while it is being made. NULL-safe. */
void connection_close(struct connection *connection);

#endif
