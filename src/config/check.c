/*
 * Checks of who may call and where calls go.
 */
#include "config/check.h"

#include "base/hash.h"
#include "base/table.h"
#include "config/address.h"
#include "config/amend.h"
#include "config/suggest.h"

/* ---- who may call ---- */

/* Those made at run time do not count: they may all be deleted, and the file must do then. */
static bool has_keys(const struct reader *reader)
{
    bool some = reader_wrote(reader, "keys", 0, NULL);
    return some && amend_name(reader, TEXT("keys"), 0).at == NULL;
}

static void check_mode(struct reader *reader)
{
    const struct config *config = reader->config;
    int line = reader_line(reader, "auth", 0, "mode");
    if (config->auth_mode == AUTH_OPEN && config->listen.size > 0 &&
        !address_is_private(config->listen))
        reader_report(reader, FINDING_ERROR, line,
                      "auth.mode: open on %.*s lets anybody on the network spend: listen on "
                      "127.0.0.1:8080 or unix:/path, or write mode: keys",
                      TEXT_ARG(config->listen));
    if (config->auth_mode == AUTH_KEYS && !has_keys(reader))
        reader_report(reader, FINDING_ERROR, reader_line(reader, "keys", 0, NULL),
                      "nobody may call: write keys: [{id: me, key: \"${MY_KEY}\"}], or auth: "
                      "{mode: open} for this machine alone");
    if (config->auth_mode != AUTH_KEYS && config->key_count > 0)
        reader_report(reader, FINDING_WARNING, reader_line(reader, "keys", 0, NULL),
                      "keys are not used with auth.mode: %s: take them out, or write mode: keys",
                      config->auth_mode == AUTH_OPEN ? "open" : "passthrough");
}

static void check_key_written(struct reader *reader, size_t at)
{
    bool plain = reader_wrote(reader, "keys", at, "key");
    bool hash = reader_wrote(reader, "keys", at, "hash");
    int line = reader_line(reader, "keys", at, NULL);
    if (plain && hash)
        reader_report(reader, FINDING_ERROR, line,
                      "keys[%zu]: has key and hash: take one of them out", at);
    if (!plain && !hash)
        reader_report(reader, FINDING_ERROR, line,
                      "keys[%zu]: has no key: write key: \"${MY_KEY}\", or its hash: "
                      "\"sha256:...\"",
                      at);
}

/* Reports a name that `seen` has already; an empty one was reported when it was read. */
static void check_unique(struct reader *reader, struct table *seen, struct text name, int line,
                         const char *what)
{
    if (name.size > 0 && table_put(seen, name, reader) != NULL)
        reader_report(reader, FINDING_ERROR, line,
                      "%s \"%.*s\" stands here a second time: give each one its own", what,
                      TEXT_ARG(name));
}

static void check_keys(struct reader *reader)
{
    static const uint8_t UNREAD[HASH_SIZE];
    struct table ids = {0}, hashes = {0};
    for (size_t i = 0; i < reader->config->key_count; i++) {
        const struct config_key *key = &reader->config->keys[i];
        struct text hash = text_make((const char *)key->sha256, HASH_SIZE);
        check_key_written(reader, i);
        check_unique(reader, &ids, key->id, reader_line(reader, "keys", i, "id"), "the key id");
        if (memcmp(key->sha256, UNREAD, HASH_SIZE) != 0 && table_put(&hashes, hash, reader) != NULL)
            reader_report(reader, FINDING_ERROR, reader_line(reader, "keys", i, NULL),
                          "keys[%zu]: another entry has the same key: give each caller its own", i);
    }
    table_close(&ids);
    table_close(&hashes);
}

void check_access(struct reader *reader)
{
    check_mode(reader);
    check_keys(reader);
}

/* ---- where calls go ---- */

static void check_url(struct reader *reader, size_t at, const struct address *address)
{
    int line = reader_line(reader, "upstreams", at, "base_url");
    if (text_equal_nocase(address->scheme, TEXT("http")) && !address_is_loopback(address->host))
        reader_report(reader, FINDING_WARNING, line,
                      "upstreams[%zu].base_url: keys and prompts go to %.*s as plain text: write "
                      "https:// if it understands that",
                      at, TEXT_ARG(address->host));
    bool bare = address->path.size == 0;
    if (bare && text_equal_nocase(address->host, TEXT("api.openai.com")))
        reader_report(reader, FINDING_WARNING, line,
                      "upstreams[%zu].base_url: the API is found below /v1: write "
                      "https://api.openai.com/v1",
                      at);
}

static void check_upstream_key(struct reader *reader, size_t at, const struct address *address)
{
    const struct config_upstream *upstream = &reader->config->upstreams[at];
    bool passthrough = reader->config->auth_mode == AUTH_PASSTHROUGH;
    bool has_key = upstream->api_key.size > 0;
    int line = reader_line(reader, "upstreams", at, "api_key");
    if (passthrough && has_key)
        reader_report(reader, FINDING_WARNING, line,
                      "upstreams[%zu].api_key: not used with auth.mode: passthrough, which sends "
                      "the caller's own: take it out",
                      at);
    if (!passthrough && !has_key && !upstream->optional && !reader_has_error(reader, line) &&
        upstream->headers.count == 0 && !address_is_loopback(address->host))
        reader_report(reader, FINDING_WARNING, line,
                      "upstreams[%zu]: calls go out without a key: write api_key: \"${NAME}\"", at);
    if (has_key && text_equal(upstream->provider, TEXT("azure")) &&
        (upstream->auth_header == AUTH_HEADER_AUTO || upstream->auth_header == AUTH_HEADER_BEARER))
        reader_report(reader, FINDING_WARNING, line,
                      "upstreams[%zu]: Azure takes its keys in another header: write auth_header: "
                      "api-key",
                      at);
}

static const struct config_upstream *find_upstream(const struct config *config, struct text name)
{
    for (size_t i = 0; i < config->upstream_count; i++)
        if (text_equal(config->upstreams[i].name, name))
            return &config->upstreams[i];
    return NULL;
}

static void check_model_upstream(struct reader *reader, size_t at)
{
    const struct config *config = reader->config;
    struct text name = config->models[at].upstream;
    if (name.size == 0 || find_upstream(config, name) != NULL)
        return;
    struct suggest suggest = {.wrong = name, .left = &reader->comparisons};
    for (size_t i = 0; i < config->upstream_count; i++)
        suggest_offer(&suggest, config->upstreams[i].name);
    bool near = suggest.best.at != NULL;
    reader_report(reader, FINDING_ERROR, reader_line(reader, "models", at, "upstream"),
                  "models[%zu].upstream: there is no upstream \"%.*s\": %s%.*s%s", at,
                  TEXT_ARG(name), near ? "did you mean \"" : "write the name of one, or nothing",
                  TEXT_ARG(suggest.best), near ? "\"?" : "");
}

static void check_models(struct reader *reader)
{
    struct table seen = {0};
    for (size_t i = 0; i < reader->config->model_count; i++) {
        const struct config_model *model = &reader->config->models[i];
        struct buffer name = {0};
        check_model_upstream(reader, i);
        buffer_put(&name, model->name);
        if (model->name.size > 0 && model->upstream.size > 0)
            buffer_printf(&name, " of %.*s", TEXT_ARG(model->upstream));
        check_unique(reader, &seen, buffer_text(&name), reader_line(reader, "models", i, "name"),
                     "the model");
        buffer_close(&name);
    }
    table_close(&seen);
}

static bool is_left_out(const struct config *config, const struct config_upstream *upstream)
{
    return upstream->optional && upstream->api_key.size == 0 &&
           config->auth_mode != AUTH_PASSTHROUGH;
}

static void report_all_left_out(struct reader *reader)
{
    const struct config *config = reader->config;
    struct buffer names = {0};
    for (size_t i = 0; i < config->upstream_count; i++)
        buffer_printf(&names, "%s%.*s", i > 0 ? ", " : "", TEXT_ARG(config->upstreams[i].name));
    reader_report(reader, FINDING_ERROR, reader_line(reader, "upstreams", 0, NULL),
                  "there is nowhere to send calls: all upstreams are optional, and none has an "
                  "api_key: give one of them its own (%.*s)",
                  TEXT_ARG(buffer_text(&names)));
    buffer_close(&names);
}

void check_optional_upstreams(struct reader *reader)
{
    struct config *config = reader->config;
    size_t kept = 0;
    for (size_t i = 0; i < config->upstream_count; i++)
        kept += is_left_out(config, &config->upstreams[i]) ? 0 : 1;
    if (kept == 0 && config->upstream_count > 0)
        report_all_left_out(reader);
    kept = 0;
    for (size_t i = 0; i < config->upstream_count; i++) {
        if (!is_left_out(config, &config->upstreams[i]))
            config->upstreams[kept++] = config->upstreams[i];
    }
    config->upstream_count = kept;
}

void check_upstreams(struct reader *reader)
{
    const struct config *config = reader->config;
    struct table names = {0};
    if (!reader_wrote(reader, "upstreams", 0, NULL))
        reader_report(reader, FINDING_ERROR, reader_line(reader, "upstreams", 0, NULL),
                      "there is nowhere to send calls: write upstreams: [{name: openai, base_url: "
                      "\"https://api.openai.com/v1\", api_key: \"${OPENAI_API_KEY}\"}]");
    for (size_t i = 0; i < config->upstream_count; i++) {
        struct address address;
        check_unique(reader, &names, config->upstreams[i].name,
                     reader_line(reader, "upstreams", i, "name"), "the upstream");
        if (!address_from_url(config->upstreams[i].base_url, &address, NULL))
            continue;
        check_url(reader, i, &address);
        check_upstream_key(reader, i, &address);
    }
    table_close(&names);
    check_models(reader);
}
