/*
 * OpenSSL's sessions handed to hiredis. The handshake is made here, step by step: hiredis would
 * make it silently within its reading and writing, and lose the reason of a failure.
 */
#include "budget/redis_tls.h"

#include <poll.h>
#include <string.h>

#ifdef HAVE_HIREDIS_SSL

#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* ---- what is trusted, and shown ---- */

/* Nobody is asked on the terminal. */
static int no_password(char *room, int size, int writing, void *context)
{
    (void)room, (void)size, (void)writing, (void)context;
    return -1;
}

void redis_tls_forget_errors(void)
{
    ERR_clear_error();
}

/* The first in the queue is the cause, or a file's system error. */
const char *redis_tls_why(const char *otherwise)
{
    unsigned long code = ERR_peek_error();
    if (ERR_GET_REASON(code) == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED)
        return "it wants a certificate: write store.tls.cert and store.tls.key";
    const char *reason =
        ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    return code == 0 || reason == NULL ? otherwise : reason;
}

static bool no_file(const char *option, const char *path, struct fault *fault)
{
    return fault_set(fault, "store.tls.%s: cannot use %s: %s", option, path,
                     redis_tls_why("it is not in PEM"));
}

static bool trust(SSL_CTX *context, const struct redis_tls *tls, struct fault *fault)
{
    if (tls->ca[0] == '\0')
        return SSL_CTX_set_default_verify_paths(context) == 1 ||
               fault_set(fault, "cannot find the system's authorities: write store.tls.ca");
    return SSL_CTX_load_verify_locations(context, tls->ca, NULL) == 1 ||
           no_file("ca", tls->ca, fault);
}

static bool show(SSL_CTX *context, const struct redis_tls *tls, struct fault *fault)
{
    if (tls->cert[0] == '\0')
        return true;
    if (SSL_CTX_use_certificate_chain_file(context, tls->cert) != 1)
        return no_file("cert", tls->cert, fault);
    return SSL_CTX_use_PrivateKey_file(context, tls->key, SSL_FILETYPE_PEM) == 1 ||
           no_file("key", tls->key, fault);
}

static SSL_CTX *open_context(const struct redis_tls *tls, struct fault *fault)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    ASSERT(context != NULL);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(context, no_password);
    if (trust(context, tls, fault) && show(context, tls, fault))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

/* ---- why it fails ---- */

static void explain_certificate(long verdict, struct fault *fault)
{
    bool named =
        verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
    fault_set(
        fault, "its certificate is not accepted: %s%s", X509_verify_cert_error_string(verdict),
        named ? " (it must be for store.tls.server_name, else for the host as it is called)" : "");
}

/* Of a handshake. */
static void explain(SSL *session, struct fault *fault)
{
    long verdict = SSL_get_verify_result(session);
    if (verdict != X509_V_OK)
        explain_certificate(verdict, fault);
    else if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_WRONG_VERSION_NUMBER)
        fault_set(fault, "what it answers is no TLS: is this its TLS port?");
    else if (ERR_peek_error() != 0 &&
             ERR_GET_REASON(ERR_peek_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
        fault_set(fault, "TLS fails: %s", redis_tls_why(""));
    else
        fault_set(fault, "it hangs up where TLS begins: is this its TLS port?");
}

/* ---- the session ---- */

/* An address is looked for among the certificate's addresses, and no SNI. */
static bool expect(SSL *session, const char *name)
{
    X509_VERIFY_PARAM *expected = SSL_get0_param(session);
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_ip_asc(expected, name) == 1)
        return true;
    ERR_clear_error();
    return X509_VERIFY_PARAM_set1_host(expected, name, 0) == 1 &&
           SSL_set_tlsext_host_name(session, name) == 1;
}

static SSL *open_session(const struct redis_tls *tls, const char *name, struct fault *fault)
{
    SSL_CTX *context = open_context(tls, fault);
    if (context == NULL)
        return NULL;
    SSL *session = SSL_new(context);
    SSL_CTX_free(context); /* the session counts as its user */
    ASSERT(session != NULL);
    SSL_set_mode(session, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (expect(session, name))
        return session;
    fault_set(fault, "%s is no name that a certificate can be for", name);
    SSL_free(session);
    return NULL;
}

struct ssl_st *redis_tls_begin(struct redisContext *context, const struct redis_url *url,
                               const struct redis_host *host, struct fault *fault)
{
    const char *name = url->tls.server_name[0] != '\0' ? url->tls.server_name : host->name;
    ERR_clear_error();
    SSL *session = open_session(&url->tls, name, fault);
    if (session == NULL)
        return NULL;
    if (redisInitiateSSL(context, session) == REDIS_OK)
        return session;
    explain(session, fault);
    SSL_free(session);
    return NULL;
}

/* ---- the handshake ---- */

enum redis_tls_step redis_tls_shake(struct ssl_st *session, struct fault *fault)
{
    ERR_clear_error();
    int done = SSL_connect(session);
    if (done == 1)
        return REDIS_TLS_DONE;
    int error = SSL_get_error(session, done);
    if (error == SSL_ERROR_WANT_READ)
        return REDIS_TLS_READ;
    if (error == SSL_ERROR_WANT_WRITE)
        return REDIS_TLS_WRITE;
    explain(session, fault);
    return REDIS_TLS_FAILED;
}

short redis_tls_awaits(const struct ssl_st *session)
{
    if (SSL_pending(session) > 0)
        return 0;
    return SSL_want_write(session) ? POLLOUT : POLLIN;
}

#else

struct ssl_st *redis_tls_begin(struct redisContext *context, const struct redis_url *url,
                               const struct redis_host *host, struct fault *fault)
{
    (void)context, (void)url, (void)host;
    fault_set(fault, "this build has no TLS for Redis");
    return NULL;
}

enum redis_tls_step redis_tls_shake(struct ssl_st *session, struct fault *fault)
{
    (void)session, (void)fault;
    return REDIS_TLS_FAILED;
}

void redis_tls_forget_errors(void)
{
}

const char *redis_tls_why(const char *otherwise)
{
    return otherwise;
}

short redis_tls_awaits(const struct ssl_st *session)
{
    (void)session;
    return POLLIN;
}

#endif
