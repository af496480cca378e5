/*
 * Where the store is: one URL, and what TLS needs besides.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "config/check.h"
#include "config/store_url.h"

static bool is_secure(const struct config *config)
{
    return text_starts(config->store_redis, TEXT("rediss"));
}

static void check_file(struct reader *reader, const char *option, struct text path)
{
    int line = reader_line(reader, "store", 0, "tls");
    if (path.size >= REDIS_FILE_SIZE)
        reader_report(reader, FINDING_ERROR, line,
                      "store.tls.%s: with its folders it must have at most %d bytes", option,
                      REDIS_FILE_SIZE - 1);
    else if (path.size > 0 && access(path.at, R_OK) != 0)
        reader_report(reader, FINDING_WARNING, line, "store.tls.%s: cannot read %.*s: %s", option,
                      TEXT_ARG(path), strerror(errno));
}

void check_store(struct reader *reader)
{
    const struct config *config = reader->config;
    bool cert = config->store_cert.size > 0, key = config->store_key.size > 0;
    int line = reader_line(reader, "store", 0, "tls");
    if (cert != key)
        reader_report(reader, FINDING_ERROR, line,
                      "store.tls.%s: goes with a %s: write both, or none", cert ? "cert" : "key",
                      cert ? "key" : "cert");
    check_file(reader, "ca", config->store_ca);
    check_file(reader, "cert", config->store_cert);
    check_file(reader, "key", config->store_key);
    bool wanted = cert || key || config->store_ca.size > 0 || config->store_server_name.size > 0;
    bool read = !reader_has_error(reader, reader_line(reader, "store", 0, "redis"));
    if (wanted && read && !is_secure(config))
        reader_report(reader, FINDING_WARNING, line,
                      "store.tls: not used, because store.redis does not begin with rediss");
}

/* How long each may be was checked. */
static void copy(struct text from, char *to, size_t room)
{
    ASSERT(from.size < room);
    snprintf(to, room, "%.*s", TEXT_ARG(from));
}

bool config_store_url(const struct config *config, struct redis_url *url, struct fault *fault)
{
    if (!redis_url_parse(config->store_redis, url, fault))
        return fault_prefix(fault, "store.redis");
    copy(config->store_ca, url->tls.ca, sizeof(url->tls.ca));
    copy(config->store_cert, url->tls.cert, sizeof(url->tls.cert));
    copy(config->store_key, url->tls.key, sizeof(url->tls.key));
    copy(config->store_server_name, url->tls.server_name, sizeof(url->tls.server_name));
    return true;
}
