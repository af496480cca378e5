/*
 * TLS for a redis_link, where hiredis has it (HAVE_HIREDIS_SSL); where it has not, no session is
 * ever begun. The server's certificate is always verified: that one of the authorities has signed
 * it, and that it is for the host's name or address (hiredis alone would not look at that).
 */
#ifndef PURSER_BUDGET_REDIS_TLS_H
#define PURSER_BUDGET_REDIS_TLS_H

#include "base/fault.h"
#include "wire/redis_url.h"

struct redisContext; /* hiredis's */
struct ssl_st;       /* OpenSSL's SSL */

enum redis_tls_step { REDIS_TLS_DONE, REDIS_TLS_READ, REDIS_TLS_WRITE, REDIS_TLS_FAILED };

/* Begins TLS on a connected context that does not block, by `url->tls`. The session is the
 * context's from then on and freed with it. NULL with a fault: close the context. Files are read,
 * nothing is waited for. */
struct ssl_st *redis_tls_begin(struct redisContext *context, const struct redis_url *url,
                               const struct redis_host *host, struct fault *fault);

/* Goes on with the handshake: DONE; READ, WRITE: again when the socket can be read, written;
 * FAILED, with a fault that says why. */
enum redis_tls_step redis_tls_shake(struct ssl_st *session, struct fault *fault);

/* To be called before each reading and writing through the context. */
void redis_tls_forget_errors(void);
/* After one that failed: what TLS says about it, else `otherwise`. Good until the next call. */
const char *redis_tls_why(const char *otherwise);

/* What reading has to wait for: POLLIN, seldom POLLOUT; 0 if bytes are here that no poll tells. */
short redis_tls_awaits(const struct ssl_st *session);

#endif
