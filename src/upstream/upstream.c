/* Upstreams: names, addresses, credentials. */
#include "upstream/upstream.h"

static bool alias_find(const struct upstream *upstream, struct text model, struct text *sent)
{
    for (size_t i = 0; i < upstream->alias_count; i++) {
        if (text_equal(upstream->alias_from[i], model)) {
            *sent = upstream->alias_to[i];
            return true;
        }
    }
    return false;
}

bool upstream_serves(const struct upstream *upstream, struct text model, struct text *sent)
{
    if (alias_find(upstream, model, sent))
        return true;
    if (upstream->pattern_count == 0) {
        *sent = model;
        return true;
    }
    for (size_t i = 0; i < upstream->pattern_count; i++) {
        if (text_matches(model, upstream->patterns[i])) {
            *sent = model;
            return true;
        }
    }
    return false;
}

static void put_encoded(struct buffer *out, struct text plain)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < plain.size; i++) {
        unsigned char c = (unsigned char)plain.at[i];
        bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.' || c == '_' || c == '~';
        if (safe) {
            buffer_put_byte(out, (char)c);
        } else {
            buffer_put_byte(out, '%');
            buffer_put_byte(out, hex[c >> 4]);
            buffer_put_byte(out, hex[c & 15]);
        }
    }
}

struct text upstream_url(const struct upstream *upstream, struct text path, struct text model,
                         struct arena *arena)
{
    const struct text mark = TEXT("{model}");
    struct text question = upstream->query.size > 0 ? TEXT("?") : TEXT("");
    size_t at = text_find(upstream->base_url, mark, 0);
    if (at == SIZE_MAX)
        return arena_join(arena,
                          (struct text[]){upstream->base_url, path, question, upstream->query}, 4);
    struct buffer encoded = {0};
    put_encoded(&encoded, model);
    const struct text parts[] = {
        text_slice(upstream->base_url, 0, at),
        buffer_text(&encoded),
        text_from(upstream->base_url, at + mark.size),
        path,
        question,
        upstream->query,
    };
    struct text url = arena_join(arena, parts, sizeof parts / sizeof *parts);
    buffer_close(&encoded);
    return url;
}

struct text upstream_credential(enum credential credential, struct text key, struct arena *arena)
{
    static const struct text prefix[] = {
        [CREDENTIAL_BEARER] = TEXT("Authorization: Bearer "),
        [CREDENTIAL_API_KEY] = TEXT("api-key: "),
        [CREDENTIAL_X_API_KEY] = TEXT("x-api-key: "),
    };
    return arena_join(arena, (struct text[]){prefix[credential], key}, 2);
}

static struct text host_of(struct text url)
{
    size_t at = text_find(url, TEXT("://"), 0);
    struct text rest = at == SIZE_MAX ? url : text_from(url, at + 3);
    size_t end = 0;
    while (end < rest.size && rest.at[end] != '/' && rest.at[end] != ':' && rest.at[end] != '?')
        end++;
    return text_slice(rest, 0, end);
}

/* A known host that begins with a point stands for all hosts below it. */
static bool host_is_among(struct text host, const char *const *known_hosts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct text known = text_of(known_hosts[i]);
        bool below = known.at[0] == '.' && host.size > known.size;
        if (text_equal_nocase(below ? text_from(host, host.size - known.size) : host, known))
            return true;
    }
    return false;
}

bool upstream_host_cancel_saves(struct text base_url)
{
    static const char *const saving[] = {
        "api.openai.com",  ".openai.azure.com", "api.anthropic.com", "api.together.xyz",
        "api.together.ai", "api.fireworks.ai",  "api.deepinfra.com", "api.deepseek.com",
        "api.x.ai",        "api.cohere.com",    "api.cohere.ai",     "api.novita.ai",
    };
    return host_is_among(host_of(base_url), saving, sizeof saving / sizeof *saving);
}

bool upstream_host_names_cost(struct text base_url)
{
    static const char *const naming[] = {"openrouter.ai", ".openrouter.ai"};
    return host_is_among(host_of(base_url), naming, sizeof naming / sizeof *naming);
}
