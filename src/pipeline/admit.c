/*
 * admit: who is calling, may they, and what do they ask. Resolves the caller's scopes once.
 */
#include <stdio.h>

#include "base/json.h"
#include "pipeline/pipeline.h"
#include "pipeline/rating.h"
#include "pipeline/refusal.h"
#include "wire/form.h"

/* ---- where it comes from ---- */

static bool origin_allowed(const struct request *request)
{
    const struct admission_options *options = &request->terms->admission;
    struct text origin = request_header(request, "Origin");
    if (origin.at == NULL)
        return true;
    for (size_t i = 0; i < options->origin_count; i++) {
        if (text_equal_nocase(origin, options->origins[i]))
            return true;
    }
    return false;
}

/* In open mode a web page that resolves its own name to 127.0.0.1 must not reach us. */
static bool host_is_loopback(struct text host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    if (host.size == 0)
        return true; /* HTTP/1.0 or a unix socket's client; a browser always sends it */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct text name = text_of(names[i]);
        if (text_starts_nocase(host, name) && (host.size == name.size || host.at[name.size] == ':'))
            return true;
    }
    return text_ends(text_split(&host, ':'), TEXT(".localhost"));
}

bool pipeline_check_origin(struct request *request)
{
    const struct admission_options *options = &request->terms->admission;
    if (!origin_allowed(request)) {
        struct text origin = request_header(request, "Origin");
        refuse(request, REFUSAL_ORIGIN, NULL,
               "Requests from web pages are refused. If the page at '%.*s' may spend, add it to "
               "allowed_origins in the configuration.",
               TEXT_ARG(text_slice(origin, 0, 200)));
        return false;
    }
    if (options->mode == ADMISSION_OPEN && !host_is_loopback(request_header(request, "Host"))) {
        refuse(request, REFUSAL_HOST, NULL,
               "In auth.mode: open the Host must be a loopback name (localhost, 127.0.0.1, "
               "[::1]). Configure keys to be reached under other names.");
        return false;
    }
    struct text origin = request_header(request, "Origin");
    if (origin.at != NULL) {
        reply_header_text(&request->reply, &request->arena, "Access-Control-Allow-Origin", origin);
        reply_header(&request->reply, "Vary", "Origin");
        reply_header(&request->reply, "Access-Control-Expose-Headers", "*");
    }
    return true;
}

/* ---- who it is ---- */

static struct text credential_of(const struct request *request)
{
    struct text bearer = request_header(request, "Authorization");
    if (text_starts_nocase(bearer, TEXT("Bearer ")))
        return text_trim(text_from(bearer, 7));
    struct text key = request_header(request, "api-key");
    return key.size > 0 ? key : request_header(request, "x-api-key");
}

static bool refuse_key(struct request *request)
{
    bool anthropic = request_dialect(request) == DIALECT_ANTHROPIC;
    if (request->credential.size == 0)
        refuse(request, REFUSAL_INVALID_KEY, NULL,
               "You did not provide an API key. Send the key that purser's operator gave you as "
               "'%s' (SDKs: api_key, or %s).",
               anthropic ? "x-api-key: <key>" : "Authorization: Bearer <key>",
               anthropic ? "ANTHROPIC_API_KEY" : "OPENAI_API_KEY");
    else
        refuse(request, REFUSAL_INVALID_KEY, NULL,
               "Incorrect API key provided. purser expects a key of its own configuration, not "
               "the provider's.");
    return false;
}

/* In passthrough a caller is the hash of the provider key it brings. */
static struct key *guest_key(struct request *request, const uint8_t digest[HASH_SIZE])
{
    char hex[17];
    hash_hex(digest, 8, hex);
    struct key *key = arena_new(&request->arena, sizeof *key);
    *key = request->terms->admission.guest;
    key->id = arena_printf(&request->arena, "sha256-%s", hex);
    return key;
}

static bool is_admin(const struct admission_options *options, struct text digest)
{
    struct text admin = text_make((const char *)options->admin_digest, HASH_SIZE);
    return options->has_admin && text_equal_secret(digest, admin);
}

bool pipeline_knows_caller(const struct request *request)
{
    const struct admission_options *options = &request->terms->admission;
    struct text credential = credential_of(request);
    if (options->mode != ADMISSION_KEYS)
        return options->mode == ADMISSION_OPEN || credential.size > 0;
    uint8_t digest[HASH_SIZE];
    hasher_digest(request->worker->hasher, &credential, 1, digest);
    struct text seen = text_make((const char *)digest, sizeof digest);
    return is_admin(options, seen) || table_get(&options->keys, seen) != NULL;
}

static bool identify_by_key(struct request *request)
{
    const struct admission_options *options = &request->terms->admission;
    uint8_t digest[HASH_SIZE];
    hasher_digest(request->worker->hasher, &request->credential, 1, digest);
    struct text seen = text_make((const char *)digest, sizeof digest);
    if (is_admin(options, seen)) {
        request->admin = true;
        return true;
    }
    if (options->mode == ADMISSION_OPEN)
        request->key = &options->guest;
    else if (options->mode == ADMISSION_KEYS)
        request->key = table_get(&options->keys, seen); /* by digest: its time tells nothing */
    else if (request->credential.size > 0)
        request->key = guest_key(request, digest);
    return request->key != NULL || refuse_key(request);
}

bool pipeline_identify(struct request *request)
{
    if (!pipeline_check_origin(request))
        return false;
    request->credential = credential_of(request);
    if (!identify_by_key(request))
        return false;
    struct subject *subject = &request->subject;
    subject->id[SCOPE_GLOBAL] = TEXT("all");
    if (request->key == NULL)
        return true;
    subject->id[SCOPE_KEY] = request->key->id;
    subject->id[SCOPE_USER] = request->key->user;
    subject->id[SCOPE_TEAM] = request->key->team;
    return true;
}

/* ---- what it names itself ---- */

static bool bad_header(struct request *request, const char *name, const char *why)
{
    struct body_error error = {.status = 400, .code = "invalid_header", .param = text_of(name)};
    snprintf(error.message, sizeof error.message, "%s: %s", name, why);
    refuse_body(request, &error);
    return false;
}

static bool is_plain(struct text id)
{
    for (size_t i = 0; i < id.size; i++) {
        if ((unsigned char)id.at[i] < 0x20 || id.at[i] == 0x7f)
            return false;
    }
    return true;
}

static struct text first_of(const struct text *candidates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (candidates[i].size > 0)
            return candidates[i];
    }
    return TEXT_NONE;
}

bool pipeline_name_session(struct request *request)
{
    const struct key *key = request->key;
    const struct text candidates[] = {
        request->url_session,
        request_header(request, "x-purser-session"),
        request->body.session,
        request->body.prompt_cache_key,
    };
    bool may = (key->may_set & NAMING_SESSION) != 0 && key->session != SESSION_IS_THE_KEY;
    struct text named =
        may ? first_of(candidates, sizeof candidates / sizeof *candidates) : TEXT_NONE;
    bool call = request->body.raw.size > 0; /* looking at budgets needs no session */
    if (call && named.size == 0 && key->session == SESSION_MUST_BE_NAMED) {
        refuse(request, REFUSAL_SESSION_REQUIRED, NULL,
               "This key must name a session: use the base URL /s/<session>/v1 or the header "
               "x-purser-session.");
        return false;
    }
    if (named.size > 128 || !is_plain(named))
        return bad_header(request, "x-purser-session", "at most 128 printable bytes");
    request->session = named.size > 0 ? named : key->id;
    const struct text parts[] = {key->id, TEXT("/"), request->session};
    request->subject.id[SCOPE_SESSION] = arena_join(&request->arena, parts, 3);
    return true;
}

static bool add_tag(struct request *request, struct text tag)
{
    struct subject *subject = &request->subject;
    tag = text_trim(tag);
    for (size_t i = 0; i < subject->tag_count; i++) {
        if (text_equal(subject->tags[i], tag))
            return true;
    }
    if (tag.size == 0)
        return true;
    if (tag.size > SUBJECT_MAX_TAG || !is_plain(tag))
        return bad_header(request, "x-purser-tags", "a tag has at most 64 printable bytes");
    if (subject->tag_count == SUBJECT_MAX_TAGS)
        return bad_header(request, "x-purser-tags",
                          "at most 8 tags in all, those of the key included");
    subject->tags[subject->tag_count++] = tag;
    return true;
}

static bool add_tag_list(struct request *request, struct text list)
{
    while (list.at != NULL) {
        if (!add_tag(request, text_split(&list, ',')))
            return false;
    }
    return true;
}

static bool name_tags(struct request *request)
{
    const struct key *key = request->key;
    for (size_t i = 0; i < key->tag_count; i++) {
        if (!add_tag(request, key->tags[i]))
            return false;
    }
    if ((key->may_set & NAMING_TAGS) == 0)
        return true;
    if (!add_tag_list(request, request_header(request, "x-purser-tags")) ||
        !add_tag_list(request, request_header(request, "x-litellm-tags")))
        return false;
    for (size_t i = 0; i < request->body.tag_count; i++) {
        if (!add_tag(request, request->body.tags[i]))
            return false;
    }
    return true;
}

/* Another gateway's header: a JSON object whose `_user` is the end user. */
static struct text portkey_user(struct request *request)
{
    struct json_value metadata, user;
    struct text header = request_header(request, "x-portkey-metadata");
    if (header.size == 0 || json_parse(header, &metadata, NULL) != JSON_OK ||
        !json_member(metadata, TEXT("_user"), &user) || user.kind != JSON_STRING)
        return TEXT_NONE;
    return json_string(&request->arena, user);
}

static bool name_user(struct request *request)
{
    const struct key *key = request->key;
    if ((key->may_set & NAMING_USER) == 0)
        return true;
    const struct text candidates[] = {
        request_header(request, "x-purser-user"),
        request_header(request, "x-litellm-end-user-id"),
        portkey_user(request),
        request->body.user,
    };
    struct text named = first_of(candidates, sizeof candidates / sizeof *candidates);
    if (named.size > 128 || !is_plain(named))
        return bad_header(request, "x-purser-user", "at most 128 printable bytes");
    if (named.size > 0)
        request->subject.id[SCOPE_USER] = named;
    return true;
}

static bool name_label(struct request *request)
{
    if ((request->key->may_set & NAMING_LABEL) == 0)
        return true;
    struct text label = request_header(request, "x-purser-label");
    if (label.size > 256 || !is_plain(label))
        return bad_header(request, "x-purser-label", "at most 256 printable bytes");
    request->label = label.size > 0 ? label : request->body.label;
    return true;
}

bool pipeline_name_caller(struct request *request)
{
    return pipeline_name_session(request) && name_user(request) && name_tags(request) &&
           name_label(request);
}

/* ---- what it asks ---- */

/* Who sends one of these counts on it: a call made all the same would spend what was to be saved.
 */
static bool check_promises(struct request *request)
{
    static const char *const unkept[] = {
        "x-purser-dry-run",
    };
    for (size_t i = 0; i < sizeof unkept / sizeof *unkept; i++) {
        if (request_header(request, unkept[i]).at == NULL)
            continue;
        struct body_error error = {
            .status = 400, .code = "unsupported_header", .param = text_of(unkept[i])};
        snprintf(error.message, sizeof error.message,
                 "This version of purser does not know %s, and makes no call that counts on it.",
                 unkept[i]);
        refuse_body(request, &error);
        return false;
    }
    return true;
}

static bool parse_tokens(struct text value, int64_t *tokens)
{
    return text_to_int(value, tokens) && *tokens >= 0 && *tokens <= MONEY_MOST.nano;
}

static bool parse_usd(struct text value, int64_t *nano)
{
    struct money amount;
    if (!money_parse(value, &amount))
        return false;
    *nano = amount.nano;
    return true;
}

/* A limit that was not understood must not be passed over. */
static bool read_own_limits(struct request *request)
{
    static const struct {
        const char *name;
        enum unit unit;
        bool (*parse)(struct text value, int64_t *limit);
        const char *why;
    } table[] = {
        {"x-purser-max-cost-usd", UNIT_USD, parse_usd,
         "once, as decimal US dollars with at most 9 decimals, 0 or more, like 0.01"},
        {"x-purser-max-tokens", UNIT_TOKENS, parse_tokens,
         "once, as a whole number of tokens (input and output together), 0 or more, like 4000"},
    };
    struct own_limits own = {{LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}};
    size_t limits = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t times = request_times_sent(request, table[i].name);
        struct text value = request_header(request, table[i].name);
        limits += times;
        if (times > 0 && (times > 1 || !table[i].parse(value, &own.limit[table[i].unit])))
            return bad_header(request, table[i].name, table[i].why);
    }
    if (limits == 0)
        return true;
    struct own_limits *kept = arena_new(&request->arena, sizeof *kept);
    *kept = own;
    request->own = kept;
    return true;
}

static bool model_allowed(const struct request *request)
{
    const struct key *key = request->key;
    for (size_t i = 0; i < key->model_count; i++) {
        if (text_matches(request->body.model, key->models[i]))
            return true;
    }
    return key->model_count == 0;
}

/* Other parameters than the charset say nothing about how to read JSON. */
static bool is_utf8(struct text parameter)
{
    struct text name = text_trim(text_split(&parameter, '='));
    struct text value = text_trim(parameter);
    if (value.size >= 2 && value.at[0] == '"' && value.at[value.size - 1] == '"')
        value = text_slice(value, 1, value.size - 1);
    if (!text_starts_nocase(name, TEXT("charset")))
        return true;
    return text_equal_nocase(name, TEXT("charset")) &&
           (text_equal_nocase(value, TEXT("utf-8")) || text_equal_nocase(value, TEXT("utf8")));
}

/* Once, and in no other encoding: an upstream that believed in UTF-7 would read another body than
 * we did. */
static bool is_json(const struct request *request)
{
    struct text rest = request_header(request, "Content-Type");
    bool json = text_equal_nocase(text_trim(text_split(&rest, ';')), TEXT("application/json"));
    while (json && rest.at != NULL) {
        struct text parameter = text_trim(text_split(&rest, ';'));
        json = is_utf8(parameter);
    }
    return json && request_times_sent(request, "Content-Type") == 1;
}

bool pipeline_check_json(struct request *request)
{
    if (is_json(request))
        return true;
    refuse(
        request, REFUSAL_CONTENT_TYPE, NULL,
        "Send the body as JSON in UTF-8, with the header 'Content-Type: application/json' once.");
    return false;
}

/* A web page can send a form without asking first, but not without its Origin: that is checked. */
static bool check_form(struct request *request)
{
    struct text rest = request_header(request, "Content-Type");
    if (request_times_sent(request, "Content-Type") == 1 &&
        text_equal_nocase(text_trim(text_split(&rest, ';')), TEXT("multipart/form-data")))
        return true;
    refuse(request, REFUSAL_CONTENT_TYPE, NULL,
           "Send the body as a form, with the header 'Content-Type: multipart/form-data' once.");
    return false;
}

static bool read_body(struct request *request)
{
    struct body_error error;
    struct text bytes = buffer_text(&request->bytes);
    bool form = endpoint_facts(request->endpoint)->form;
    if (form ? !check_form(request) : !pipeline_check_json(request))
        return false;
    bool good = form ? form_read(request->endpoint, request_header(request, "Content-Type"), bytes,
                                 &request->arena, &request->body, &error)
                     : body_read(request->endpoint, bytes, &request->arena, &request->body, &error);
    if (!good) {
        refuse_body(request, &error);
        return false;
    }
    if (endpoint_facts(request->endpoint)->by_file || model_allowed(request))
        return true;
    refuse(request, REFUSAL_MODEL_NOT_ALLOWED, "model",
           "Key '%.*s' may not use model '%.*s'. GET /v1/models lists what it may use.",
           TEXT_ARG(request->key->id), TEXT_ARG(text_slice(request->body.model, 0, 200)));
    return false;
}

/* Clients that come, ask and hang up do not count as connections, but the calls that finish without
 * them do. */
static bool house_is_full(struct house *house)
{
    return house->calls_most > 0 &&
           atomic_load_explicit(&house->calls, memory_order_relaxed) >= house->calls_most;
}

/* ---- whether purser can take it ---- */

static bool check_house(struct request *request)
{
    struct house *house = request->worker->house;
    if (house_is_full(house))
        refuse(request, REFUSAL_OVERLOADED, NULL,
               "Too many calls are running, some of them for clients that have left; see "
               "limits.connections in the configuration.");
    else if (ledger_failing(house->ledger)) /* its bookkeeper tries again every second */
        refuse_without_ledger(request);
    else
        return true;
    return false;
}

static bool check_stopping(struct request *request)
{
    if (!atomic_load_explicit(&request->worker->house->stopping, memory_order_relaxed))
        return true;
    refuse(request, REFUSAL_SHUTTING_DOWN, NULL, "purser is shutting down.");
    return false;
}

/* The admin token has no budgets to spend from. */
static bool check_not_admin(struct request *request)
{
    if (request->key != NULL)
        return true;
    refuse(request, REFUSAL_INVALID_KEY, NULL,
           "The admin token cannot make model calls; use a caller's key.");
    return false;
}

static enum next rate(struct request *request)
{
    static const enum next nexts[] = {
        [RATING_PASSED] = GO_ON, [RATING_REFUSED] = GO_BOOKS, [RATING_WAITS] = GO_WAIT};
    return nexts[rating_admit(request)];
}

enum next admit_request(struct request *request)
{
    bool fine = check_stopping(request) && pipeline_identify(request) && check_house(request) &&
                check_not_admin(request) && check_promises(request) && read_own_limits(request) &&
                read_body(request) && pipeline_name_caller(request);
    return fine ? rate(request) : GO_BOOKS;
}

enum next admit_awake(struct request *request)
{
    rating_awake(request);
    return rate(request);
}
