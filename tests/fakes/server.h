/*
 * The sockets: one thread, one epoll, all connections of the fake provider.
 */
#ifndef FAKES_SERVER_H
#define FAKES_SERVER_H

#include "bytes.h"

struct server_options {
    uint16_t port;         /* on 127.0.0.1; 0 picks a free one */
    const char *unix_path; /* a unix socket to listen on as well, or NULL */
    struct text api_key;   /* calls must carry it; empty: any will do */
};

struct server;

/* Listens. NULL: it cannot, and says why on stderr. */
struct server *server_open(const struct server_options *options);
void server_close(struct server *server);
uint16_t server_port(const struct server *server);
/* Serves until stop_fd becomes readable. */
void server_run(struct server *server, int stop_fd);

#endif
