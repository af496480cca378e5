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

/* ---- queries ---- */

static int hex_digit(char c)
{
    char small = (char)(c | 0x20);
    if (c >= '0' && c <= '9')
        return c - '0';
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/* Takes the first character of a name off it: decoded, in lower case. '\0' at its end, and where a
 * list's brackets begin: "a[]" is "a" to some. */
static char take_folded(struct text *name)
{
    if (name->size == 0)
        return '\0';
    char c = name->at[0];
    size_t taken = 1;
    int high = c == '%' && name->size >= 3 ? hex_digit(name->at[1]) : -1;
    int low = high >= 0 ? hex_digit(name->at[2]) : -1;
    if (low >= 0) {
        c = (char)(high * 16 + low);
        taken = 3;
    }
    *name = text_from(*name, taken);
    if (c >= 'A' && c <= 'Z')
        return (char)(c | 0x20);
    return (char)(c == '[' ? '\0' : c);
}

static bool same_name(struct text a, struct text b)
{
    char left, right;
    do {
        left = take_folded(&a);
        right = take_folded(&b);
    } while (left == right && left != '\0');
    return left == right;
}

static bool is_the_operators(struct text query, struct text name)
{
    while (query.size > 0) {
        struct text member = text_split(&query, '&');
        if (same_name(text_split(&member, '='), name))
            return true;
    }
    return false;
}

/* Where a server takes keys from its URL, which key pays is for purser to say. */
static bool is_credential(struct text name)
{
    static const char *const names[] = {"key",          "api-key",          "api_key",
                                        "apikey",       "x-api-key",        "token",
                                        "access_token", "subscription-key", "authorization"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (same_name(text_of(names[i]), name))
            return true;
    }
    return false;
}

struct text upstream_query(const struct upstream *upstream, struct text client, struct arena *arena)
{
    struct buffer out = {0};
    buffer_put(&out, upstream->query);
    while (client.size > 0) {
        struct text member = text_split(&client, '&');
        struct text rest = member;
        struct text name = text_split(&rest, '=');
        if (member.size == 0 || is_the_operators(upstream->query, name) || is_credential(name))
            continue;
        if (out.size > 0)
            buffer_put_byte(&out, '&');
        buffer_put(&out, member);
    }
    struct text whole = TEXT("");
    if (out.size > 0)
        whole = arena_join(arena, (struct text[]){TEXT("?"), buffer_text(&out)}, 2);
    buffer_close(&out);
    return whole;
}

struct text upstream_url(const struct upstream *upstream, const struct upstream_target *target,
                         struct arena *arena)
{
    const struct text mark = TEXT("{model}");
    struct text query = upstream_query(upstream, target->query, arena);
    size_t at = text_find(upstream->base_url, mark, 0);
    if (at == SIZE_MAX)
        return arena_join(arena, (struct text[]){upstream->base_url, target->path, query}, 3);
    struct buffer encoded = {0};
    put_encoded(&encoded, target->model);
    const struct text parts[] = {
        text_slice(upstream->base_url, 0, at),
        buffer_text(&encoded),
        text_from(upstream->base_url, at + mark.size),
        target->path,
        query,
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
