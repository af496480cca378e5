/*
 * Checks that what budgets and rate limits are for exists: that some call can be what they match.
 */
#include "config/amend.h"
#include "config/check.h"
#include "config/suggest.h"

/* Keys made at run time come and go, here or at another instance, and with them their users, teams
 * and tags: what a file names of them must not keep a key from being deleted, nor purser from
 * starting afterwards. Upstreams stand in the file alone. */
static bool comes_and_goes(const struct config *config, enum scope scope)
{
    return scope != SCOPE_UPSTREAM &&
           (config->admin_token.size > 0 || config->store_redis.size > 0);
}

/* `scope`: what is missing is one of these. */
static void report(struct reader *reader, const struct check_entry *entry, const char *option,
                   enum scope scope, const char *format, ...) __attribute__((format(printf, 5, 6)));
static void report(struct reader *reader, const struct check_entry *entry, const char *option,
                   enum scope scope, const char *format, ...)
{
    struct buffer message = {0};
    va_list arguments;
    va_start(arguments, format);
    buffer_vprintf(&message, format, arguments);
    va_end(arguments);
    int line = reader_line(reader, entry->list, entry->at, option);
    /* What was set at run time for an entry of the file has no line. */
    bool added = line == 0 || amend_name(reader, text_of(entry->list), entry->at).at != NULL;
    bool warning = added || scope == SCOPE_SESSION || comes_and_goes(reader->config, scope);
    reader_report(reader, warning ? FINDING_WARNING : FINDING_ERROR, line, "%s[%zu].%s: %s",
                  entry->list, entry->at, option, buffer_string(&message));
    buffer_close(&message);
}

/* ---- two entries ---- */

static bool has_match(const struct budget *budget, const struct budget_match *match)
{
    for (size_t i = 0; i < budget->match_count; i++)
        if (budget->match[i].scope == match->scope &&
            text_equal(budget->match[i].pattern, match->pattern))
            return true;
    return false;
}

/* Each name stands once in a mapping, so equal sizes and a subset are equality. */
bool check_same_match(const struct budget *a, const struct budget *b)
{
    if (a->match_count != b->match_count)
        return false;
    for (size_t i = 0; i < a->match_count; i++)
        if (!has_match(b, &a->match[i]))
            return false;
    return true;
}

/* ---- one ---- */

static struct text key_id(const struct config_key *key, enum scope scope)
{
    return scope == SCOPE_KEY ? key->id : scope == SCOPE_USER ? key->user : key->team;
}

static bool matches_tag(const struct config_key *key, struct text pattern)
{
    for (size_t i = 0; i < key->tags.count; i++)
        if (text_matches(key->tags.at[i], pattern))
            return true;
    return (key->may_set & MAY_SET_TAGS) != 0;
}

/* Whether a call of this key can have such an id. What callers name themselves may be anything. */
static bool may_be(const struct config_key *key, enum scope scope, struct text pattern)
{
    switch (scope) {
    case SCOPE_TAG:
        return matches_tag(key, pattern);
    case SCOPE_USER:
        if (key->may_set & MAY_SET_USER)
            return true;
        __attribute__((fallthrough));
    case SCOPE_KEY:
    case SCOPE_TEAM: {
        struct text id = key_id(key, scope);
        return id.size > 0 && text_matches(id, pattern);
    }
    default:
        return true;
    }
}

static bool some_key_may_be(const struct config *config, enum scope scope, struct text pattern)
{
    for (size_t i = 0; i < config->key_count; i++)
        if (may_be(&config->keys[i], scope, pattern))
            return true;
    return false;
}

static bool some_upstream_is(const struct config *config, struct text pattern)
{
    for (size_t i = 0; i < config->upstream_count; i++)
        if (text_matches(config->upstreams[i].name, pattern))
            return true;
    return false;
}

static void put_id(struct reader_ids *ids, enum scope scope, struct config_key *key)
{
    struct text id = key_id(key, scope);
    if (id.size > 0)
        (void)table_put(&ids->of[scope], id, key);
}

/* There may be as many keys as ids to be checked: none is looked for among all. */
static const struct reader_ids *ids_of(struct reader *reader)
{
    const struct config *config = reader->config;
    struct reader_ids *ids = &reader->ids;
    for (size_t i = 0; !ids->filled && i < config->key_count; i++) {
        struct config_key *key = &config->keys[i];
        put_id(ids, SCOPE_KEY, key);
        put_id(ids, SCOPE_USER, key);
        put_id(ids, SCOPE_TEAM, key);
        ids->any_user = ids->any_user || (key->may_set & MAY_SET_USER) != 0;
        ids->any_service = ids->any_service || key->may_book;
    }
    ids->filled = true;
    return ids;
}

void check_close_ids(struct reader *reader)
{
    for (int scope = 0; scope < SCOPE_COUNT; scope++)
        table_close(&reader->ids.of[scope]);
}

static bool is_single(enum scope scope, struct text id)
{
    return (scope == SCOPE_KEY || scope == SCOPE_USER || scope == SCOPE_TEAM) && id.size > 0 &&
           memchr(id.at, '*', id.size) == NULL;
}

/* Keys tell who may call in mode keys alone; upstreams are known in every mode. Who books costs
 * from elsewhere names their service. */
static bool is_possible(struct reader *reader, enum scope scope, struct text pattern)
{
    const struct config *config = reader->config;
    const struct reader_ids *ids = ids_of(reader);
    if (scope == SCOPE_SERVICE && (ids->any_service || config->admin_token.size > 0))
        return true;
    if (scope == SCOPE_UPSTREAM || scope == SCOPE_SERVICE)
        return some_upstream_is(config, pattern);
    if (config->auth_mode != AUTH_KEYS || config->key_count == 0)
        return true;
    if (is_single(scope, pattern))
        return (scope == SCOPE_USER && ids->any_user) ||
               table_get(&ids->of[scope], pattern) != NULL;
    return some_key_may_be(config, scope, pattern);
}

static struct text nearest(struct reader *reader, enum scope scope, struct text id)
{
    const struct config *config = reader->config;
    struct suggest suggest = {.wrong = id, .left = &reader->comparisons};
    if (scope == SCOPE_UPSTREAM || scope == SCOPE_SERVICE)
        for (size_t i = 0; i < config->upstream_count; i++)
            suggest_offer(&suggest, config->upstreams[i].name);
    else if (scope == SCOPE_KEY || scope == SCOPE_USER || scope == SCOPE_TEAM)
        for (size_t i = 0; i < config->key_count; i++)
            suggest_offer(&suggest, key_id(&config->keys[i], scope));
    return suggest.best.size == 0 ? TEXT_NONE : suggest.best;
}

/* As answers and lists show it. A session may really be called so: no more than a warning. */
static void warn_of_key(struct reader *reader, const struct check_entry *entry, const char *option,
                        struct text id)
{
    struct text name = id;
    struct text key = text_split(&name, '/');
    if (key.size == id.size || name.size == 0 ||
        table_get(&ids_of(reader)->of[SCOPE_KEY], key) == NULL)
        return;
    report(reader, entry, option, SCOPE_SESSION,
           "names the session \"%.*s\" of every key, for keys do not stand here: did you mean "
           "\"%.*s\"?",
           TEXT_ARG(id), TEXT_ARG(name));
}

bool check_id(struct reader *reader, const struct check_entry *entry, const char *option,
              enum scope scope, struct text id)
{
    if (scope == SCOPE_SESSION)
        warn_of_key(reader, entry, option, id);
    if (is_possible(reader, scope, id))
        return true;
    struct text near = nearest(reader, scope, id);
    const char *place = scope == SCOPE_UPSTREAM || scope == SCOPE_SERVICE ? "upstreams" : "keys";
    if (near.at != NULL)
        report(reader, entry, option, scope,
               "matches nothing, as no %s \"%.*s\" is among the %s: did you mean \"%.*s\"?",
               scope_name(scope), TEXT_ARG(id), place, TEXT_ARG(near));
    else
        report(reader, entry, option, scope,
               "matches nothing, as no %s \"%.*s\" is among the %s: name one there, or take this "
               "out",
               scope_name(scope), TEXT_ARG(id), place);
    return false;
}

static bool one_key_fits(const struct config *config, const struct budget *budget)
{
    for (size_t i = 0; i < config->key_count; i++) {
        const struct config_key *key = &config->keys[i];
        bool fits = may_be(key, budget->scope, TEXT("*"));
        for (size_t j = 0; j < budget->match_count; j++)
            fits = fits && may_be(key, budget->match[j].scope, budget->match[j].pattern);
        if (fits)
            return true;
    }
    return false;
}

bool check_match_ids(struct reader *reader, const struct check_entry *entry,
                     const struct budget *who)
{
    bool possible = true;
    for (size_t i = 0; i < who->match_count; i++)
        possible &= check_id(reader, entry, "match", who->match[i].scope, who->match[i].pattern);
    return possible;
}

void check_one_key_fits(struct reader *reader, const struct check_entry *entry,
                        const struct budget *who)
{
    const struct config *config = reader->config;
    if (config->auth_mode != AUTH_KEYS || config->key_count == 0 || one_key_fits(config, who))
        return;
    if (who->match_count == 0)
        report(reader, entry, "scope", who->scope,
               "matches nothing, as no key has a %s: write %s: NAME on the keys it is meant for",
               scope_name(who->scope), scope_name(who->scope));
    else
        report(reader, entry, "match", SCOPE_KEY,
               "matches nothing, as no key is all of this at once: write one %s for each",
               text_equal(text_of(entry->list), TEXT("budgets")) ? "budget" : "entry");
}
