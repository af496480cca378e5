/*
 * The table of options: the single definition of everything that can be configured.
 *
 * It loads, checks, prints and documents. A new option is a member in config.h and a row here.
 */
#include "config/option.h"

#include "config/config.h"

#define MINUTE_MS 60000

#define ROOT(member)     .offset = offsetof(struct config, member)
#define KEY(member)      .offset = offsetof(struct config_key, member)
#define UPSTREAM(member) .offset = offsetof(struct config_upstream, member)
#define MODEL(member)    .offset = offsetof(struct config_model, member)
#define BUDGET(member)   .offset = offsetof(struct budget, member)
#define RATE(member)     .offset = offsetof(struct rate_limit, member)

static const struct option_choice LEVELS[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warn", LOG_WARN}, {"error", LOG_ERROR}, {0}};
static const struct option_choice FORMATS[] = {{"text", LOG_TEXT}, {"json", LOG_JSON}, {0}};
static const struct option_choice MODES[] = {
    {"keys", AUTH_KEYS}, {"open", AUTH_OPEN}, {"passthrough", AUTH_PASSTHROUGH}, {0}};
static const struct option_choice MAY_SET[] = {{"session", MAY_SET_SESSION},
                                               {"label", MAY_SET_LABEL},
                                               {"tags", MAY_SET_TAGS},
                                               {"user", MAY_SET_USER},
                                               {0}};
static const struct option_choice SESSION_RULES[] = {
    {"optional", SESSION_OPTIONAL}, {"required", SESSION_REQUIRED}, {"bound", SESSION_BOUND}, {0}};
static const struct option_choice DIALECTS[] = {{"auto", SPOKEN_AUTO},
                                                {"openai", SPOKEN_OPENAI},
                                                {"anthropic", SPOKEN_ANTHROPIC},
                                                {"both", SPOKEN_BOTH},
                                                {0}};
static const struct option_choice AUTH_HEADERS[] = {{"auto", AUTH_HEADER_AUTO},
                                                    {"bearer", AUTH_HEADER_BEARER},
                                                    {"api-key", AUTH_HEADER_API_KEY},
                                                    {"x-api-key", AUTH_HEADER_X_API_KEY},
                                                    {0}};
static const struct option_choice MAX_TOKENS_FIELDS[] = {
    {"auto", 0}, {"max_completion_tokens", 0}, {"max_tokens", 0}, {0}};
static const struct option_choice SERVICES[] = {
    {"default", SERVICE_STANDARD},
    {"flex", SERVICE_FLEX},
    {"priority", SERVICE_PRIORITY},
    {0},
};
static const struct option_choice TRIS[] = {
    {"auto", TRI_AUTO}, {"yes", TRI_YES}, {"no", TRI_NO}, {0}};
static const struct option_choice SCOPES[] = {{"global", SCOPE_GLOBAL},
                                              {"key", SCOPE_KEY},
                                              {"user", SCOPE_USER},
                                              {"team", SCOPE_TEAM},
                                              {"session", SCOPE_SESSION},
                                              {"tag", SCOPE_TAG},
                                              {"model", SCOPE_MODEL},
                                              {"upstream", SCOPE_UPSTREAM},
                                              {"service", SCOPE_SERVICE},
                                              {"request", SCOPE_REQUEST},
                                              {0}};
static const struct option_choice RATE_SCOPES[] = {
    {"global", SCOPE_GLOBAL}, {"key", SCOPE_KEY},           {"user", SCOPE_USER},
    {"team", SCOPE_TEAM},     {"session", SCOPE_SESSION},   {"tag", SCOPE_TAG},
    {"model", SCOPE_MODEL},   {"upstream", SCOPE_UPSTREAM}, {0}};
static const struct option_choice WINDOWS[] = {{"hour", WINDOW_HOUR},   {"day", WINDOW_DAY},
                                               {"week", WINDOW_WEEK},   {"month", WINDOW_MONTH},
                                               {"total", WINDOW_TOTAL}, {0}};
static const struct option_choice INPUT_BOUNDS[] = {
    {"bytes", INPUT_BOUND_BYTES}, {"learned", INPUT_BOUND_LEARNED}, {0}};
static const struct option_choice FOREIGN_OBJECTS[] = {
    {"refuse", FOREIGN_REFUSE}, {"allow", FOREIGN_ALLOW}, {0}};
static const struct option_choice EARLY_STOPS[] = {
    {"length", EARLY_STOP_LENGTH}, {"error", EARLY_STOP_ERROR}, {0}};
static const struct option_choice CLAMPS[] = {
    {"always", CLAMP_RULE_ALWAYS}, {"absent", CLAMP_RULE_ABSENT}, {"never", CLAMP_RULE_NEVER}, {0}};
static const struct option_choice STATUSES[] = {
    {"429", 429}, {"402", 402}, {"403", 403}, {"400", 400}, {0}};

static const struct option_choice CACHE_MODES[] = {{"off", CACHE_MODE_OFF},
                                                   {"exact", CACHE_MODE_EXACT},
                                                   {"normalized", CACHE_MODE_NORMALIZED},
                                                   {0}};
static const struct option_choice CACHE_SPACES[] = {
    {"key", CACHE_SPACE_KEY}, {"team", CACHE_SPACE_TEAM}, {"global", CACHE_SPACE_GLOBAL}, {0}};
static const struct option_choice CACHE_ABSENTS[] = {
    {"bypass", CACHE_ABSENT_BYPASS}, {"allow", CACHE_ABSENT_ALLOW}, {0}};

static const struct option LOG_OPTIONS[] = {
    {"level", &kind_choice, ROOT(log_level), .choices = LEVELS, .fallback = "info",
     .help = "the least that is logged"},
    {"format", &kind_choice, ROOT(log_format), .choices = FORMATS, .fallback = "text",
     .help = "of a line"},
    {"access", &kind_flag, ROOT(log_access), .fallback = "true",
     .help = "one line per request, with its cost"},
    {0},
};
static const struct option_table LOG_TABLE = {.options = LOG_OPTIONS};

static const struct option LIMIT_OPTIONS[] = {
    {"body_mb", &kind_mebibytes, ROOT(body_bytes), .fallback = "32", .least = 1, .most = 1024,
     .help = "the largest request body"},
    {"connections", &kind_whole, ROOT(connections), .fallback = "10000", .least = 1,
     .most = 1000000, .flags = OPTION_FIXED, .help = "clients at a time; more get 503"},
    {"request_seconds", &kind_whole, ROOT(request_seconds), .fallback = "3600", .least = 1,
     .most = 86400, .help = "the longest life of a request"},
    {"drain_seconds", &kind_whole, ROOT(drain_seconds), .fallback = "30", .least = 0, .most = 3600,
     .help = "how long running requests may take to finish at a stop"},
    {"poll_ms", &kind_whole, ROOT(poll_ms), .fallback = "2000", .least = 10, .most = 60000,
     .help = "before a provider is first asked how far a batch is; later up to 30 times as long"},
    {"accounts", &kind_whole, ROOT(accounts), .fallback = "100000", .least = 100, .most = 10000000,
     .flags = OPTION_FIXED,
     .help = "counters of budgets in memory, and of rate limits; at the bound new ids are refused"},
    {0},
};
static const struct option_table LIMIT_TABLE = {.options = LIMIT_OPTIONS};

static const struct option AUTH_OPTIONS[] = {
    {"mode", &kind_choice, ROOT(auth_mode), .choices = MODES, .fallback = "keys",
     .help = "open: for anybody, on loopback or a unix socket only; passthrough: the client's own "
             "provider key is forwarded"},
    {"admin_token", &kind_text, ROOT(admin_token), .most = 256, .fallback = "\"\"",
     .example = "${PURSER_ADMIN_TOKEN:-}", .flags = OPTION_SECRET,
     .help = "sees everything, and may reload; empty: nobody may"},
    {"foreign_objects", &kind_choice, ROOT(foreign_objects), .choices = FOREIGN_OBJECTS,
     .fallback = "refuse",
     .help = "mode keys: requests that name files, responses, items or conversations of the "
             "provider which were not made through purser"},
    {0},
};
static const struct option_table AUTH_TABLE = {.options = AUTH_OPTIONS};

static const struct option KEY_OPTIONS[] = {
    {"id", &kind_id, KEY(id), .most = 64, .flags = OPTION_REQUIRED, .example = "alice",
     .help = "its name in budgets, books and logs"},
    {"key", &kind_key, KEY(sha256), .most = 512, .flags = OPTION_SECRET, .example = "${ALICE_KEY}",
     .help = "what the caller sends; or else its hash:"},
    {"hash", &kind_hash, KEY(sha256), .flags = OPTION_SECRET | OPTION_COMMENTED,
     .example = "sha256:...", .help = "64 hex digits, made by: printf %s \"$KEY\" | sha256sum"},
    {"user", &kind_id, KEY(user), .most = 64, .fallback = "\"\"", .example = "alice",
     .help = "whose calls these are"},
    {"team", &kind_id, KEY(team), .most = 64, .fallback = "\"\"", .example = "research",
     .help = "which team pays"},
    {"tags", &kind_ids, KEY(tags), .most = SUBJECT_MAX_TAGS, .fallback = "[]",
     .help = "put on every call of this key"},
    {"models", &kind_texts, KEY(models), .most = 256, .fallback = "[]", .example = "[gpt-*]",
     .help = "what it may ask for, * stands for anything; empty: all"},
    {"may_set", &kind_may_set, KEY(may_set), .choices = MAY_SET, .most = 4,
     .fallback = "[session, label, tags]", .help = "what the caller may name itself; also: user"},
    {"session", &kind_choice, KEY(session), .choices = SESSION_RULES, .fallback = "optional",
     .help = "bound: the session is the key itself"},
    {"may_book", &kind_flag, KEY(may_book), .fallback = "false",
     .help = "may book costs from elsewhere (POST /costs)"},
    {0},
};
static const struct option_table KEY_TABLE = {.options = KEY_OPTIONS,
                                              .size = sizeof(struct config_key)};

static const struct option TIMEOUT_OPTIONS[] = {
    {"connect_ms", &kind_whole, UPSTREAM(connect_ms), .fallback = "5000", .least = 1,
     .most = 10 * MINUTE_MS, .help = "to resolve, connect and greet"},
    {"first_byte_ms", &kind_whole, UPSTREAM(first_byte_ms), .fallback = "600000", .least = 1,
     .most = 1440 * MINUTE_MS, .help = "from the request to the first byte of the answer"},
    {"idle_ms", &kind_whole, UPSTREAM(idle_ms), .fallback = "300000", .least = 1,
     .most = 1440 * MINUTE_MS, .help = "between two pieces of an answer"},
    {0},
};
static const struct option_table TIMEOUT_TABLE = {.options = TIMEOUT_OPTIONS};

static const struct option UPSTREAM_OPTIONS[] = {
    {"name", &kind_id, UPSTREAM(name), .most = 64, .flags = OPTION_REQUIRED, .example = "openai",
     .help = "in budgets, books and logs"},
    {"base_url", &kind_base_url, UPSTREAM(base_url), .most = 1024, .flags = OPTION_REQUIRED,
     .example = "https://api.openai.com/v1", .help = "paths like /chat/completions follow it"},
    {"api_key", &kind_text, UPSTREAM(api_key), .most = 4096, .fallback = "\"\"",
     .example = "${OPENAI_API_KEY}", .flags = OPTION_SECRET,
     .help = "sent instead of the caller's; empty: none"},
    {"optional", &kind_flag, UPSTREAM(optional), .fallback = "false",
     .help = "left out while its api_key is empty"},
    {"dialect", &kind_choice, UPSTREAM(dialect), .choices = DIALECTS, .fallback = "auto",
     .help = "the API it speaks; auto: openai, and for the provider anthropic both"},
    {"provider", &kind_id, UPSTREAM(provider), .most = 64, .fallback = "\"\"",
     .help = "whose prices apply; empty: by the host of base_url"},
    {"auth_header", &kind_choice, UPSTREAM(auth_header), .choices = AUTH_HEADERS,
     .fallback = "auto",
     .help =
         "where the api_key goes; auto: bearer, and x-api-key where anthropic is spoken; Azure: "
         "api-key"},
    {"headers", &kind_headers, UPSTREAM(headers), .most = 32, .fallback = "{}",
     .flags = OPTION_SECRET, .help = "added to each call"},
    {"query", &kind_pairs, UPSTREAM(query), .most = 32, .fallback = "{}", .flags = OPTION_SECRET,
     .help = "added to each URL, such as Azure's {api-version: \"2024-10-21\"}"},
    {"ca", &kind_text, UPSTREAM(ca), .most = 4096, .fallback = "\"\"",
     .help = "a file of certificates to trust instead of the system's"},
    {"proxy", &kind_proxy_url, UPSTREAM(proxy), .most = 1024, .fallback = "\"\"",
     .flags = OPTION_SECRET, .help = "a URL: http, https, socks5 or socks5h"},
    {"models", &kind_texts, UPSTREAM(models), .most = 1024, .fallback = "[]",
     .example = "[gpt-*, o*, text-embedding-*]", .help = "what it serves; empty: everything"},
    {"aliases", &kind_pairs, UPSTREAM(aliases), .most = 1024, .fallback = "{}",
     .help = "name asked for: name (or deployment) sent"},
    {"max_tokens_field", &kind_word, UPSTREAM(max_tokens_field), .choices = MAX_TOKENS_FIELDS,
     .fallback = "auto", .help = "which member of a chat request bounds its answer"},
    {"cancel_saves", &kind_choice, UPSTREAM(cancel_saves), .choices = TRIS, .fallback = "auto",
     .help = "does closing a stream stop the bill? auto knows the large providers"},
    {"service_tier", &kind_choice, UPSTREAM(service), .choices = SERVICES, .fallback = "default",
     .help = "what its calls get that name none: as the project at the provider is set"},
    {"stream_usage", &kind_flag, UPSTREAM(stream_usage), .fallback = "true",
     .help = "it understands stream_options.include_usage"},
    {"timeouts", &kind_section, .table = &TIMEOUT_TABLE, .help = "in milliseconds"},
    {0},
};
static const char *const UPSTREAM_LATER[] = {"api_keys", "retries", "fallback", NULL};
static const struct option_table UPSTREAM_TABLE = {
    .options = UPSTREAM_OPTIONS,
    .later = UPSTREAM_LATER,
    .size = sizeof(struct config_upstream),
    .line_offset = offsetof(struct config_upstream, line),
};

static const struct option MODEL_OPTIONS[] = {
    {"name", &kind_text, MODEL(name), .most = SUBJECT_MAX_ID, .flags = OPTION_REQUIRED,
     .example = "my-llama", .help = "as callers name it"},
    {"upstream", &kind_id, MODEL(upstream), .most = 64, .fallback = "\"\"",
     .help = "the name of one; empty: the price holds for every upstream"},
    {"input", &kind_price, MODEL(input), .flags = OPTION_REQUIRED, .example = "0.10",
     .help = "USD per 1M tokens"},
    {"cached_input", &kind_price, MODEL(cached_input), .example = "0.05", .flags = OPTION_COMMENTED,
     .help = "for input from the provider's own cache; left out: as input"},
    {"output", &kind_price, MODEL(output), .flags = OPTION_REQUIRED, .example = "0.40",
     .help = "USD per 1M tokens"},
    {"context", &kind_whole, MODEL(context), .fallback = "0", .example = "8192", .least = 0,
     .most = 1000000000, .help = "the most tokens it takes in; 0: unknown"},
    {"max_output", &kind_whole, MODEL(max_output), .fallback = "0", .example = "2048", .least = 0,
     .most = 1000000000, .help = "the most tokens it gives; 0: unknown"},
    {"image", &kind_fee, MODEL(piece[PIECE_IMAGE]), .flags = OPTION_COMMENTED, .example = "0.04",
     .help = "USD for each image that is made"},
    {"second", &kind_fee, MODEL(piece[PIECE_SECOND]), .flags = OPTION_COMMENTED,
     .example = "0.0001", .help = "USD for each second of sound that is transcribed"},
    {"character", &kind_fee, MODEL(piece[PIECE_CHARACTER]), .flags = OPTION_COMMENTED,
     .example = "0.000015", .help = "USD for each character that is spoken"},
    {"hold_usd", &kind_fee, MODEL(hold), .example = "0.05", .flags = OPTION_COMMENTED,
     .help = "USD that each call is held for and costs, whatever it does: no other price counts"},
    {"reasoning", &kind_flag, MODEL(reasoning), .fallback = "false",
     .help = "may think, unseen and billed, before its first visible token"},
    {0},
};
static const char *const MODEL_LATER[] = {"encoding", "quality", "speed", NULL};
static const struct config_model MODEL_BLANK = {.cached_input = -1, .hold = -1};
static const struct option_table MODEL_TABLE = {
    .options = MODEL_OPTIONS,
    .later = MODEL_LATER,
    .size = sizeof(struct config_model),
    .blank = &MODEL_BLANK,
    .line_offset = offsetof(struct config_model, line),
};

static const struct option BUDGET_OPTIONS[] = {
    {"name", &kind_id, BUDGET(name), .most = 63, .flags = OPTION_REQUIRED, .example = "org-daily",
     .help = "in messages and books"},
    {"scope", &kind_choice, BUDGET(scope), .choices = SCOPES, .flags = OPTION_REQUIRED,
     .example = "global",
     .help = "each id of it, such as each team, has the whole budget for itself"},
    {"match", &kind_match, .most = 8, .fallback = "{}",
     .help = "only calls like these, e.g. {key: alice, model: \"gpt-5*\"}; empty: all"},
    {"window", &kind_window, .choices = WINDOWS, .example = "day", .most = 1,
     .help = "after which it begins anew; a week begins on Monday; or {rolling: 24h}: what counts "
             "is always the last 24 hours (24s to 366d)"},
    {"timezone", &kind_text, BUDGET(timezone), .most = 64, .fallback = "UTC",
     .help = "whose midnight, e.g. Europe/Madrid"},
    {"usd", &kind_usd, BUDGET(limit[UNIT_USD]), .example = "50",
     .help = "dollars, up to 9 decimals"},
    {"tokens", &kind_count, BUDGET(limit[UNIT_TOKENS]), .example = "2000000",
     .flags = OPTION_COMMENTED, .help = "input and output together"},
    {"requests", &kind_count, BUDGET(limit[UNIT_REQUESTS]), .example = "1000",
     .flags = OPTION_COMMENTED, .help = "admitted calls"},
    {"buffer", &kind_percent, BUDGET(buffer_bp), .fallback = "0%", .example = "10%",
     .help = "taken off the limits that are enforced"},
    {"overrides", &kind_overrides, .most = 10000, .fallback = "{}",
     .help =
         "other limits for single ids, e.g. {research: 2000} or {research: {usd: 9, tokens: 5}}"},
    {"idle", &kind_duration, BUDGET(idle_s), .example = "24h", .flags = OPTION_COMMENTED,
     .help = "session budgets: forgotten after so long without an admitted call; left out: 30d"},
    {"on_store_away", &kind_away, BUDGET(away_open), .most = 1, .fallback = "closed",
     .help =
         "the store of several instances does not answer, and what was leased is used: refuse, "
         "or {open: 5}: each instance goes on for up to 5 dollars, for each id and window, even "
         "above the limit"},
    {0},
};
static const char *const BUDGET_LATER[] = {"alerts", "on_exhausted", NULL};
static const struct budget BUDGET_BLANK = {.limit = {LIMIT_NONE, LIMIT_NONE, LIMIT_NONE},
                                           .idle_s = -1};
static const struct option_table BUDGET_TABLE = {
    .options = BUDGET_OPTIONS,
    .later = BUDGET_LATER,
    .size = sizeof(struct budget),
    .blank = &BUDGET_BLANK,
};

static const struct option RATE_OPTIONS[] = {
    {"scope", &kind_choice, RATE(who.scope), .choices = RATE_SCOPES, .flags = OPTION_REQUIRED,
     .example = "key", .help = "each id of it, such as each key, has these limits for itself"},
    {"match", &kind_match, RATE(who), .most = 8, .fallback = "{}",
     .help = "only calls like these, as in budgets; empty: all"},
    {"requests_per_minute", &kind_rate, RATE(limit[RATED_REQUESTS]), .example = "600",
     .help = "in any 60 seconds"},
    {"tokens_per_minute", &kind_rate, RATE(limit[RATED_TOKENS]), .example = "200000",
     .help = "input and output together: what a call may use, and when it has ended what it used"},
    {"parallel", &kind_rate, RATE(limit[RATED_PARALLEL]), .example = "50",
     .help = "requests that run at once"},
    {"overrides", &kind_rate_overrides, .most = 10000, .fallback = "{}",
     .help = "other limits for single ids, e.g. {alice: {parallel: 100}}"},
    {0},
};
static const struct rate_limit RATE_BLANK = {.limit = {LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}};
static const struct option_table RATE_TABLE = {
    .options = RATE_OPTIONS,
    .size = sizeof(struct rate_limit),
    .blank = &RATE_BLANK,
};

static const struct option ADMISSION_OPTIONS[] = {
    {"clamp", &kind_choice, ROOT(clamp), .choices = CLAMPS, .fallback = "always",
     .help = "lower an answer's maximum to what is left; absent: only where none was named"},
    {"min_output_tokens", &kind_whole, ROOT(min_output_tokens), .fallback = "64", .least = 1,
     .most = 1000000, .help = "a shorter answer than this is refused instead"},
    {"default_max_output", &kind_whole, ROOT(default_max_output), .fallback = "0", .least = 0,
     .most = 1000000000, .help = "for requests that name none; 0: the model's own"},
    {"wait_ms", &kind_whole, ROOT(wait_ms), .fallback = "5000", .least = 0, .most = 10 * MINUTE_MS,
     .help = "for other requests to give back what they hold"},
    {"max_waiting", &kind_whole, ROOT(max_waiting), .fallback = "1000", .least = 0, .most = 1000000,
     .help = "requests that wait at a time"},
    {"max_tool_calls", &kind_whole, ROOT(max_tool_calls), .fallback = "4", .least = 1, .most = 1000,
     .help = "web searches by the provider, under a budget, where a request names no maximum"},
    {"slice_tokens", &kind_whole, ROOT(slice_tokens), .fallback = "1024", .least = 0,
     .most = 1000000,
     .help = "of output are held at a time for a stream that can be stopped early; 0: all it may "
             "give"},
    {"input_bound", &kind_choice, ROOT(input_bound), .choices = INPUT_BOUNDS, .fallback = "bytes",
     .help = "of a model without a public tokeniser: a token for each byte, which is a proof; or "
             "what its usage has taught, which is not"},
    {"early_stop", &kind_choice, ROOT(early_stop), .choices = EARLY_STOPS, .fallback = "length",
     .help = "how a stream ends for which nothing more can be held: as if its maximum were "
             "reached, or with an error event"},
    {0},
};
static const struct option_table ADMISSION_TABLE = {.options = ADMISSION_OPTIONS};

static const struct option CACHE_OPTIONS[] = {
    {"mode", &kind_choice, ROOT(cache_mode), .choices = CACHE_MODES, .fallback = "exact",
     .help = "exact: answers equal requests; normalized: white space, case and final punctuation "
             "of the last user message do not count"},
    {"ttl", &kind_duration, ROOT(cache_ttl_s), .fallback = "1h",
     .help = "how long an answer is kept"},
    {"max_mb", &kind_mebibytes, ROOT(cache_bytes), .fallback = "16", .least = 1, .most = 65536,
     .flags = OPTION_FIXED, .help = "of memory; an answer of over a sixteenth of it is not kept"},
    {"max_temperature", &kind_decimal, ROOT(cache_temperature), .fallback = "0",
     .most = 10 * INT64_C(1000000000), .help = "above it an answer is chance, and not kept"},
    {"absent_temperature", &kind_choice, ROOT(cache_absent), .choices = CACHE_ABSENTS,
     .fallback = "bypass",
     .help = "requests that name no temperature: allow keeps their answers, too"},
    {"namespace", &kind_choice, ROOT(cache_space), .choices = CACHE_SPACES, .fallback = "key",
     .help = "who shares answers: each key has its own, each team, or all share"},
    {"embeddings", &kind_flag, ROOT(cache_embeddings), .fallback = "true",
     .help = "keep embeddings, each input of a batch by itself"},
    {0},
};
static const char *const CACHE_LATER[] = {"redis", NULL};
static const struct option_table CACHE_TABLE = {.options = CACHE_OPTIONS, .later = CACHE_LATER};

/* Files' names fit a struct redis_tls. */
static const struct option STORE_TLS_OPTIONS[] = {
    {"ca", &kind_text, ROOT(store_ca), .most = 1023, .fallback = "\"\"", .flags = OPTION_FIXED,
     .help = "a file of certificates to trust instead of the system's"},
    {"cert", &kind_text, ROOT(store_cert), .most = 1023, .fallback = "\"\"", .flags = OPTION_FIXED,
     .help = "purser's own certificate, where Redis asks for one"},
    {"key", &kind_text, ROOT(store_key), .most = 1023, .fallback = "\"\"", .flags = OPTION_FIXED,
     .help = "the file of its key, without a password"},
    {"server_name", &kind_text, ROOT(store_server_name), .most = 255, .fallback = "\"\"",
     .flags = OPTION_FIXED,
     .help = "that all servers' certificates are for; empty: each for its host"},
    {0},
};
static const struct option_table STORE_TLS_TABLE = {.options = STORE_TLS_OPTIONS};

static const struct option STORE_OPTIONS[] = {
    {"redis", &kind_redis_url, ROOT(store_redis), .most = 2048, .fallback = "\"\"",
     .flags = OPTION_FIXED | OPTION_SECRET,
     .help = "redis://[user[:password]@]host[:port][/db], "
             "redis+sentinel://host:26379,host2:26379/mymaster or unix:/path; rediss: TLS"},
    {"tls", &kind_section, .table = &STORE_TLS_TABLE,
     .help = "for rediss:// and rediss+sentinel://; files in PEM"},
    {"lease_seconds", &kind_whole, ROOT(lease_s), .fallback = "2", .least = 0, .most = 60,
     .help = "of traffic an instance leases ahead, at the most; 0: it asks for each request"},
    {"wait_replicas", &kind_whole, ROOT(wait_replicas), .fallback = "0", .least = 0, .most = 16,
     .flags = OPTION_FIXED,
     .help = "must have what was granted before it is used: all that may be promoted"},
    {0},
};
static const struct option_table STORE_TABLE = {.options = STORE_OPTIONS};

static const struct option LEDGER_OPTIONS[] = {
    {"dir", &kind_text, ROOT(ledger_dir), .most = 4096, .fallback = "ledger", .flags = OPTION_FIXED,
     .help = "within data_dir"},
    {"fsync_ms", &kind_whole, ROOT(fsync_ms), .fallback = "50", .least = 0, .most = MINUTE_MS,
     .flags = OPTION_FIXED, .help = "the longest time until a line is on disk"},
    {"rotate_mb", &kind_mebibytes, ROOT(rotate_bytes), .fallback = "256", .least = 1, .most = 65536,
     .flags = OPTION_FIXED, .help = "the largest file; each day begins a new one"},
    {0},
};
static const char *const LEDGER_LATER[] = {"retain_days", "compress_after_days", NULL};
static const struct option_table LEDGER_TABLE = {.options = LEDGER_OPTIONS, .later = LEDGER_LATER};

static const struct option ROOT_OPTIONS[] = {
    {"listen", &kind_listen, ROOT(listen), .most = 256, .fallback = "127.0.0.1:8080",
     .flags = OPTION_FIXED, .help = "host:port or unix:/path"},
    {"allowed_origins", &kind_texts, ROOT(allowed_origins), .most = 64, .fallback = "[]",
     .help = "web pages that may call, e.g. [\"https://chat.example.com\"]"},
    {"workers", &kind_whole, ROOT(workers), .fallback = "0", .least = 0, .most = 256,
     .flags = OPTION_FIXED, .help = "0: one per core, or the container's CPU quota"},
    {"node", &kind_id, ROOT(node), .most = 64, .fallback = "\"\"", .flags = OPTION_FIXED,
     .help = "a label for this instance; empty: the host's name"},
    {"data_dir", &kind_text, ROOT(data_dir), .most = 4096, .fallback = "data",
     .flags = OPTION_FIXED, .help = "where the ledger lives; relative to this file"},
    {"log", &kind_section, .table = &LOG_TABLE, .help = "on standard error"},
    {"limits", &kind_section, .table = &LIMIT_TABLE, .help = "of this process"},
    {"auth", &kind_section, .table = &AUTH_TABLE, .help = "who may call"},
    {"keys", &kind_list, ROOT(keys), .count_offset = offsetof(struct config, key_count),
     .most = 10000, .table = &KEY_TABLE, .help = "one entry for each caller"},
    {"upstreams", &kind_list, ROOT(upstreams),
     .count_offset = offsetof(struct config, upstream_count), .most = 64, .table = &UPSTREAM_TABLE,
     .help = "where calls go: the first whose models match"},
    {"prices", &kind_texts, ROOT(prices), .most = 16, .fallback = "[]",
     .help = "catalog files, later ones win; empty: the built-in catalog"},
    {"models", &kind_list, ROOT(models), .count_offset = offsetof(struct config, model_count),
     .most = 10000, .table = &MODEL_TABLE, .help = "your own models, and prices that differ"},
    {"unpriced", &kind_text, ROOT(unpriced), .most = SUBJECT_MAX_ID, .fallback = "refuse",
     .help = "models without a price, under a budget in USD: refuse | allow (booked at 0) | the "
             "name of a model to price them as"},
    {"budgets", &kind_list, ROOT(budgets), .count_offset = offsetof(struct config, budget_count),
     .most = 32, .table = &BUDGET_TABLE, .help = "what may be spent: a call must fit into all"},
    {"rate_limits", &kind_list, ROOT(rate_limits),
     .count_offset = offsetof(struct config, rate_limit_count), .most = 16, .table = &RATE_TABLE,
     .help = "how much of a minute callers may use; a call must fit into all"},
    {"admission", &kind_section, .table = &ADMISSION_TABLE,
     .help = "what happens to a call that does not fit"},
    {"budget_status", &kind_status, ROOT(budget_status), .choices = STATUSES, .fallback = "429",
     .help = "the answer to a call over a budget"},
    {"hide_amounts", &kind_flag, ROOT(hide_amounts), .fallback = "false",
     .help = "keep figures out of messages to callers"},
    {"stream_cost_comment", &kind_flag, ROOT(stream_cost_comment), .fallback = "false",
     .help = "end streams with a comment that tells what they cost"},
    {"show_shared", &kind_flag, ROOT(show_shared), .fallback = "false",
     .help = "show callers the amounts of budgets they share with others"},
    {"cache", &kind_section, .table = &CACHE_TABLE,
     .help = "answers that are known, in memory; only those that chance has no part in"},
    {"store", &kind_section, .table = &STORE_TABLE,
     .help = "what instances share: budgets, if a Redis is named"},
    {"ledger", &kind_section, .table = &LEDGER_TABLE, .help = "the books"},
    {0},
};
static const char *const ROOT_LATER[] = {
    "admin_listen", "router", "optimizer", "alerts", "unmetered_paths", "retry_ambiguous", NULL};

const struct option_table options_root = {.options = ROOT_OPTIONS, .later = ROOT_LATER};

const struct option *option_find(const struct option_table *table, struct text name)
{
    for (const struct option *option = table->options; option->name != NULL; option++)
        if (text_equal(name, text_of(option->name)))
            return option;
    return NULL;
}
