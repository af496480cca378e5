/*
 * The configuration: what the operator wrote, checked and complete, as plain data.
 *
 * One table of options (src/config/options.c) is the single definition: it loads, checks, prints
 * (`purser check --print`) and documents (config/purser.yaml). An unknown option, a wrong type, a
 * missing environment variable: each is a finding with file, line and what to write instead, all
 * found in one pass.
 *
 * Everything belongs to the config and is freed with it; modules borrow from it.
 */
#ifndef PURSER_CONFIG_CONFIG_H
#define PURSER_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/fault.h"
#include "base/log.h"
#include "money/catalog.h"
#include "money/limit.h"
#include "money/rate_limit.h"

enum auth_mode { AUTH_KEYS, AUTH_OPEN, AUTH_PASSTHROUGH };
enum auth_header {
    AUTH_HEADER_AUTO,
    AUTH_HEADER_BEARER,
    AUTH_HEADER_API_KEY,
    AUTH_HEADER_X_API_KEY
};
enum session_rule { SESSION_OPTIONAL, SESSION_REQUIRED, SESSION_BOUND };
enum input_bound { INPUT_BOUND_BYTES, INPUT_BOUND_LEARNED };
enum foreign_objects { FOREIGN_REFUSE, FOREIGN_ALLOW };
enum early_stop { EARLY_STOP_LENGTH, EARLY_STOP_ERROR };
enum clamp_rule { CLAMP_RULE_ALWAYS, CLAMP_RULE_ABSENT, CLAMP_RULE_NEVER };
enum cache_mode { CACHE_MODE_OFF, CACHE_MODE_EXACT, CACHE_MODE_NORMALIZED };
enum cache_space { CACHE_SPACE_KEY, CACHE_SPACE_TEAM, CACHE_SPACE_GLOBAL };
enum cache_absent { CACHE_ABSENT_BYPASS, CACHE_ABSENT_ALLOW };
enum tri { TRI_AUTO, TRI_YES, TRI_NO };
enum spoken { SPOKEN_AUTO, SPOKEN_OPENAI, SPOKEN_ANTHROPIC, SPOKEN_BOTH }; /* dialects */

/* What a key may name itself (bits of config_key.may_set). */
enum may_set { MAY_SET_SESSION = 1, MAY_SET_LABEL = 2, MAY_SET_TAGS = 4, MAY_SET_USER = 8 };

struct config_texts {
    struct text *at;
    size_t count;
};

struct config_pair {
    struct text name, value;
};

struct config_pairs {
    struct config_pair *at;
    size_t count;
};

struct config_key {
    struct text id;     /* unique */
    uint8_t sha256[32]; /* of the key itself, or as given by `hash: sha256:<hex>` */
    struct text user, team;
    struct config_texts tags;
    struct config_texts models; /* patterns; empty: all */
    unsigned may_set;
    enum session_rule session;
    bool may_book; /* costs from elsewhere */
};

struct config_upstream {
    struct text name;     /* unique */
    struct text base_url; /* without a trailing slash */
    struct text api_key;  /* empty: none is sent (or the client's, in passthrough) */
    bool optional;        /* it has an api_key, or is not among the upstreams */
    enum spoken dialect;
    struct text provider; /* whose prices; "" : prices of any provider */
    enum auth_header auth_header;
    struct config_pairs headers, query;
    struct text ca, proxy;        /* a file of certificates; a proxy URL */
    struct config_texts models;   /* patterns of model names it serves; empty: all */
    struct config_pairs aliases;  /* name asked for → name sent */
    struct text max_tokens_field; /* "max_completion_tokens", "max_tokens" or "auto" */
    enum tri cancel_saves;
    enum service service; /* of calls that leave it to the provider */
    bool stream_usage;
    int64_t connect_ms, first_byte_ms, idle_ms;
    int line; /* of the file; 0 without one */
};

struct config_model {
    struct text name, upstream;          /* upstream: "" for any */
    int64_t input, cached_input, output; /* pico-dollars per token; cached -1: as input */
    int64_t context, max_output;         /* tokens; 0: unknown */
    int64_t piece[PIECE_COUNT];          /* pico-dollars for each */
    int64_t hold; /* pico-dollars that each call is held for and costs, whatever it does; -1: as the
                     prices say */
    bool reasoning;
    int line; /* of the file; 0 without one */
};

struct config {
    struct arena arena;
    struct text path;   /* of the file; empty without one */
    struct text source; /* what stood in it */

    struct text listen; /* "host:port" or "unix:/path" */
    struct config_texts allowed_origins;
    int64_t workers; /* 0: by the machine */
    struct text node;
    struct text data_dir; /* resolved against the file's folder */
    enum log_level log_level;
    enum log_format log_format;
    bool log_access;
    int64_t body_bytes, connections, request_seconds, drain_seconds, accounts, poll_ms;

    enum auth_mode auth_mode;
    struct text admin_token; /* empty: none */
    enum foreign_objects foreign_objects;
    struct config_key *keys;
    size_t key_count, own_key_count; /* the file's own are the first */
    struct config_upstream *upstreams;
    size_t upstream_count;

    struct config_texts prices; /* resolved paths; empty: the built-in place */
    int *price_lines;           /* of the file, for each of them; 0 without one */
    struct config_model *models;
    size_t model_count;
    int unpriced_line;
    struct text unpriced; /* "refuse", "allow", or the model as which others are priced */

    struct budget *budgets; /* money/limit.h; zones are open */
    size_t budget_count, own_budget_count;
    struct rate_limit *rate_limits; /* money/rate_limit.h; not sealed */
    size_t rate_limit_count;
    enum clamp_rule clamp;
    int64_t min_output_tokens, default_max_output, wait_ms, max_waiting;
    int64_t max_tool_calls;
    int64_t slice_tokens; /* 0: no rolling holds */
    enum input_bound input_bound;
    enum early_stop early_stop;
    bool stream_cost_comment;
    int64_t budget_status; /* 429, 402, 403 or 400 */
    bool hide_amounts;
    bool show_shared; /* an ordinary key sees the amounts of shared budgets */

    enum cache_mode cache_mode;
    int64_t cache_ttl_s, cache_bytes;
    int64_t cache_temperature; /* billionths */
    enum cache_absent cache_absent;
    enum cache_space cache_space;
    bool cache_embeddings;

    struct text store_redis;                     /* as redis_url_parse reads it; empty: none */
    struct text store_ca, store_cert, store_key; /* resolved paths, or empty */
    struct text store_server_name;
    int64_t wait_replicas;
    int64_t lease_s;

    struct text ledger_dir; /* resolved against data_dir */
    int64_t fsync_ms, rotate_bytes;
};

enum finding_kind { FINDING_ERROR, FINDING_WARNING };

struct finding {
    enum finding_kind kind;
    int line;          /* 0: no line is to blame */
    char message[400]; /* what is wrong and what to write instead */
};

struct findings {
    struct finding *at;
    size_t count;
    size_t errors;  /* of kind FINDING_ERROR, the dropped ones included */
    size_t dropped; /* beyond FINDINGS_MOST: counted, not kept */
};
#define FINDINGS_MOST 200
void findings_close(struct findings *findings); /* empty again */
void findings_add(struct findings *findings, enum finding_kind kind, int line, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/* "purser.yaml:12: error: ..." lines, in the order of the file after config_load. Control
 * characters have become '?'. Without a path: "error: ..." */
void findings_print(const struct findings *findings, struct text path, struct buffer *out);
/* The same without the warnings, for a file that is refused. */
void findings_print_errors(const struct findings *findings, struct text path, struct buffer *out);

/* Looks up an environment variable: NULL if unset. A seam for tests (real: getenv). */
typedef const char *config_env(const char *name);

/* Reads a file; NULL path: the configuration without a file (http-api.md). All findings are
 * collected; NULL if any is an error. */
struct config *config_load(const char *path, config_env *env, struct findings *findings);
/* The same from bytes, as if they stood in `path` (which need not exist). */
struct config *config_load_text(struct text yaml, const char *path, config_env *env,
                                struct findings *findings);
void config_close(struct config *config);

/* What was made at run time (config/amend.h says what becomes of it). */
enum amendment {
    AMEND_KEY,    /* an entry of `keys`; name: its id */
    AMEND_BUDGET, /* an entry of `budgets` */
    AMEND_LIMITS, /* `usd`, `tokens`, `requests` of the budget of that name, if there is one */
};

struct config_amendment {
    enum amendment kind;
    struct text name, body; /* the body is a JSON object; its members are as in the file */
};

struct config_amendments {
    const struct config_amendment *at;
    size_t count;
};

/* config_load, and what amends it; NULL: nothing does. */
struct config *config_load_amended(const char *path, const struct config_amendments *amendments,
                                   config_env *env, struct findings *findings);
/* A loaded configuration once more, amended in another way; the file is not read again. */
struct config *config_amend(const struct config *basis, const struct config_amendments *amendments,
                            config_env *env, struct findings *findings);

/* Checks that need the price catalog: models without a price under a USD budget, patterns that
 * match nothing. */
void config_check_prices(const struct config *config, const struct catalog *catalog,
                         struct findings *findings);

/* The configuration as complete YAML, secrets as "(hidden)": `purser check --print`. */
void config_print(const struct config *config, struct buffer *out);
/* config/purser.yaml: every option with its default and its comment, from the table. */
void config_print_reference(struct buffer *out);

#endif
