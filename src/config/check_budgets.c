/*
 * Checks of budgets: each must limit something, be unlike the others, and be able to match.
 */
#include "config/check.h"
#include "money/charge.h"

static void report(struct reader *reader, size_t at, const char *option, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void report(struct reader *reader, size_t at, const char *option, const char *format, ...)
{
    struct buffer message = {0};
    va_list arguments;
    va_start(arguments, format);
    buffer_vprintf(&message, format, arguments);
    va_end(arguments);
    reader_report(reader, FINDING_ERROR, reader_line(reader, "budgets", at, option),
                  "budgets[%zu]%s%s: %s", at, option == NULL ? "" : ".",
                  option == NULL ? "" : option, buffer_string(&message));
    buffer_close(&message);
}

/* ---- one budget ---- */

static void check_units(struct reader *reader, size_t at)
{
    const struct budget *budget = &reader->config->budgets[at];
    for (unsigned unit = 0; unit < UNIT_COUNT; unit++)
        if (budget->limit[unit] != LIMIT_NONE ||
            reader_wrote(reader, "budgets", at, unit_name((enum unit)unit)))
            return;
    report(reader, at, NULL, "limits nothing: write usd: 50, tokens: 100000 or requests: 1000");
}

static void check_window(struct reader *reader, size_t at)
{
    bool request = reader->config->budgets[at].scope == SCOPE_REQUEST;
    bool wrote = reader_wrote(reader, "budgets", at, "window");
    if (request && wrote)
        report(reader, at, "window", "a budget of scope request has none: take the line out");
    if (!request && !wrote)
        report(reader, at, "window",
               "is missing: write window: day, or hour, week, month, total, {rolling: 24h}");
    if (request && reader->config->budgets[at].limit[UNIT_REQUESTS] != LIMIT_NONE)
        report(reader, at, "requests", "a single request is always one: take the line out");
    if (reader->config->budgets[at].scope != SCOPE_SESSION &&
        reader_wrote(reader, "budgets", at, "idle"))
        report(reader, at, "idle", "only session budgets are forgotten: take the line out");
    else if (!request && reader->config->budgets[at].window == WINDOW_ROLLING &&
             reader_wrote(reader, "budgets", at, "idle"))
        report(reader, at, "idle", "a rolling window forgets by itself: take the line out");
}

static void check_away(struct reader *reader, size_t at)
{
    const struct budget *budget = &reader->config->budgets[at];
    if (budget->away_open == 0)
        return;
    if (budget->scope == SCOPE_REQUEST)
        report(reader, at, "on_store_away", "a single request needs no store: take the line out");
    else if (budget->window == WINDOW_ROLLING)
        report(reader, at, "on_store_away",
               "is for windows that end: a rolling one is closed without its store");
    if (reader_wrote(reader, "budgets", at, "tokens") ||
        reader_wrote(reader, "budgets", at, "requests"))
        report(reader, at, "on_store_away",
               "is in dollars, and this budget also limits tokens or requests: give those a budget "
               "of their own");
}

/* ---- two budgets ---- */

/* A rolling window knows no time zone; its length counts as its sub-buckets have it. */
static bool is_same_window(const struct budget *a, const struct budget *b)
{
    if (a->window != b->window)
        return false;
    if (a->window != WINDOW_ROLLING)
        return text_equal(a->timezone, b->timezone);
    return window_rolling(a->rolling_s, 0).end_s == window_rolling(b->rolling_s, 0).end_s;
}

static bool is_same_account(const struct budget *a, const struct budget *b)
{
    bool request = a->scope == SCOPE_REQUEST;
    bool unit = false;
    for (size_t i = 0; i < UNIT_COUNT; i++)
        unit = unit || (a->limit[i] != LIMIT_NONE && b->limit[i] != LIMIT_NONE);
    return unit && a->scope == b->scope && (request || is_same_window(a, b)) &&
           check_same_match(a, b);
}

static void check_others(struct reader *reader, size_t at)
{
    const struct budget *budgets = reader->config->budgets;
    for (size_t i = 0; i < at; i++) {
        if (budgets[i].name.size > 0 && text_equal(budgets[i].name, budgets[at].name))
            report(reader, at, "name", "\"%.*s\" is the name of budgets[%zu] too: write another",
                   TEXT_ARG(budgets[at].name), i);
        if (is_same_account(&budgets[i], &budgets[at]))
            report(reader, at, NULL,
                   "counts the same as budgets[%zu] (scope, window, timezone, match and unit): "
                   "keep the lower limit and take the other out",
                   i);
    }
}

/* ---- all budgets ---- */

/* The one id of this scope that a call must have; TEXT_NONE: there may be several. */
static struct text single_id(const struct budget *budget, enum scope scope)
{
    for (size_t i = 0; i < budget->match_count; i++)
        if (budget->match[i].scope == scope &&
            text_find(budget->match[i].pattern, TEXT("*"), 0) == SIZE_MAX)
            return budget->match[i].pattern;
    return TEXT_NONE;
}

/* How many accounts of the budget one call may touch. */
static size_t accounts_of(const struct budget *budget)
{
    size_t units = 0;
    for (size_t i = 0; i < UNIT_COUNT; i++)
        units += budget->limit[i] != LIMIT_NONE;
    if (budget->scope == SCOPE_REQUEST)
        return 0;
    bool every_tag = budget->scope == SCOPE_TAG && single_id(budget, SCOPE_TAG).at == NULL;
    return every_tag ? units * SUBJECT_MAX_TAGS : units;
}

/* No call touches more of all budgets: it has one id of the scope. */
static size_t most_accounts_by(const struct config *config, enum scope scope)
{
    size_t any = 0, most = 0;
    for (size_t i = 0; i < config->budget_count; i++) {
        struct text id = single_id(&config->budgets[i], scope);
        size_t same = 0;
        any += id.at == NULL ? accounts_of(&config->budgets[i]) : 0;
        for (size_t j = 0; id.at != NULL && j < config->budget_count; j++)
            if (text_equal(single_id(&config->budgets[j], scope), id))
                same += accounts_of(&config->budgets[j]);
        most = same > most ? same : most;
    }
    return any + most;
}

/* An upper bound, so that a call never meets more than it can be charged on. */
static void check_accounts(struct reader *reader)
{
    static const enum scope single[] = {SCOPE_KEY,   SCOPE_USER,     SCOPE_TEAM,   SCOPE_SESSION,
                                        SCOPE_MODEL, SCOPE_UPSTREAM, SCOPE_SERVICE};
    size_t most = SIZE_MAX;
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        size_t by = most_accounts_by(reader->config, single[i]);
        most = by < most ? by : most;
    }
    if (most > CHARGE_MOST)
        reader_report(reader, FINDING_ERROR, reader_line(reader, "budgets", 0, NULL),
                      "budgets: one call could count on %zu accounts, and %d are the most: each "
                      "limit in usd, tokens or requests is one, and with scope tag one for each of "
                      "a call's %d tags: take limits out, or match single tags or keys",
                      most, CHARGE_MOST, SUBJECT_MAX_TAGS);
}

/* A shared store may forget a session two hours after it heard of it, of which its last calls may
 * take one (lease_apart.c). */
#define CALL_MOST_S 3600

static bool is_forgotten(const struct budget *budget)
{
    return budget->scope == SCOPE_SESSION && budget->window != WINDOW_ROLLING && budget->idle_s > 0;
}

static void check_long_calls(struct reader *reader)
{
    const struct config *config = reader->config;
    size_t at = 0;
    while (at < config->budget_count && !is_forgotten(&config->budgets[at]))
        at++;
    if (at == config->budget_count || config->store_redis.size == 0 ||
        config->request_seconds <= CALL_MOST_S)
        return;
    reader_report(reader, FINDING_WARNING, reader_line(reader, "limits", 0, "request_seconds"),
                  "limits.request_seconds: an instance that is cut off from store.redis while a "
                  "call runs for more than an hour may find its session forgotten there, and "
                  "others spend the limit of budgets[%zu] again: write %d or less",
                  at, CALL_MOST_S);
}

/* ---- whether it can match ---- */

static void check_matches(struct reader *reader, size_t at)
{
    const struct budget *budget = &reader->config->budgets[at];
    const struct check_entry entry = {"budgets", at};
    bool possible = check_match_ids(reader, &entry, budget);
    for (size_t i = 0; i < budget->override_count; i++)
        possible &= check_id(reader, &entry, "overrides", budget->scope, budget->overrides[i].id);
    if (possible)
        check_one_key_fits(reader, &entry, budget);
}

static void check_overrides(struct reader *reader, size_t at)
{
    const struct budget *budget = &reader->config->budgets[at];
    bool single = budget->scope == SCOPE_GLOBAL || budget->scope == SCOPE_REQUEST;
    int line = reader_line(reader, "budgets", at, "scope");
    if (single && budget->override_count > 0 && !reader_has_error(reader, line))
        report(reader, at, "overrides", "scope %s has no ids to except: take the line out",
               scope_name(budget->scope));
    for (size_t i = 0; i < budget->override_count; i++)
        if (budget->overrides[i].id.size == 0 || budget->overrides[i].id.size > SUBJECT_MAX_ID)
            report(reader, at, "overrides", "an id must have 1 to %d bytes", SUBJECT_MAX_ID);
}

void check_budgets(struct reader *reader)
{
    const struct config *config = reader->config;
    for (size_t i = 0; i < config->budget_count; i++) {
        check_units(reader, i);
        check_window(reader, i);
        check_away(reader, i);
        check_overrides(reader, i);
        check_others(reader, i);
        check_matches(reader, i);
    }
    check_accounts(reader);
    check_long_calls(reader);
    if (!reader_wrote(reader, "budgets", 0, NULL))
        reader_report(reader, FINDING_WARNING, reader_line(reader, "budgets", 0, NULL), "%s",
                      reader->has_lines
                          ? "NO BUDGET: nothing is capped: write budgets: [{name: daily, scope: "
                            "global, window: day, usd: 50}]"
                          : "NO BUDGET: nothing is capped: set PURSER_BUDGET_USD to dollars a day");
}
