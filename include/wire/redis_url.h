/*
 * Where a Redis is, as an operator writes it:
 *
 *     redis://[user[:password]@]host[:port][,host[:port]…][/db]
 *     redis+sentinel://[user[:password]@]host[:port][,…]/master[/db]     hosts: the Sentinels
 *     unix:/path   or   unix://[user[:password]@]/path
 *
 * `:password@` without a user is the default user's. User and password may have %xx. Several hosts
 * are tried in turn: of a Cluster, any of its nodes. `rediss://` and `rediss+sentinel://` mean TLS,
 * to Sentinels too. They are refused where hiredis had no TLS at build time (HAVE_HIREDIS_SSL is
 * not defined), as that of Debian 12 has none: a tunnel can do it.
 */
#ifndef PURSER_WIRE_REDIS_URL_H
#define PURSER_WIRE_REDIS_URL_H

#include "base/fault.h"
#include "base/text.h"

#define REDIS_HOSTS_MOST    16
#define REDIS_PORT          6379
#define REDIS_SENTINEL_PORT 26379

#define REDIS_FILE_SIZE 1024

struct redis_host {
    char name[256]; /* or an IP address, IPv6 without brackets; of a unix socket its path */
    int port;       /* 0: a unix socket */
};

/* How a server is known, and who shows it what: from other options than the URL. Each may be empty.
 * The files are in PEM, and read for each connection. */
struct redis_tls {
    char ca[REDIS_FILE_SIZE];                         /* who may sign; empty: the system's */
    char cert[REDIS_FILE_SIZE], key[REDIS_FILE_SIZE]; /* purser's own: both or none */
    char server_name[256]; /* that certificates must be for; empty: the host, as it is called */
};

/* All strings end with a zero; what is absent is empty. */
struct redis_url {
    struct redis_host hosts[REDIS_HOSTS_MOST];
    size_t host_count; /* at least 1 */
    char user[128];
    char password[512];
    char master[128]; /* not empty: the hosts are Sentinels, and this is what they call it */
    int db;           /* 0 to 1000000 */
    bool secure;      /* TLS, by `tls` */
    struct redis_tls tls;
};

/* Leaves `tls` empty. The fault's sentence begins with "must": an option's name is put before it.
 */
MUST_USE bool redis_url_parse(struct text url, struct redis_url *parsed, struct fault *fault);

#endif
