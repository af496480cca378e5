/*
 * Addresses, taken apart by hand: a URL library would accept more than is wanted here.
 */
#include "config/address.h"

#define PORT_MOST 65535

static bool is_printable(struct text value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.at[i] <= 0x20 || value.at[i] >= 0x7f)
            return false;
    return true;
}

static bool is_host(struct text host)
{
    bool bracketed = text_starts(host, TEXT("[")) && text_ends(host, TEXT("]"));
    struct text inside = bracketed ? text_slice(host, 1, host.size - 1) : host;
    for (size_t i = 0; i < inside.size; i++) {
        char byte = inside.at[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool digit = byte >= '0' && byte <= '9';
        bool mark = bracketed ? byte == ':' || byte == '.' : strchr(".-_", byte) != NULL;
        if (byte == '\0' || !(letter || digit || mark))
            return false;
    }
    return inside.size > 0;
}

/* Cuts "host[:port]"; the port stays empty if there is none. */
static bool split_host(struct text whole, struct address *address, struct fault *fault)
{
    size_t from = text_starts(whole, TEXT("[")) ? text_find(whole, TEXT("]"), 0) : 0;
    size_t colon = from == SIZE_MAX ? SIZE_MAX : text_find(whole, TEXT(":"), from);
    address->host = text_slice(whole, 0, colon);
    address->port = colon == SIZE_MAX ? TEXT_NONE : text_from(whole, colon + 1);
    if (!is_host(address->host))
        return fault_set(fault, "must name a host (letters, digits, dots; IPv6 in [brackets])");
    int64_t port = 0;
    if (colon != SIZE_MAX && (!text_to_int(address->port, &port) || port < 0 || port > PORT_MOST))
        return fault_set(fault, "must have a port from 0 to %d behind the colon", PORT_MOST);
    return true;
}

bool address_from_url(struct text url, struct address *address, struct fault *fault)
{
    struct address parts = {0};
    size_t colon = text_find(url, TEXT("://"), 0);
    parts.scheme = text_slice(url, 0, colon);
    if (colon == SIZE_MAX || (!text_equal_nocase(parts.scheme, TEXT("http")) &&
                              !text_equal_nocase(parts.scheme, TEXT("https"))))
        return fault_set(fault, "must begin with http:// or https://");
    if (!is_printable(url))
        return fault_set(fault, "must not have spaces or letters beyond ASCII");
    struct text rest = text_from(url, colon + 3);
    if (text_find(rest, TEXT("?"), 0) != SIZE_MAX || text_find(rest, TEXT("#"), 0) != SIZE_MAX)
        return fault_set(fault, "must end before \"?\" and \"#\": write query: {name: value}");
    if (text_find(rest, TEXT("@"), 0) != SIZE_MAX)
        return fault_set(fault, "must not carry a user or password: write api_key or headers");
    size_t slash = text_find(rest, TEXT("/"), 0);
    parts.path = slash == SIZE_MAX ? TEXT_NONE : text_from(rest, slash);
    if (!split_host(text_slice(rest, 0, slash), &parts, fault))
        return false;
    *address = parts;
    return true;
}

bool address_from_listen(struct text listen, struct address *address, struct fault *fault)
{
    struct address parts = {0};
    int64_t number;
    if (text_to_int(listen, &number) || text_starts(listen, TEXT(":")))
        return fault_set(fault, "must name a host too: write 127.0.0.1:8080 for this machine "
                                "alone, or 0.0.0.0:8080 for all");
    if (!split_host(listen, &parts, fault))
        return false;
    if (parts.port.size == 0)
        return fault_set(fault, "must name a port too: write 127.0.0.1:8080");
    *address = parts;
    return true;
}

bool address_is_loopback(struct text host)
{
    if (text_equal_nocase(host, TEXT("localhost")) || text_equal(host, TEXT("[::1]")))
        return true;
    for (size_t i = 0; i < host.size; i++)
        if (host.at[i] != '.' && !(host.at[i] >= '0' && host.at[i] <= '9'))
            return false;
    return text_starts(host, TEXT("127."));
}

bool address_is_private(struct text listen)
{
    struct address address;
    return text_starts(listen, TEXT("unix:")) ||
           (address_from_listen(listen, &address, NULL) && address_is_loopback(address.host));
}

/* The ids are those of config/prices.json. */
static const struct {
    const char *host; /* a pattern */
    const char *provider;
} PROVIDERS[] = {
    {"api.openai.com", "openai"},
    {"*.api.openai.com", "openai"},
    {"*.openai.azure.com", "azure"},
    {"*.services.ai.azure.com", "azure"},
    {"*.cognitiveservices.azure.com", "azure"},
    {"api.anthropic.com", "anthropic"},
    {"generativelanguage.googleapis.com", "google"},
    {"*aiplatform.googleapis.com", "google"},
    {"bedrock*.amazonaws.com", "bedrock"},
    {"api.mistral.ai", "mistral"},
    {"api.groq.com", "groq"},
    {"api.deepseek.com", "deepseek"},
    {"api.x.ai", "xai"},
    {"*.api.x.ai", "xai"},
    {"openrouter.ai", "openrouter"},
    {"api.together.xyz", "together"},
    {"api.together.ai", "together"},
    {"api.fireworks.ai", "fireworks"},
    {"api.cohere.com", "cohere"},
    {"api.cohere.ai", "cohere"},
    {"api.cerebras.ai", "cerebras"},
    {"api.perplexity.ai", "perplexity"},
    {"api.moonshot.ai", "moonshot"},
    {"api.moonshot.cn", "moonshot"},
    {"api.novita.ai", "novita"},
};

struct text address_provider(struct text host)
{
    for (size_t i = 0; i < sizeof(PROVIDERS) / sizeof(PROVIDERS[0]); i++)
        if (text_matches(host, text_of(PROVIDERS[i].host)))
            return text_of(PROVIDERS[i].provider);
    return TEXT_NONE;
}
