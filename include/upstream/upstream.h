/*
 * An upstream: where calls go and how they are dressed for it. Never changed, shared by all
 * workers.
 */
#ifndef PURSER_UPSTREAM_UPSTREAM_H
#define PURSER_UPSTREAM_UPSTREAM_H

#include "base/arena.h"
#include "base/text.h"
#include "money/price.h"
#include "wire/endpoint.h"

enum credential { CREDENTIAL_BEARER, CREDENTIAL_API_KEY, CREDENTIAL_X_API_KEY };

struct upstream {
    struct text name;
    struct text base_url;   /* no slash at the end; "{model}" in it becomes the model's name */
    struct text key;        /* empty: none of its own */
    struct text provider;   /* whose prices apply; empty: anybody's */
    struct text own_prices; /* the catalog provider of models configured for it alone */
    unsigned dialects;      /* bits: those it speaks */
    enum credential credential[DIALECT_COUNT]; /* how its key is sent */
    struct text query;                         /* "api-version=2024-10-21", encoded; empty: none */
    const struct text *headers; /* "Name: value" lines added to each call, zero-terminated */
    size_t header_count;
    struct text ca, proxy;       /* zero-terminated; empty: the system's, none */
    const struct text *patterns; /* model names it serves; none: all */
    size_t pattern_count;
    const struct text *alias_from, *alias_to; /* name asked for → name sent */
    size_t alias_count;
    struct text max_tokens_field; /* "max_tokens" or "max_completion_tokens" (chat only) */
    bool cancel_saves;            /* closing a stream stops the bill */
    bool stream_usage;            /* understands stream_options.include_usage */
    enum service service;         /* what calls get that leave the choice to the provider */
    bool names_cost;              /* its `usage.cost` is what it bills, in USD */
    int64_t connect_ms, first_byte_ms, idle_ms;
};

/* True if it serves the model asked for; `*sent` is the name to send (an alias or the same). */
bool upstream_serves(const struct upstream *upstream, struct text model, struct text *sent);

/* What a URL is made of. */
struct upstream_target {
    struct text path;  /* of the endpoint: "/chat/completions" */
    struct text model; /* as it is sent */
    struct text query; /* the client's, as far as it is to go along; without '?' */
};

/* The URL, zero-terminated, in the arena. */
struct text upstream_url(const struct upstream *upstream, const struct upstream_target *target,
                         struct arena *arena);

/* "?a=1&b=2": the operator's query, and what the client's has beside it: nothing that the operator
 * sets (the name decoded, in any letter case), no key. Empty if nothing is left. In the arena. */
struct text upstream_query(const struct upstream *upstream, struct text client,
                           struct arena *arena);

/* The "Authorization: Bearer ..." (or api-key, x-api-key) line for a key, zero-terminated. */
struct text upstream_credential(enum credential credential, struct text key, struct arena *arena);

/* Whether closing a stream to this host stops the provider's bill, as its public documents or a
 * public list of providers say: OpenRouter's table "Stream cancellation". Unknown hosts: no. */
bool upstream_host_cancel_saves(struct text base_url);

/* Whether what this host's answers name as `usage.cost` is what it bills: OpenRouter's alone
 * ("Usage accounting"). Anybody else's may be in another unit, or nothing at all. */
bool upstream_host_names_cost(struct text base_url);

#endif
