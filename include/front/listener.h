/*
 * The listener: libmicrohttpd, driven by a worker's loop. Takes connections from the process's one
 * listening socket, gathers requests, hands them to the front desk and sends replies.
 *
 * Limits that are its own: 60 s for a request's head, 120 s for its body, 120 s of idleness, 300 s
 * to take what was made ready for it; a body over the limit is read to its end (bounded) and
 * refused, and so is one over 16 KB without a key. A client that closes its sending side is taken
 * to be gone, as proxies do.
 */
#ifndef PURSER_FRONT_LISTENER_H
#define PURSER_FRONT_LISTENER_H

#include "front/desk.h"

struct listener;

struct listener_options {
    int socket; /* the process's listening socket, non-blocking; shared by all workers */
    size_t connections_most;
    atomic_size_t *connections; /* the process's count */
};

struct listener *listener_open(struct worker *worker, const struct listener_options *options);

/* Takes no further connections, and closes those without a request. */
void listener_stop_taking(struct listener *listener);
/* Shuts every connection down, whatever is under way. */
void listener_cut(struct listener *listener);
/* Asserts that no request is left. */
void listener_close(struct listener *listener);

/* Opens the socket of "host:port" or "unix:/path" (a stale socket file is replaced; the new one is
 * for its owner and, if the umask lets it, its group). Before there are threads. */
MUST_USE bool listener_bind(struct text address, int *socket, struct fault *fault);

/* Answers a connection that is one too many with 503, as far as that goes at once; closes it. */
void listener_turn_away(int fd);

#endif
