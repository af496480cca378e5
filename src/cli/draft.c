/* From a configuration to terms. */
#include "cli/draft.h"

#include <stdlib.h>

#include "base/hash.h"
#include "budget/rates.h"
#include "cli/prices.h"
#include "money/catalog_file.h"

static const char *environment(const char *name)
{
    return getenv(name);
}

struct config *draft_read(const char *path, struct findings *findings)
{
    return config_load(path, environment, findings);
}

/* ---- prices ---- */

static void add_own_model(struct catalog *catalog, const struct config *config,
                          const struct config_model *own)
{
    struct buffer provider = {0}, source = {0};
    bool flat = own->hold >= 0;
    buffer_printf(&source, "%.*s:%d", TEXT_ARG(config->path), own->line);
    if (own->upstream.size > 0)
        buffer_printf(&provider, "upstream:%.*s", TEXT_ARG(own->upstream));
    else
        buffer_put(&provider, TEXT("operator"));
    struct model model = {
        .provider = buffer_text(&provider),
        .name = own->name,
        .kind = MODEL_CHAT,
        .max_input_tokens = own->context,
        .max_output_tokens = own->max_output,
        .reasoning = own->reasoning,
        .source = buffer_text(&source),
    };
    model.price.tier_count = 1;
    model.price.tiers[0].above_input_tokens = -1;
    struct rates *rates = &model.price.tiers[0].rates;
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++)
        rates->pico[bucket] = RATE_UNSET;
    rates->pico[BUCKET_INPUT] = flat ? 0 : own->input;
    rates->pico[BUCKET_CACHED_INPUT] =
        flat || own->cached_input < 0 ? RATE_UNSET : own->cached_input;
    rates->pico[BUCKET_OUTPUT] = flat ? 0 : own->output;
    catalog_fill_rates(rates);
    model.price.request_pico = flat ? own->hold : 0;
    for (int piece = 0; piece < PIECE_COUNT; piece++)
        model.price.piece_pico[piece] = flat ? 0 : own->piece[piece];
    catalog_add(catalog, &model, NULL, 0);
    buffer_close(&provider);
    buffer_close(&source);
}

/* What models without a price are priced as. */
static bool add_stand_in(struct catalog *catalog, const struct config *config,
                         struct findings *findings)
{
    if (text_equal(config->unpriced, TEXT("refuse")))
        return true;
    if (text_equal(config->unpriced, TEXT("allow"))) {
        const struct model free = {
            .provider = CATALOG_STAND_IN_PROVIDER,
            .name = CATALOG_STAND_IN_NAME,
            .reasoning = true,
            .source = TEXT("unpriced: allow"),
            .price = {.tier_count = 1, .tiers = {{.above_input_tokens = -1}}},
        };
        catalog_add(catalog, &free, NULL, 0);
        return true;
    }
    if (catalog_add_stand_in(catalog, config->unpriced))
        return true;
    findings_add(findings, FINDING_ERROR, config->unpriced_line,
                 "unpriced: the model \"%.*s\" has no price itself: write refuse, allow, or a "
                 "model that `purser prices` lists",
                 TEXT_ARG(config->unpriced));
    return false;
}

static bool add_files(struct catalog *catalog, const struct config *config,
                      struct findings *findings)
{
    struct fault fault;
    bool fine = true;
    int line = 0;
    if (config->prices.count == 0)
        fine = catalog_load_text(catalog, TEXT("config/prices.json, built in"), prices_built_in(),
                                 &fault);
    for (size_t i = 0; fine && i < config->prices.count; i++) {
        char *path = memory_copy(config->prices.at[i]);
        line = config->price_lines[i];
        fine = catalog_load(catalog, path, &fault);
        free(path);
    }
    if (!fine)
        findings_add(findings, FINDING_ERROR, line, "prices: %s", fault.message);
    return fine;
}

struct catalog *draft_catalog(const struct config *config, struct findings *findings)
{
    struct catalog *catalog = catalog_open();
    bool fine = add_files(catalog, config, findings);
    for (size_t i = 0; i < config->model_count; i++)
        add_own_model(catalog, config, &config->models[i]);
    if (!fine || !add_stand_in(catalog, config, findings)) {
        catalog_close(catalog);
        return NULL;
    }
    catalog_seal(catalog);
    return catalog;
}

/* ---- callers ---- */

static void make_key(struct key *key, const struct config_key *from)
{
    static const enum session_naming rules[] = {
        [SESSION_OPTIONAL] = SESSION_FREE,
        [SESSION_REQUIRED] = SESSION_MUST_BE_NAMED,
        [SESSION_BOUND] = SESSION_IS_THE_KEY,
    };
    static const unsigned names[][2] = {
        {MAY_SET_SESSION, NAMING_SESSION},
        {MAY_SET_LABEL, NAMING_LABEL},
        {MAY_SET_TAGS, NAMING_TAGS},
        {MAY_SET_USER, NAMING_USER},
    };
    *key = (struct key){
        .id = from->id,
        .user = from->user,
        .team = from->team,
        .models = from->models.at,
        .model_count = from->models.count,
        .session = rules[from->session],
        .may_book = from->may_book,
    };
    ASSERT(from->tags.count <= SUBJECT_MAX_TAGS);
    for (size_t i = 0; i < from->tags.count; i++)
        key->tags[key->tag_count++] = from->tags.at[i];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        key->may_set |= (from->may_set & names[i][0]) != 0 ? names[i][1] : 0;
}

static void make_admission(struct terms *terms, const struct config *config)
{
    static const enum admission_mode modes[] = {
        [AUTH_KEYS] = ADMISSION_KEYS,
        [AUTH_OPEN] = ADMISSION_OPEN,
        [AUTH_PASSTHROUGH] = ADMISSION_PASSTHROUGH,
    };
    struct admission_options *options = &terms->admission;
    options->mode = modes[config->auth_mode];
    options->foreign_objects = config->foreign_objects == FOREIGN_ALLOW;
    options->has_admin = config->admin_token.size > 0;
    if (options->has_admin)
        hash_text(config->admin_token, options->admin_digest);
    options->guest = (struct key){
        .id = TEXT("open"),
        .may_set = NAMING_SESSION | NAMING_LABEL | NAMING_TAGS,
    };
    if (options->mode == ADMISSION_OPEN)
        options->guest.may_set |= NAMING_USER;
    options->origins = config->allowed_origins.at;
    options->origin_count = config->allowed_origins.count;
    for (size_t i = 0; i < config->key_count; i++) {
        struct key *key = arena_new(&terms->arena, sizeof *key);
        make_key(key, &config->keys[i]);
        struct text digest = text_make((const char *)config->keys[i].sha256, HASH_SIZE);
        table_put(&options->keys, digest, key);
    }
}

/* ---- upstreams ---- */

/* What would end the value, or the URL, is escaped; escapes that the operator wrote stay so. */
static void put_escaped(struct buffer *out, struct text plain)
{
    for (size_t i = 0; i < plain.size; i++) {
        unsigned char c = (unsigned char)plain.at[i];
        if (c <= ' ' || c >= 0x7f || strchr("&=#\"<>", c) != NULL)
            buffer_printf(out, "%%%02X", c);
        else
            buffer_put_byte(out, (char)c);
    }
}

static struct text make_query(struct arena *arena, const struct config_pairs *pairs)
{
    struct buffer out = {0};
    for (size_t i = 0; i < pairs->count; i++) {
        if (i > 0)
            buffer_put_byte(&out, '&');
        put_escaped(&out, pairs->at[i].name);
        buffer_put_byte(&out, '=');
        put_escaped(&out, pairs->at[i].value);
    }
    struct text query = arena_copy(arena, buffer_text(&out));
    buffer_close(&out);
    return query;
}

static const struct text *make_headers(struct arena *arena, const struct config_pairs *pairs)
{
    struct text *lines = arena_new(arena, pairs->count * sizeof *lines);
    for (size_t i = 0; i < pairs->count; i++)
        lines[i] = arena_printf(arena, "%.*s: %.*s", TEXT_ARG(pairs->at[i].name),
                                TEXT_ARG(pairs->at[i].value));
    return lines;
}

static struct text max_field(const struct config_upstream *from)
{
    if (!text_equal(from->max_tokens_field, TEXT("auto")))
        return from->max_tokens_field;
    /* The newer name is understood by its inventor; others may know only the older one. */
    bool newer =
        text_equal(from->provider, TEXT("openai")) || text_equal(from->provider, TEXT("azure"));
    return newer ? TEXT("max_completion_tokens") : TEXT("max_tokens");
}

/* Anthropic has both APIs at one address. */
static unsigned dialects_of(const struct config_upstream *from)
{
    static const unsigned spoken[] = {
        [SPOKEN_AUTO] = DIALECT_BIT(DIALECT_OPENAI),
        [SPOKEN_OPENAI] = DIALECT_BIT(DIALECT_OPENAI),
        [SPOKEN_ANTHROPIC] = DIALECT_BIT(DIALECT_ANTHROPIC),
        [SPOKEN_BOTH] = DIALECT_BIT(DIALECT_OPENAI) | DIALECT_BIT(DIALECT_ANTHROPIC),
    };
    bool both = from->dialect == SPOKEN_AUTO && text_equal(from->provider, TEXT("anthropic"));
    return spoken[both ? SPOKEN_BOTH : from->dialect];
}

static enum credential credential_of(const struct config_upstream *from, enum dialect dialect)
{
    static const enum credential of_dialects[] = {
        [DIALECT_OPENAI] = CREDENTIAL_BEARER,
        [DIALECT_ANTHROPIC] = CREDENTIAL_X_API_KEY,
    };
    static const enum credential credentials[] = {
        [AUTH_HEADER_BEARER] = CREDENTIAL_BEARER,
        [AUTH_HEADER_API_KEY] = CREDENTIAL_API_KEY,
        [AUTH_HEADER_X_API_KEY] = CREDENTIAL_X_API_KEY,
    };
    return from->auth_header == AUTH_HEADER_AUTO ? of_dialects[dialect]
                                                 : credentials[from->auth_header];
}

static void make_upstream(struct arena *arena, struct upstream *upstream,
                          const struct config_upstream *from)
{
    struct text *alias_from = arena_new(arena, from->aliases.count * sizeof *alias_from);
    struct text *alias_to = arena_new(arena, from->aliases.count * sizeof *alias_to);
    for (size_t i = 0; i < from->aliases.count; i++) {
        alias_from[i] = from->aliases.at[i].name;
        alias_to[i] = from->aliases.at[i].value;
    }
    *upstream = (struct upstream){
        .name = from->name,
        .base_url = from->base_url,
        .key = from->api_key,
        .provider = from->provider,
        .own_prices = arena_printf(arena, "upstream:%.*s", TEXT_ARG(from->name)),
        .dialects = dialects_of(from),
        .credential = {[DIALECT_OPENAI] = credential_of(from, DIALECT_OPENAI),
                       [DIALECT_ANTHROPIC] = credential_of(from, DIALECT_ANTHROPIC)},
        .query = make_query(arena, &from->query),
        .headers = make_headers(arena, &from->headers),
        .header_count = from->headers.count,
        .ca = arena_copy(arena, from->ca),
        .proxy = arena_copy(arena, from->proxy),
        .patterns = from->models.at,
        .pattern_count = from->models.count,
        .alias_from = alias_from,
        .alias_to = alias_to,
        .alias_count = from->aliases.count,
        .max_tokens_field = max_field(from),
        .cancel_saves = from->cancel_saves == TRI_AUTO ? upstream_host_cancel_saves(from->base_url)
                                                       : from->cancel_saves == TRI_YES,
        .stream_usage = from->stream_usage,
        .service = from->service,
        .names_cost = text_equal(from->provider, TEXT("openrouter")) ||
                      upstream_host_names_cost(from->base_url),
        .connect_ms = from->connect_ms,
        .first_byte_ms = from->first_byte_ms,
        .idle_ms = from->idle_ms,
    };
}

static void make_upstreams(struct terms *terms, const struct config *config)
{
    struct upstream *upstreams =
        arena_new(&terms->arena, config->upstream_count * sizeof *upstreams);
    for (size_t i = 0; i < config->upstream_count; i++)
        make_upstream(&terms->arena, &upstreams[i], &config->upstreams[i]);
    terms->upstreams = upstreams;
    terms->upstream_count = config->upstream_count;
}

/* ---- the whole ---- */

/* ---- the cache ---- */

/* Other upstreams may answer differently, and with another maximum of output an answer ends
 * elsewhere. Keys of upstreams do not matter. */
static struct text digest_routes(struct terms *terms, const struct config *config)
{
    struct buffer all = {0};
    uint8_t digest[HASH_SIZE];
    char hex[HASH_HEX_SIZE];
    buffer_printf(&all, "%lld\n", (long long)config->default_max_output);
    for (size_t i = 0; i < terms->upstream_count; i++) {
        const struct upstream *upstream = &terms->upstreams[i];
        const struct text parts[] = {upstream->name, upstream->base_url, upstream->query};
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            buffer_printf(&all, "%zu:%.*s,", parts[k].size, TEXT_ARG(parts[k]));
        buffer_printf(&all, "d%u\n", upstream->dialects);
        for (size_t k = 0; k < upstream->header_count; k++)
            buffer_printf(&all, "h%.*s\n", TEXT_ARG(upstream->headers[k]));
        for (size_t k = 0; k < upstream->pattern_count; k++)
            buffer_printf(&all, "m%.*s\n", TEXT_ARG(upstream->patterns[k]));
        for (size_t k = 0; k < upstream->alias_count; k++)
            buffer_printf(&all, "a%.*s\n%.*s\n", TEXT_ARG(upstream->alias_from[k]),
                          TEXT_ARG(upstream->alias_to[k]));
    }
    hash_text(buffer_text(&all), digest);
    buffer_close(&all);
    hash_hex(digest, HASH_SIZE, hex);
    return arena_copy(&terms->arena, text_of(hex));
}

static void make_recall(struct terms *terms, const struct config *config)
{
    static const enum recall_space spaces[] = {
        [CACHE_SPACE_KEY] = RECALL_PER_KEY,
        [CACHE_SPACE_TEAM] = RECALL_PER_TEAM,
        [CACHE_SPACE_GLOBAL] = RECALL_FOR_ALL,
    };
    terms->recall = (struct recall_rules){
        .on = config->cache_mode != CACHE_MODE_OFF,
        .normalized = config->cache_mode == CACHE_MODE_NORMALIZED,
        .space = spaces[config->cache_space],
        .ttl_us = config->cache_ttl_s * 1000000,
        .fits = {.temperature_most_nano = config->cache_temperature,
                 .absent_temperature = config->cache_absent == CACHE_ABSENT_ALLOW,
                 .embeddings = config->cache_embeddings},
    };
    terms->routes = digest_routes(terms, config);
}

/* ---- admission ---- */

static bool hangs_on_route(const struct rate_limit *limit)
{
    bool routed = limit->who.scope == SCOPE_MODEL || limit->who.scope == SCOPE_UPSTREAM;
    for (size_t i = 0; i < limit->who.match_count; i++) {
        enum scope scope = limit->who.match[i].scope;
        routed |= scope == SCOPE_MODEL || scope == SCOPE_UPSTREAM || scope == SCOPE_SERVICE;
    }
    return routed;
}

/* Their texts are the configuration's. */
static void make_rate_limits(struct terms *terms, const struct config *config)
{
    size_t count = config->rate_limit_count;
    struct rate_limit *limits = arena_new(&terms->arena, count * sizeof *limits);
    for (size_t i = 0; i < count; i++) {
        limits[i] = config->rate_limits[i];
        rates_seal(&limits[i]);
        terms->rate_tokens |= limits[i].limit[RATED_TOKENS] != LIMIT_NONE;
        terms->rate_routed |= hangs_on_route(&limits[i]);
    }
    terms->rate_limits = limits;
    terms->rate_limit_count = count;
}

enum clamp draft_clamp(const struct config *config)
{
    static const enum clamp clamps[] = {
        [CLAMP_RULE_ALWAYS] = CLAMP_ALWAYS,
        [CLAMP_RULE_ABSENT] = CLAMP_ABSENT,
        [CLAMP_RULE_NEVER] = CLAMP_NEVER,
    };
    return clamps[config->clamp];
}

struct terms *draft_terms(const struct config *config, struct catalog *catalog)
{
    struct terms *terms = terms_new();
    terms->catalog = catalog;
    terms->body_most = (size_t)config->body_bytes;
    terms->request_ms = config->request_seconds * 1000;
    terms->drain_ms = config->drain_seconds * 1000;
    terms->poll_us = config->poll_ms * 1000;
    terms->wait_ms = config->wait_ms;
    terms->max_tool_calls = config->max_tool_calls;
    terms->slice_tokens = config->slice_tokens;
    terms->learned_input = config->input_bound == INPUT_BOUND_LEARNED;
    terms->may_lower = config->clamp == CLAMP_RULE_ALWAYS;
    terms->early_error = config->early_stop == EARLY_STOP_ERROR;
    terms->cost_comment = config->stream_cost_comment;
    terms->clamp = draft_clamp(config);
    terms->min_output_tokens = config->min_output_tokens;
    terms->default_max_output = config->default_max_output;
    terms->budget_status = (int)config->budget_status;
    terms->hide_amounts = config->hide_amounts;
    terms->show_shared = config->show_shared;
    terms->log_access = config->log_access;
    make_admission(terms, config);
    make_upstreams(terms, config);
    make_recall(terms, config);
    make_rate_limits(terms, config);
    return terms;
}

static void free_basis(void *basis)
{
    config_close(basis);
}

static struct terms *own(struct config *config, struct catalog *catalog)
{
    struct terms *terms = draft_terms(config, catalog);
    terms->basis = config;
    terms->basis_free = free_basis;
    return terms;
}

struct terms *draft_load(const char *path, const struct config_amendments *amendments,
                         struct findings *findings)
{
    struct config *config = config_load_amended(path, amendments, environment, findings);
    if (config == NULL)
        return NULL;
    struct catalog *catalog = draft_catalog(config, findings);
    if (catalog != NULL)
        config_check_prices(config, catalog, findings);
    if (findings->errors == 0)
        return own(config, catalog);
    catalog_close(catalog);
    config_close(config);
    return NULL;
}

struct terms *draft_amend(struct terms *in_force, const struct config_amendments *amendments,
                          struct findings *findings)
{
    struct config *config = config_amend(draft_config(in_force), amendments, environment, findings);
    if (config == NULL)
        return NULL;
    config_check_prices(config, in_force->catalog, findings);
    if (findings->errors > 0) {
        config_close(config);
        return NULL;
    }
    struct terms *terms = own(config, in_force->catalog);
    /* Not of who lent itself: a long chain would keep them all. */
    terms->lender = terms_take(in_force->lender == NULL ? in_force : in_force->lender);
    return terms;
}

const struct config *draft_config(const struct terms *terms)
{
    ASSERT(terms->basis_free == free_basis);
    return terms->basis;
}
