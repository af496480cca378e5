/*
 * A slow model of the budget core, written from core.h alone: it searches where the core computes,
 * and looks at everything where the core keeps books. The simulation compares the two.
 */
#ifndef PURSER_TESTS_BUDGET_MODEL_H
#define PURSER_TESTS_BUDGET_MODEL_H

#include "budget/core.h"

#define MODEL_ACCOUNTS 4096
#define MODEL_LINGER_S 7200 /* core.h does not say; charges do (until_s) */

struct model_account {
    size_t budget;
    enum unit unit;
    struct text id;
    struct window window;
    uint64_t number; /* as the core told in a charge; 0: not yet */
    int64_t limit, spent, held, over;
    int64_t used_s;
    size_t pins;
};

struct model {
    const struct core_options *options;
    struct window windows[8]; /* by budget; the last one used */
    struct model_account accounts[MODEL_ACCOUNTS];
    size_t count;
};

/* An ask with what it touches. */
struct model_ask {
    struct ask ask;
    struct subject subject;
    struct own_limits own;
    size_t accounts[CHARGE_MOST];
    size_t count;
    int64_t request_limit[UNIT_COUNT]; /* INT64_MAX: none */
};

struct model_demand {
    enum verdict verdict;
    int64_t max_output, held_output, least, ceiling;
    bool may_clamp, rolling;
};

/* ---- which accounts ---- */

static int64_t model_until_s(const struct model *model, const struct model_account *account)
{
    const struct budget *budget = &model->options->budgets[account->budget];
    int64_t until_s = account->window.end_s;
    if (until_s != WINDOW_FOREVER)
        until_s += MODEL_LINGER_S;
    int64_t idle_s = account->used_s + budget->idle_s + MODEL_LINGER_S;
    bool idles = budget->scope == SCOPE_SESSION && budget->idle_s > 0;
    return idles && idle_s < until_s ? idle_s : until_s;
}

static struct model_account *model_find(struct model *model, size_t budget, enum unit unit,
                                        struct text id, const char *window)
{
    for (size_t at = 0; at < model->count; at++) {
        struct model_account *account = &model->accounts[at];
        if (account->budget == budget && account->unit == unit && text_equal(account->id, id) &&
            strcmp(account->window.id, window) == 0)
            return account;
    }
    return NULL;
}

static size_t model_budget(const struct model *model, struct text name)
{
    size_t budget = 0;
    while (!text_equal(model->options->budgets[budget].name, name))
        budget++;
    return budget;
}

/* What the core shows of an account at `now_s`, the last time it was told. */
static bool model_agrees(struct model *model, const struct account_view *view, int64_t now_s)
{
    const struct model_account *account = model_find(
        model, model_budget(model, view->budget), view->unit, text_of(view->id), view->window.id);
    if (account == NULL) /* a global one that nobody used, or a request's limit */
        return view->spent == 0 && view->held == 0;
    /* Past its time it is forgotten some day. */
    bool remembered = account->pins > 0 || now_s <= model_until_s(model, account);
    if (remembered && account->spent != view->spent)
        return false;
    return account->held == view->held &&
           view->spent + view->held <= account->limit + account->over; /* I1 */
}

static void model_touch(struct model *model, struct model_ask *ask, size_t budget, enum unit unit,
                        struct text id)
{
    const struct window *window = &model->windows[budget];
    int64_t limit = budget_limit_enforced(&model->options->budgets[budget], unit, id);
    if (limit == LIMIT_NONE)
        return;
    struct model_account *account = model_find(model, budget, unit, id, window->id);
    if (account == NULL) {
        ASSERT(model->count < MODEL_ACCOUNTS);
        account = &model->accounts[model->count++];
        *account = (struct model_account){.budget = budget,
                                          .unit = unit,
                                          .id = id,
                                          .window = *window,
                                          .limit = limit,
                                          .used_s = ask->ask.now_s};
    }
    if (account->pins == 0 && ask->ask.now_s > model_until_s(model, account)) {
        account->spent = 0;
        account->over = 0;
        account->used_s = ask->ask.now_s;
    }
    for (size_t at = 0; at < ask->count; at++) {
        if (&model->accounts[ask->accounts[at]] == account)
            return;
    }
    ask->accounts[ask->count++] = (size_t)(account - model->accounts);
}

static void model_gather_budget(struct model *model, struct model_ask *ask, size_t at)
{
    const struct budget *budget = &model->options->budgets[at];
    const struct subject *subject = &ask->subject;
    if (ask->ask.now_s >= model->windows[at].end_s)
        model->windows[at] = window_at(budget->window, budget->zone, ask->ask.now_s);
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        for (size_t tag = 0; tag < subject->tag_count && budget->scope == SCOPE_TAG; tag++)
            model_touch(model, ask, at, (enum unit)unit, subject->tags[tag]);
        if (budget->scope != SCOPE_TAG)
            model_touch(model, ask, at, (enum unit)unit, subject->id[budget->scope]);
    }
}

static void model_gather(struct model *model, struct model_ask *ask)
{
    ask->count = 0;
    for (int unit = 0; unit < UNIT_COUNT; unit++)
        ask->request_limit[unit] =
            ask->own.limit[unit] == LIMIT_NONE ? INT64_MAX : ask->own.limit[unit];
    for (size_t at = 0; at < model->options->budget_count; at++) {
        const struct budget *budget = &model->options->budgets[at];
        if (!budget_applies(budget, &ask->subject))
            continue;
        if (budget->scope != SCOPE_REQUEST) {
            model_gather_budget(model, ask, at);
            continue;
        }
        for (int unit = 0; unit < UNIT_COUNT; unit++) {
            int64_t limit = budget_limit_enforced(budget, (enum unit)unit, TEXT_NONE);
            if (limit != LIMIT_NONE && limit < ask->request_limit[unit])
                ask->request_limit[unit] = limit;
        }
    }
}

/* ---- how much ---- */

enum model_room { ROOM_LIMIT, ROOM_LEFT, ROOM_FREE, ROOM_QUARTER };

static int64_t model_need(const struct model_ask *ask, enum unit unit, int64_t max_output)
{
    if (unit == UNIT_REQUESTS)
        return 1;
    if (unit == UNIT_TOKENS)
        return bound_tokens(&ask->ask.bound, max_output);
    return ask->ask.price == NULL ? 0
                                  : price_bound(ask->ask.price, &ask->ask.bound, max_output).nano;
}

static int64_t model_room(const struct model_account *account, const struct model_ask *ask,
                          enum model_room room)
{
    int64_t left = account->limit - account->spent;
    int64_t fixed = model_need(ask, account->unit, 0);
    if (room == ROOM_LIMIT)
        return account->limit;
    if (room == ROOM_FREE)
        return left - account->held;
    if (room == ROOM_LEFT || account->unit == UNIT_REQUESTS || left <= fixed)
        return left;
    return fixed + (left - fixed) / 4;
}

/* What needs nothing fits everywhere, also where more is spent than the limit. */
static bool model_lacks(int64_t need, int64_t room)
{
    return need > 0 && need > room;
}

static bool model_fits(const struct model *model, const struct model_ask *ask, int64_t max_output,
                       enum model_room room)
{
    for (size_t at = 0; at < ask->count; at++) {
        const struct model_account *account = &model->accounts[ask->accounts[at]];
        if (model_lacks(model_need(ask, account->unit, max_output), model_room(account, ask, room)))
            return false;
    }
    for (int unit = 0; unit < UNIT_COUNT && room != ROOM_QUARTER; unit++) {
        if (ask->request_limit[unit] != INT64_MAX &&
            model_need(ask, (enum unit)unit, max_output) > ask->request_limit[unit])
            return false;
    }
    return true;
}

/* The largest maximum up to `most` that fits; -1: none. */
static int64_t model_largest(const struct model *model, const struct model_ask *ask, int64_t most,
                             enum model_room room)
{
    if (model_fits(model, ask, most, room))
        return most;
    if (!model_fits(model, ask, 0, room))
        return -1;
    int64_t fits = 0, fails = most;
    while (fails - fits > 1) {
        int64_t middle = fits + (fails - fits) / 2;
        if (model_fits(model, ask, middle, room))
            fits = middle;
        else
            fails = middle;
    }
    return fits;
}

/* One that holds USD or tokens. */
static bool model_has_account(const struct model *model, const struct model_ask *ask)
{
    for (size_t at = 0; at < ask->count; at++) {
        if (model->accounts[ask->accounts[at]].unit != UNIT_REQUESTS)
            return true;
    }
    return false;
}

static bool model_limits(const struct model *model, const struct model_ask *ask, enum unit unit)
{
    for (size_t at = 0; at < ask->count; at++) {
        if (model->accounts[ask->accounts[at]].unit == unit)
            return true;
    }
    return ask->request_limit[unit] != INT64_MAX;
}

static int64_t model_smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What the request wants at the most. */
static int64_t model_wish(const struct model *model, const struct model_ask *ask,
                          const struct model_demand *demand)
{
    bool whole =
        ask->ask.named || ask->ask.bound.output_free || model->options->clamp == CLAMP_NEVER;
    if (whole)
        return demand->ceiling;
    int64_t quarter = model_largest(model, ask, demand->ceiling, ROOM_QUARTER);
    return quarter < demand->least ? demand->least : quarter;
}

/* What core.h says of a request, holds of others left out. */
static struct model_demand model_assess(const struct model *model, const struct model_ask *ask)
{
    const struct core_options *options = model->options;
    bool usd = model_limits(model, ask, UNIT_USD);
    bool bounded = usd || model_limits(model, ask, UNIT_TOKENS);
    bool output_free = ask->ask.bound.output_free;
    struct model_demand demand = {.ceiling = output_free ? 0 : ask->ask.wanted_output};
    if (bounded && !ask->ask.named && options->default_max_output > 0)
        demand.ceiling = model_smaller(demand.ceiling, options->default_max_output);
    demand.least = model_smaller(options->min_output_tokens, demand.ceiling);
    demand.may_clamp =
        bounded && !output_free &&
        (options->clamp == CLAMP_ALWAYS || (options->clamp == CLAMP_ABSENT && !ask->ask.named));
    if (usd && ask->ask.price == NULL)
        demand.verdict = VERDICT_UNPRICED;
    else if (bounded && (ask->ask.unbounded || ask->ask.bound.input_tokens == INT64_MAX ||
                         (!demand.may_clamp && demand.ceiling == INT64_MAX)))
        demand.verdict = VERDICT_UNBOUNDED;
    if (demand.verdict != VERDICT_GRANTED)
        return demand;
    int64_t wish = bounded ? model_wish(model, ask, &demand) : demand.ceiling;
    int64_t goal = demand.may_clamp ? demand.least : wish;
    demand.max_output = model_largest(model, ask, wish, ROOM_LEFT);
    if (demand.max_output < goal)
        demand.verdict =
            model_fits(model, ask, goal, ROOM_LIMIT) ? VERDICT_EXHAUSTED : VERDICT_NEVER_FITS;
    demand.held_output = demand.max_output;
    demand.rolling = ask->ask.slice_tokens > 0 && demand.may_clamp && model_has_account(model, ask);
    if (demand.rolling) {
        int64_t slice = ask->ask.slice_tokens;
        slice = slice < demand.least ? demand.least : slice;
        demand.held_output = model_smaller(slice, demand.max_output);
    }
    return demand;
}

/* ---- two asks ---- */

/* True if the earlier one waits for an account of which the later one takes something. */
static bool model_is_in_the_way(const struct model *model, const struct model_ask *earlier,
                                const struct model_ask *later, int64_t held_output)
{
    struct model_demand demand = model_assess(model, earlier);
    if (demand.verdict != VERDICT_GRANTED)
        return false;
    for (size_t at = 0; at < earlier->count; at++) {
        const struct model_account *account = &model->accounts[earlier->accounts[at]];
        int64_t need = model_need(earlier, account->unit, demand.held_output);
        for (size_t other = 0; other < later->count; other++) {
            if (later->accounts[other] == earlier->accounts[at] &&
                model_need(later, account->unit, held_output) > 0 &&
                model_lacks(need, model_room(account, earlier, ROOM_FREE)))
                return true;
        }
    }
    return false;
}

/* True if it needs something of that unit, unless it is clamped to nothing. */
static bool model_takes(const struct model_ask *ask, enum unit unit)
{
    return model_need(ask, unit, ask->ask.bound.output_free ? 0 : ask->ask.wanted_output) > 0;
}

/* True if there is an account of which both need something. */
static bool model_share(const struct model *model, const struct model_ask *a,
                        const struct model_ask *b)
{
    for (size_t at = 0; at < a->count; at++) {
        for (size_t other = 0; other < b->count; other++) {
            enum unit unit = model->accounts[a->accounts[at]].unit;
            if (a->accounts[at] == b->accounts[other] && model_takes(a, unit) &&
                model_takes(b, unit))
                return true;
        }
    }
    return false;
}

#endif
