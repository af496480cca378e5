/*
 * Addresses in the configuration: where to listen and the URLs of upstreams.
 */
#ifndef PURSER_CONFIG_ADDRESS_H
#define PURSER_CONFIG_ADDRESS_H

#include "base/fault.h"
#include "base/text.h"

/* The parts of "http[s]://host[:port][/path]", pointing into the text. */
struct address {
    struct text scheme; /* as written */
    struct text host;   /* of an IPv6 address with its brackets */
    struct text port;   /* empty: the scheme's own */
    struct text path;   /* with its leading slash; empty: none */
};

/* Refuses other schemes, user names and passwords, a query, a fragment, anything that is not
 * printable ASCII. */
MUST_USE bool address_from_url(struct text url, struct address *address, struct fault *fault);

/* The parts of "host:port" ("[::1]:80"); the scheme and path are empty. Port 0 is allowed: the
 * system chooses. */
MUST_USE bool address_from_listen(struct text listen, struct address *address, struct fault *fault);

/* True for localhost, 127.x.y.z and [::1]: nobody else can listen in. */
bool address_is_loopback(struct text host);

/* True for a `listen` that only this machine reaches: on loopback, or a unix socket. */
bool address_is_private(struct text listen);

/* Whose prices apply behind a host, by the provider's ids in config/prices.json; empty if the
 * host is nobody's that we know. */
struct text address_provider(struct text host);

#endif
