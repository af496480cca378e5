/* From a configuration to a house: each module gets its own options, nobody else sees the whole. */
#include "cli/house.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "cli/prices.h"

/* ---- prices ---- */

static void add_own_model(struct catalog *catalog, const struct config *config,
                          const struct config_model *own)
{
    struct buffer provider = {0}, source = {0};
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
    int64_t cached = own->cached_input < 0 ? own->input : own->cached_input;
    model.price.tier_count = 1;
    model.price.tiers[0].above_input_tokens = -1;
    int64_t *pico = model.price.tiers[0].rates.pico;
    pico[BUCKET_INPUT] = own->input;
    pico[BUCKET_CACHED_INPUT] = cached;
    pico[BUCKET_CACHE_WRITE] = own->input;
    pico[BUCKET_AUDIO_INPUT] = own->input;
    pico[BUCKET_OUTPUT] = own->output;
    pico[BUCKET_AUDIO_OUTPUT] = own->output;
    catalog_add(catalog, &model, NULL, 0);
    buffer_close(&provider);
    buffer_close(&source);
}

/* What models without a price are priced as. */
static bool add_stand_in(struct catalog *catalog, struct text unpriced, struct fault *fault)
{
    if (text_equal(unpriced, TEXT("refuse")))
        return true;
    if (text_equal(unpriced, TEXT("allow"))) {
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
    if (catalog_add_stand_in(catalog, unpriced))
        return true;
    return fault_set(fault,
                     "unpriced: the model \"%.*s\" has no price itself: write refuse, allow, or a "
                     "model that `purser prices` lists",
                     TEXT_ARG(unpriced));
}

struct catalog *estate_catalog(const struct config *config, struct fault *fault)
{
    struct catalog *catalog = catalog_open();
    bool fine = true;
    if (config->prices.count == 0)
        fine = catalog_load_text(catalog, TEXT("config/prices.json, built in"), prices_built_in(),
                                 fault);
    for (size_t i = 0; fine && i < config->prices.count; i++) {
        char *path = memory_copy(config->prices.at[i]);
        fine = catalog_load(catalog, path, fault);
        free(path);
    }
    for (size_t i = 0; i < config->model_count; i++)
        add_own_model(catalog, config, &config->models[i]);
    if (!fine || !add_stand_in(catalog, config->unpriced, fault)) {
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

static void admit_options(struct estate *estate)
{
    static const enum admission_mode modes[] = {
        [AUTH_KEYS] = ADMISSION_KEYS,
        [AUTH_OPEN] = ADMISSION_OPEN,
        [AUTH_PASSTHROUGH] = ADMISSION_PASSTHROUGH,
    };
    const struct config *config = estate->config;
    struct admission_options *options = &estate->house.admission;
    options->mode = modes[config->auth_mode];
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
        struct key *key = arena_new(&estate->arena, sizeof *key);
        make_key(key, &config->keys[i]);
        struct text digest = text_make((const char *)config->keys[i].sha256, HASH_SIZE);
        table_put(&options->keys, digest, key);
    }
}

/* ---- upstreams ---- */

static struct text make_query(struct arena *arena, const struct config_pairs *pairs)
{
    struct buffer out = {0};
    for (size_t i = 0; i < pairs->count; i++)
        buffer_printf(&out, "%s%.*s=%.*s", i > 0 ? "&" : "", TEXT_ARG(pairs->at[i].name),
                      TEXT_ARG(pairs->at[i].value));
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

static void make_upstream(struct arena *arena, struct upstream *upstream,
                          const struct config_upstream *from)
{
    static const enum credential credentials[] = {
        [AUTH_HEADER_BEARER] = CREDENTIAL_BEARER,
        [AUTH_HEADER_API_KEY] = CREDENTIAL_API_KEY,
        [AUTH_HEADER_X_API_KEY] = CREDENTIAL_X_API_KEY,
    };
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
        .credential = credentials[from->auth_header],
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
        .connect_ms = from->connect_ms,
        .first_byte_ms = from->first_byte_ms,
        .idle_ms = from->idle_ms,
    };
}

static void make_upstreams(struct estate *estate)
{
    const struct config *config = estate->config;
    struct upstream *upstreams =
        arena_new(&estate->arena, config->upstream_count * sizeof *upstreams);
    for (size_t i = 0; i < config->upstream_count; i++)
        make_upstream(&estate->arena, &upstreams[i], &config->upstreams[i]);
    estate->house.upstreams = upstreams;
    estate->house.upstream_count = config->upstream_count;
}

void estate_open_routes(struct estate *estate, const struct config *config, struct catalog *catalog)
{
    *estate = (struct estate){.config = config, .catalog = catalog};
    estate->house.catalog = catalog;
    make_upstreams(estate);
}

void estate_close_routes(struct estate *estate)
{
    arena_close(&estate->arena);
    *estate = (struct estate){0};
}

/* ---- books and budgets ---- */

static void say_replay(const struct ledger_replay *replay)
{
    char amount[MONEY_STRING_SIZE];
    if (replay->torn_bytes > 0)
        log_warn("the ledger's last line was torn: %zu bytes were cut off and kept aside",
                 replay->torn_bytes);
    if (replay->forfeits > 0)
        log_warn("calls in flight when the last process died: %zu, booked in full, %s",
                 replay->forfeits, money_string(replay->forfeited, amount));
    log_info("ledger: %zu lines replayed", replay->lines);
}

static bool make_folder(struct text path, struct fault *fault)
{
    char *name = memory_copy(path);
    bool fine = mkdir(name, 0700) == 0 || errno == EEXIST;
    if (!fine)
        fault_set(fault, "data_dir: cannot make %s: %s", name, strerror(errno));
    free(name);
    return fine;
}

static bool open_ledger(struct estate *estate, struct fault *fault)
{
    const struct config *config = estate->config;
    struct ledger_replay replay;
    const struct ledger_options options = {
        .dir = arena_copy(&estate->arena, config->ledger_dir).at,
        .node = config->node,
        .clock = clock_real(),
        .fsync_ms = config->fsync_ms,
        .rotate_bytes = config->rotate_bytes,
        .price_version = catalog_version(estate->catalog),
    };
    if (!make_folder(config->data_dir, fault))
        return false;
    estate->house.ledger = ledger_open(&options, &replay, fault);
    if (estate->house.ledger == NULL)
        return false;
    say_replay(&replay);
    return true;
}

static void open_gate(struct estate *estate)
{
    static const enum clamp clamps[] = {
        [CLAMP_RULE_ALWAYS] = CLAMP_ALWAYS,
        [CLAMP_RULE_ABSENT] = CLAMP_ABSENT,
        [CLAMP_RULE_NEVER] = CLAMP_NEVER,
    };
    const struct config *config = estate->config;
    const struct core_options options = {
        .budgets = config->budgets,
        .budget_count = config->budget_count,
        .clamp = clamps[config->clamp],
        .min_output_tokens = config->min_output_tokens,
        .default_max_output = config->default_max_output,
        .max_waiting = (size_t)config->max_waiting,
        .max_accounts = (size_t)config->accounts,
    };
    estate->house.gate = gate_open(&options);
    struct charge charge;
    size_t at = 0;
    while (ledger_next_balance(estate->house.ledger, &at, &charge))
        gate_restore(estate->house.gate, &charge);
}

static bool open_clerk(struct estate *estate, struct fault *fault)
{
    const struct config *config = estate->config;
    const char *dir = arena_copy(&estate->arena, config->ledger_dir).at;
    const char *database =
        arena_printf(&estate->arena, "%.*s/books.db", TEXT_ARG(config->data_dir)).at;
    estate->house.clerk = clerk_open(dir, database, fault);
    return estate->house.clerk != NULL;
}

bool estate_open(struct estate *estate, const struct config *config, struct catalog *catalog,
                 struct fault *fault)
{
    *estate = (struct estate){.config = config, .catalog = catalog};
    struct house *house = &estate->house;
    house->catalog = catalog;
    house->body_most = (size_t)config->body_bytes;
    house->request_ms = config->request_seconds * 1000;
    house->drain_ms = config->drain_seconds * 1000;
    house->wait_ms = config->wait_ms;
    house->budget_status = (int)config->budget_status;
    house->hide_amounts = config->hide_amounts;
    house->show_shared = config->show_shared;
    house->log_access = config->log_access;
    pthread_mutex_init(&house->guests.lock, NULL);
    pthread_mutex_init(&house->bookings.lock, NULL);
    admit_options(estate);
    make_upstreams(estate);
    if (open_ledger(estate, fault)) {
        open_gate(estate);
        if (open_clerk(estate, fault))
            return true;
    }
    estate_close(estate);
    return false;
}

void estate_dismiss_clerk(struct estate *estate)
{
    clerk_close(estate->house.clerk);
    estate->house.clerk = NULL;
}

void estate_close(struct estate *estate)
{
    struct house *house = &estate->house;
    estate_dismiss_clerk(estate);
    if (house->gate != NULL)
        ASSERT(gate_open_holds(house->gate) == 0);
    gate_close(house->gate);
    ledger_close(house->ledger);
    table_close(&house->admission.keys);
    table_close(&house->guests.accepted);
    table_close(&house->bookings.names);
    pthread_mutex_destroy(&house->guests.lock);
    pthread_mutex_destroy(&house->bookings.lock);
    arena_close(&estate->arena);
    *estate = (struct estate){0};
}
