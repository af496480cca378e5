/* Rate limits of a request. */
#include "pipeline/rating.h"

#include "pipeline/call.h"
#include "pipeline/estimate.h"
#include "pipeline/pipeline.h"
#include "pipeline/refusal.h"

#define BIT(scope) (1u << (scope))
/* What is known of a request in admit. */
#define CALLER                                                                                     \
    (BIT(SCOPE_GLOBAL) | BIT(SCOPE_KEY) | BIT(SCOPE_USER) | BIT(SCOPE_TEAM) | BIT(SCOPE_SESSION) | \
     BIT(SCOPE_TAG))
/* For a share; the store's connection gives up earlier (cli/house.c). */
#define PATIENCE_US 2000000
/* Of a limit: coarse bounds up to so small a part of it are taken as they are. */
#define COARSE_PART 20
#define ALL         (CALLER | BIT(SCOPE_MODEL) | BIT(SCOPE_UPSTREAM))

/* ---- entering ---- */

static bool any_applies(const struct request *request, unsigned scopes)
{
    const struct terms *terms = request->terms;
    for (size_t at = 0; at < terms->rate_limit_count; at++) {
        const struct budget *who = &terms->rate_limits[at].who;
        if ((scopes & BIT(who->scope)) != 0 && budget_applies(who, &request->subject))
            return true;
    }
    return false;
}

/* Made if there is none. */
static struct rating *rating_of(struct request *request)
{
    if (request->rating == NULL) {
        request->rating = arena_new(&request->arena, sizeof *request->rating);
        request->rating->waiter.mailbox = request->worker->mailbox;
        request->rating->waiter.to = request->id;
    }
    return request->rating;
}

static enum rates_verdict enter(struct request *request, unsigned scopes, int64_t tokens,
                                struct rates_answer *answer)
{
    const struct terms *terms = request->terms;
    if (!any_applies(request, scopes))
        return RATES_PASSED;
    struct rating *rating = rating_of(request);
    const struct rates_ask ask = {
        .limits = terms->rate_limits,
        .limit_count = terms->rate_limit_count,
        .subject = &request->subject,
        .scopes = scopes,
        .tokens = tokens,
        .now_us = loop_steady_us(request->worker->loop),
        .patient = !rating->hurried,
    };
    rates_gate_enter(request->worker->house->rates, &rating->pass, &ask, &rating->waiter, answer);
    memcpy(rating->level, answer->level, sizeof answer->level);
    return answer->verdict;
}

static void leave(struct request *request, enum rates_end end)
{
    struct rating *rating = request->rating;
    if (rating == NULL || rating->pass == NULL)
        return;
    rates_gate_leave(request->worker->house->rates, rating->pass, end, 0);
    rating->pass = NULL;
}

/* Refused by a limit, it has not been. */
static enum rating_verdict judge(struct request *request, enum rates_verdict verdict,
                                 const struct rates_answer *answer)
{
    if (verdict == RATES_PASSED)
        return RATING_PASSED;
    if (verdict == RATES_WAIT) {
        request->rating->waits = true;
        if (request->timer.at_us == 0)
            loop_timer_set(request->worker->loop, &request->timer, PATIENCE_US);
        return RATING_WAITS;
    }
    leave(request, RATES_UNDONE);
    refuse_rate(request, answer);
    return RATING_REFUSED;
}

enum rating_verdict rating_admit(struct request *request)
{
    struct rates_answer answer;
    if (request->terms->rate_limit_count == 0)
        return RATING_PASSED;
    return judge(request, enter(request, CALLER, 0, &answer), &answer);
}

/* ---- waiting ---- */

bool rating_waits(const struct request *request)
{
    return request->rating != NULL && request->rating->waits;
}

void rating_stop_waiting(struct request *request)
{
    if (!rating_waits(request))
        return;
    request->rating->waits = false;
    rates_gate_forget(request->worker->house->rates, &request->rating->waiter);
}

void rating_awake(struct request *request)
{
    rating_stop_waiting(request);
    request->rating->hurried = request->timer.at_us == 0;
}

/* ---- tokens ---- */

static int64_t most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The maximum that the request will have, as far as the budgets do not lower it. */
static int64_t wanted_of(const struct request *request)
{
    const struct ask *ask = &request->ask;
    int64_t most = request->terms->default_max_output;
    bool capped = !ask->named && most > 0 && most < ask->wanted_output;
    if (ask->bound.output_free)
        return 0;
    return capped ? most : ask->wanted_output;
}

static int64_t worst_of(const struct request *request)
{
    return bound_tokens(&request->ask.bound, wanted_of(request));
}

/* Who names no maximum shall not keep all others out. */
static int64_t room_of(const struct request *request, int64_t limit)
{
    const struct ask *ask = &request->ask;
    int64_t input = bound_tokens(&ask->bound, 0);
    return ask->named || input >= limit ? limit : input + (limit - input) / 4;
}

/* Nobody could lower the maximum of what has a room, and still get an answer. */
static void lower(struct request *request, int64_t limit)
{
    const struct terms *terms = request->terms;
    struct ask *ask = &request->ask;
    bool may = !ask->bound.output_free &&
               (terms->clamp == CLAMP_ALWAYS || (terms->clamp == CLAMP_ABSENT && !ask->named));
    int64_t wanted = wanted_of(request);
    int64_t least = most_of(terms->min_output_tokens, ask->least_output);
    if (!may || least >= wanted)
        return;
    int64_t most = bound_affordable(&ask->bound, room_of(request, limit), wanted);
    if (most < least)
        most = bound_affordable(&ask->bound, limit, least);
    if (most < least)
        return;
    ask->wanted_output = most;
    request->rating->lowered = true;
}

static bool is_exact(const struct request *request)
{
    const struct body *body = &request->body;
    return estimate_model_of(request->upstream, request->model_sent, request->model).exact &&
           body->images == 0 && !body->audio && !request->ask.may_recount;
}

/* Makes the request's tokens fit into a whole minute's, if that can be. A bound by bytes is several
 * times too much, and stays taken as long as the call runs: only a small one is not worth counting.
 */
static bool fit(struct request *request, int64_t limit)
{
    struct ask *ask = &request->ask;
    bool small = bound_tokens(&ask->bound, 0) <= limit / COARSE_PART;
    if (small && worst_of(request) <= room_of(request, limit))
        return true;
    if (ask->may_recount)
        reserve_recount(request, ask);
    int64_t input = bound_tokens(&ask->bound, 0);
    if (input > limit && is_exact(request)) {
        leave(request, RATES_UNDONE);
        refuse(request, REFUSAL_NEVER_FITS, NULL,
               "This request can never fit the limit of %lld tokens per minute that applies to it: "
               "its input alone has %lld. Shorten the prompt.",
               (long long)limit, (long long)input);
        return false;
    }
    if (worst_of(request) > room_of(request, limit))
        lower(request, limit);
    return true;
}

/* The coarse bound may be refused where the close one is not. */
static enum rates_verdict take(struct request *request, struct rates_answer *answer)
{
    enum rates_verdict verdict = enter(request, ALL, worst_of(request), answer);
    if (verdict != RATES_LIMITED || answer->rated != RATED_TOKENS || !request->ask.may_recount)
        return verdict;
    reserve_recount(request, &request->ask);
    return enter(request, ALL, worst_of(request), answer);
}

static bool takes_tokens(const struct request *request)
{
    return request->terms->rate_tokens && request->batch == NULL && !recall_serves(request) &&
           !endpoint_facts(request->endpoint)->free;
}

static enum rating_verdict reserve_tokens(struct request *request)
{
    const struct terms *terms = request->terms;
    struct rates_answer answer;
    int64_t limit = rate_limits_least(terms->rate_limits, terms->rate_limit_count, RATED_TOKENS,
                                      &request->subject);
    if (limit == LIMIT_NONE)
        return judge(request, enter(request, ALL, 0, &answer), &answer);
    rating_of(request);
    if (!fit(request, limit))
        return RATING_REFUSED;
    return judge(request, take(request, &answer), &answer);
}

enum rating_verdict rating_reserve(struct request *request)
{
    struct rates_answer answer;
    if (request->terms->rate_limit_count == 0)
        return RATING_PASSED;
    if (takes_tokens(request))
        return reserve_tokens(request);
    if (!request->terms->rate_routed)
        return RATING_PASSED;
    return judge(request, enter(request, ALL, 0, &answer), &answer);
}

bool rating_lowered(const struct request *request)
{
    return request->rating != NULL && request->rating->lowered;
}

/* ---- leaving ---- */

/* It used nothing. */
void rating_end(struct request *request)
{
    leave(request, RATES_KNOWN);
}

struct rates_pass *rating_hand_over(struct request *request)
{
    struct rating *rating = request->rating;
    struct rates_pass *pass = rating != NULL ? rating->pass : NULL;
    if (rating != NULL)
        rating->pass = NULL;
    return pass;
}

/* What goes on behind its answer is not known yet, and will be too late to count. */
void rating_end_call(struct call *call)
{
    const struct entry *entry = &call->entry;
    int64_t tokens = call->settled ? entry->prompt_tokens + entry->completion_tokens : 0;
    enum rates_end end = call->pending.size > 0 ? RATES_UNKNOWN : RATES_KNOWN;
    if (call->rates == NULL)
        return;
    rates_gate_leave(call->worker->house->rates, call->rates, end, tokens);
    call->rates = NULL;
}

/* ---- what the client is told ---- */

static int64_t seconds_of(int64_t us)
{
    return (us + 999999) / 1000000;
}

static void put_header(struct request *request, const char *name, struct text value)
{
    reply_header_text(&request->reply, &request->arena, name, value);
}

/* "1m5s", as OpenAI writes it. */
static struct text duration_of(struct request *request, int64_t us)
{
    int64_t seconds = seconds_of(us);
    if (seconds < 60)
        return arena_printf(&request->arena, "%llds", (long long)seconds);
    return arena_printf(&request->arena, "%lldm%llds", (long long)(seconds / 60),
                        (long long)(seconds % 60));
}

/* "2026-11-22T07:00:00Z", as Anthropic writes it. */
static struct text moment_of(struct request *request, int64_t us)
{
    char stamp[CLOCK_STAMP_SIZE];
    clock_stamp(loop_wall_us(request->worker->loop) + us + 999999, stamp);
    return arena_printf(&request->arena, "%.19sZ", stamp);
}

struct names {
    const char *limit, *remaining, *reset;
};

static void put_level(struct request *request, const struct rates_level *level,
                      const struct names *names, bool anthropic)
{
    struct arena *arena = &request->arena;
    if (!level->known)
        return;
    put_header(request, names->limit, arena_printf(arena, "%lld", (long long)level->limit));
    put_header(request, names->remaining, arena_printf(arena, "%lld", (long long)level->remaining));
    put_header(request, names->reset,
               anthropic ? moment_of(request, level->reset_us)
                         : duration_of(request, level->reset_us));
}

void rating_put_headers(struct request *request)
{
    static const struct names names[2][RATED_BY_MINUTE] = {
        {{"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
          "x-ratelimit-reset-requests"},
         {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}},
        {{"anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining",
          "anthropic-ratelimit-requests-reset"},
         {"anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining",
          "anthropic-ratelimit-tokens-reset"}},
    };
    struct rating *rating = request->rating;
    if (rating == NULL || rating->told)
        return;
    rating->told = true;
    bool anthropic = request_dialect(request) == DIALECT_ANTHROPIC;
    for (int rated = 0; rated < RATED_BY_MINUTE; rated++)
        put_level(request, &rating->level[rated], &names[anthropic][rated], anthropic);
}

bool rating_replaces(const struct request *request, struct text header)
{
    return request->rating != NULL && (text_starts_nocase(header, TEXT("x-ratelimit-")) ||
                                       text_starts_nocase(header, TEXT("anthropic-ratelimit-")));
}
