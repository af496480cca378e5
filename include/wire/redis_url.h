/*
 * Where a Redis is, as an operator writes it:
 *
 *     redis://[user[:password]@]host[:port][,host[:port]…][/db]
 *     redis+sentinel://[user[:password]@]host[:port][,…]/master[/db]     hosts: the Sentinels
 *     unix:/path   or   unix://[user[:password]@]/path
 *
 * `:password@` without a user is the default user's. User and password may have %xx. Several hosts
 * are tried in turn: of a Cluster, any of its nodes. `rediss://` (TLS) is refused: the hiredis that
 * Debian 12 has cannot do it, and a tunnel can.
 */
#ifndef PURSER_WIRE_REDIS_URL_H
#define PURSER_WIRE_REDIS_URL_H

#include "base/fault.h"
#include "base/text.h"

#define REDIS_HOSTS_MOST    16
#define REDIS_PORT          6379
#define REDIS_SENTINEL_PORT 26379

struct redis_host {
    char name[256]; /* or an IP address, IPv6 without brackets; of a unix socket its path */
    int port;       /* 0: a unix socket */
};

/* All strings end with a zero; what is absent is empty. */
struct redis_url {
    struct redis_host hosts[REDIS_HOSTS_MOST];
    size_t host_count; /* at least 1 */
    char user[128];
    char password[512];
    char master[128]; /* not empty: the hosts are Sentinels, and this is what they call it */
    int db;           /* 0 to 1000000 */
};

/* The fault's sentence begins with "must": an option's name is put before it. */
MUST_USE bool redis_url_parse(struct text url, struct redis_url *parsed, struct fault *fault);

#endif
