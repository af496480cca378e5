/*
 * Where the store is that a configuration names: `store.redis` with `store.tls`.
 */
#ifndef PURSER_CONFIG_STORE_URL_H
#define PURSER_CONFIG_STORE_URL_H

#include "config/config.h"
#include "wire/redis_url.h"

/* Of a configuration that was loaded and names a store. The fault begins with the option. */
MUST_USE bool config_store_url(const struct config *config, struct redis_url *url,
                               struct fault *fault);

#endif
