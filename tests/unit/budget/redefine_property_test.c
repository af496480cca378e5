/*
 * Random redefinitions in the middle of random traffic (rolling holds and their extensions
 * included), against plain books kept here: on every account that a budget counts,
 *
 *     spent = the sum of what was settled on it      held = the sum of the open holds' charges
 *
 * however often its budget changed, went and came back; whoever waits asks anew in its order; and
 * nothing is granted or extended above the limit of the moment, and an extension is refused only
 * where one of its accounts has a budget that is short. SEEDS=n runs n seeds, SEED=n only that one.
 */
#include "../random.h"
#include "../unit.h"
#include "budget/core.h"

#include <stdio.h>

enum { STEPS = 400, KINDS = 8, MOST_BUDGETS = 16, MOST_PAGES = 2048, MOST_ASKS = 64 };

#define COUNTED_MOST (INT64_C(1) << 62) /* no spend counts further */

/* The books of one account, by what names it. */
struct page {
    char kind;
    enum unit unit;
    char id[32], window[20];
    uint64_t number;
    int64_t spent, held;
};

struct held {
    uint64_t hold;
    struct bound bound;
    int64_t held_output, max_output;
    size_t count;
    size_t pages[CHARGE_MOST];
    int64_t amounts[CHARGE_MOST];
};

struct asker {
    uint64_t number, waiter;
    struct subject subject;
    struct ask ask;
};

/* What the core copies; made anew for each redefinition and freed after it. */
struct told {
    char names[MOST_BUDGETS][4];
    struct budget_match match;
    struct budget_override overrides[2];
    struct budget budgets[MOST_BUDGETS];
};

struct world {
    uint64_t random;
    struct zone *zone;
    struct told in_force; /* our own copy */
    struct core_options options;
    struct price price;
    struct core *core;
    int64_t now_s;
    struct page pages[MOST_PAGES];
    size_t page_count;
    struct held holds[MOST_ASKS];
    size_t hold_count;
    struct asker waiters[MOST_ASKS]; /* in the order of arrival */
    size_t waiter_count;
    uint64_t last_number;
    struct grant grant;
    struct account_view views[MOST_PAGES];
    size_t view_count;
};

static int64_t below(struct world *world, int64_t bound)
{
    return random_below(&world->random, bound);
}

static bool chance(struct world *world, int percent)
{
    return below(world, 100) < percent;
}

/* ---- budgets ---- */

/* A kind's definition never changes; so its first letter in a budget's name tells its accounts. */
static struct budget definition_of(const struct world *world, int kind)
{
    static const enum scope scopes[KINDS] = {SCOPE_GLOBAL, SCOPE_KEY, SCOPE_TEAM,   SCOPE_USER,
                                             SCOPE_TAG,    SCOPE_KEY, SCOPE_GLOBAL, SCOPE_REQUEST};
    static const enum window_kind windows[KINDS] = {WINDOW_DAY,  WINDOW_HOUR, WINDOW_TOTAL,
                                                    WINDOW_DAY,  WINDOW_HOUR, WINDOW_WEEK,
                                                    WINDOW_HOUR, WINDOW_TOTAL};
    return (struct budget){.scope = scopes[kind],
                           .window = windows[kind],
                           .timezone = TEXT("UTC"),
                           .zone = world->zone,
                           .limit = {LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}};
}

static void point(struct told *told, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        struct budget *budget = &told->budgets[at];
        budget->name = text_of(told->names[at]);
        if (budget->match_count > 0)
            budget->match = &told->match;
        if (budget->override_count > 0)
            budget->overrides = told->overrides;
    }
}

static struct budget *add_budget(struct world *world, struct told *told, size_t *count, int kind)
{
    struct budget *budget = &told->budgets[*count];
    snprintf(told->names[*count], sizeof(told->names[0]), "%c%d", 'a' + kind,
             (int)below(world, 10));
    *budget = definition_of(world, kind);
    budget->buffer_bp = chance(world, 20) ? 700 : 0;
    budget->match_count = kind == 6 ? 1 : 0;
    budget->override_count = kind == 2 ? (size_t)below(world, 3) : 0;
    ++*count;
    return budget;
}

/* A kind's units may stand in one budget or in several; unless overrides limit units of their own.
 */
static void add_kind(struct world *world, struct told *told, size_t *count, int kind)
{
    static const int64_t most[UNIT_COUNT] = {3000, 2000, 40};
    struct budget *budget = NULL;
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        if (!chance(world, 45) || (kind == 7 && unit != UNIT_USD))
            continue;
        bool splits = kind != 2 && chance(world, 30);
        if (budget == NULL || (splits && *count < MOST_BUDGETS - KINDS))
            budget = add_budget(world, told, count, kind);
        budget->limit[unit] = chance(world, 10) ? 0 : below(world, most[unit]);
    }
}

static void random_options(struct world *world, struct told *told)
{
    size_t count = 0;
    int first = (int)below(world, KINDS);
    *told = (struct told){.match = {SCOPE_KEY, TEXT("al*")},
                          .overrides = {{TEXT("sales"), {900, LIMIT_NONE, LIMIT_NONE}},
                                        {TEXT("research"), {LIMIT_NONE, 700, LIMIT_NONE}}}};
    for (int i = 0; i < KINDS; i++) {
        if (chance(world, 60))
            add_kind(world, told, &count, (first + i * 3) % KINDS);
    }
    point(told, count);
    world->options = (struct core_options){.budget_count = count,
                                           .clamp = (enum clamp)below(world, 3),
                                           .min_output_tokens = below(world, 20),
                                           .max_waiting = (size_t)below(world, MOST_ASKS),
                                           .max_accounts = MOST_PAGES};
    world->in_force = *told;
    point(&world->in_force, count);
}

static struct told *tell(struct world *world)
{
    struct told *told = memory_new(sizeof(*told));
    random_options(world, told);
    world->options.budgets = told->budgets;
    return told;
}

/* ---- the books ---- */

static size_t page_of(struct world *world, struct text budget, enum unit unit, struct text id,
                      const char *window)
{
    struct page *page = world->pages;
    for (size_t at = 0; at < world->page_count; at++, page++) {
        if (page->kind == budget.at[0] && page->unit == unit && text_equal(text_of(page->id), id) &&
            strcmp(page->window, window) == 0)
            return at;
    }
    ck_assert_uint_lt(world->page_count, MOST_PAGES);
    page->kind = budget.at[0];
    page->unit = unit;
    memcpy(page->id, id.at, id.size);
    snprintf(page->window, sizeof(page->window), "%s", window);
    return world->page_count++;
}

static const struct budget *budget_of(const struct world *world, char kind, enum unit unit,
                                      struct text id)
{
    for (size_t at = 0; at < world->options.budget_count; at++) {
        const struct budget *budget = &world->in_force.budgets[at];
        if (budget->name.at[0] == kind && budget_limit_enforced(budget, unit, id) != LIMIT_NONE)
            return budget;
    }
    return NULL;
}

static bool is_shown(const struct world *world, const struct page *page)
{
    for (size_t at = 0; at < world->view_count; at++) {
        const struct account_view *view = &world->views[at];
        if (view->budget.at[0] == page->kind && view->unit == page->unit &&
            strcmp(view->id, page->id) == 0 && strcmp(view->window.id, page->window) == 0)
            return true;
    }
    return false;
}

static bool must_be_shown(const struct world *world, const struct page *page)
{
    const struct budget *budget = budget_of(world, page->kind, page->unit, text_of(page->id));
    if (budget == NULL)
        return false;
    struct window now = window_at(budget->window, budget->zone, world->now_s);
    return page->held > 0 || (page->spent > 0 && strcmp(now.id, page->window) == 0);
}

static void check_books(struct world *world)
{
    world->view_count = core_view(world->core, NULL, true, world->now_s, world->views, MOST_PAGES);
    for (size_t at = 0; at < world->view_count; at++) {
        const struct account_view *view = &world->views[at];
        if (view->scope == SCOPE_REQUEST)
            continue;
        struct text id = text_of(view->id);
        const struct page *page =
            &world->pages[page_of(world, view->budget, view->unit, id, view->window.id)];
        const struct budget *budget = budget_of(world, page->kind, page->unit, id);
        ck_assert_int_eq(view->spent, page->spent);
        ck_assert_int_eq(view->held, page->held);
        ck_assert_ptr_nonnull(budget);
        ck_assert_int_eq(view->limit, budget_limit_enforced(budget, view->unit, id));
    }
    for (size_t at = 0; at < world->page_count; at++) {
        if (must_be_shown(world, &world->pages[at]))
            ck_assert(is_shown(world, &world->pages[at]));
    }
    ck_assert_uint_eq(core_open_holds(world->core), world->hold_count);
    ck_assert_uint_eq(core_waiting(world->core), world->waiter_count);
}

/* ---- traffic ---- */

static void take_grant(struct world *world, const struct ask *ask)
{
    const struct grant *grant = &world->grant;
    if (grant->verdict != VERDICT_GRANTED || grant->hold == 0)
        return;
    struct held *held = &world->holds[world->hold_count++];
    *held = (struct held){.hold = grant->hold,
                          .bound = ask->bound,
                          .held_output = grant->held_output,
                          .max_output = grant->max_output,
                          .count = grant->charge_count};
    for (size_t at = 0; at < grant->charge_count; at++) {
        const struct charge *charge = &grant->charges[at];
        const struct budget *budget =
            budget_of(world, charge->budget.at[0], charge->unit, charge->id);
        held->pages[at] = page_of(world, charge->budget, charge->unit, charge->id, charge->window);
        held->amounts[at] = charge->amount;
        struct page *page = &world->pages[held->pages[at]];
        ck_assert(page->number == 0 || page->number == charge->account);
        page->number = charge->account;
        page->held += charge->amount;
        ck_assert_ptr_nonnull(budget);
        ck_assert(charge->amount == 0 ||
                  page->spent + page->held <=
                      budget_limit_enforced(budget, charge->unit, charge->id));
    }
}

static void ask(struct world *world, const struct asker *asker)
{
    struct asker given = *asker;
    given.ask.subject = &given.subject;
    given.ask.now_s = world->now_s;
    core_reserve(world->core, &given.ask, &world->grant);
    ck_assert_int_ne(world->grant.verdict, VERDICT_AGAIN);
    take_grant(world, &given.ask);
    if (world->grant.verdict != VERDICT_WAIT)
        return;
    given.waiter = world->grant.waiter;
    world->waiters[world->waiter_count++] = given;
}

static void remove_waiter(struct world *world, size_t at)
{
    world->waiter_count--;
    memmove(&world->waiters[at], &world->waiters[at + 1],
            (world->waiter_count - at) * sizeof(world->waiters[0]));
}

/* Those of them that are to ask anew; the order of the others is the core's. */
static size_t take_wakes(struct world *world, struct asker again[MOST_ASKS])
{
    struct cookie cookie;
    size_t count = 0;
    while (core_next_wake(world->core, &cookie, &world->grant)) {
        size_t at = 0;
        while (at < world->waiter_count && world->waiters[at].number != cookie.number)
            at++;
        ck_assert_uint_lt(at, world->waiter_count);
        if (world->grant.verdict == VERDICT_AGAIN) {
            ck_assert_uint_eq(at, 0);
            again[count++] = world->waiters[at];
        }
        struct ask asked = world->waiters[at].ask;
        remove_waiter(world, at);
        take_grant(world, &asked);
    }
    return count;
}

static void step_ask(struct world *world)
{
    static const char *const keys[] = {"alice", "bob"};
    static const char *const teams[] = {"research", "sales", "support"};
    static const char *const users[] = {"u1", "u2", "u3", "u4"};
    static const char *const tags[] = {"red", "green"};
    if (world->hold_count + world->waiter_count == MOST_ASKS)
        return;
    struct asker asker = {.number = ++world->last_number};
    struct subject *subject = &asker.subject;
    subject->id[SCOPE_GLOBAL] = TEXT("all");
    subject->id[SCOPE_KEY] = text_of(keys[below(world, 2)]);
    subject->id[SCOPE_TEAM] = text_of(teams[below(world, 3)]);
    subject->id[SCOPE_USER] = text_of(users[below(world, 4)]);
    subject->tag_count = (size_t)below(world, 3);
    for (size_t at = 0; at < subject->tag_count; at++)
        subject->tags[at] = text_of(tags[at]);
    asker.ask = (struct ask){.price = &world->price,
                             .bound = {.input_tokens = below(world, 40), .choices = 1},
                             .wanted_output = below(world, 300),
                             .named = chance(world, 60),
                             .slice_tokens = chance(world, 60) ? 1 + below(world, 60) : 0,
                             .cookie = {.owner = world, .number = asker.number}};
    ask(world, &asker);
}

static void step_settle(struct world *world)
{
    if (world->hold_count == 0)
        return;
    size_t at = (size_t)below(world, (int64_t)world->hold_count);
    struct held held = world->holds[at];
    struct spend used = {{below(world, 300), below(world, 300), below(world, 3)}};
    if (below(world, 200) == 0)
        used.amount[below(world, UNIT_COUNT)] = COUNTED_MOST - below(world, 1000);
    world->holds[at] = world->holds[--world->hold_count];
    for (size_t i = 0; i < held.count; i++) {
        struct page *page = &world->pages[held.pages[i]];
        page->held -= held.amounts[i];
        page->spent += used.amount[page->unit];
        page->spent = page->spent < COUNTED_MOST ? page->spent : COUNTED_MOST;
    }
    core_settle(world->core, held.hold, &used, NULL);
}

static void step_end_wait(struct world *world)
{
    if (world->waiter_count == 0)
        return;
    size_t at = (size_t)below(world, (int64_t)world->waiter_count);
    struct ask asked = world->waiters[at].ask;
    uint64_t waiter = world->waiters[at].waiter;
    remove_waiter(world, at);
    if (chance(world, 50)) {
        ck_assert(core_leave(world->core, waiter));
        return;
    }
    ck_assert(core_time_is_up(world->core, waiter, world->now_s, &world->grant));
    take_grant(world, &asked);
}

static int64_t need_of(const struct world *world, const struct held *held, enum unit unit,
                       int64_t output)
{
    if (unit == UNIT_REQUESTS)
        return 1;
    if (unit == UNIT_TOKENS)
        return bound_tokens(&held->bound, output);
    return price_bound(&world->price, &held->bound, output).nano;
}

/* By the limits of now: those of the admission do not count, and what has none does not either. */
static enum verdict expected_extension(const struct world *world, const struct held *held,
                                       int64_t output)
{
    enum verdict verdict = VERDICT_GRANTED;
    for (size_t i = 0; i < held->count; i++) {
        const struct page *page = &world->pages[held->pages[i]];
        const struct budget *budget = budget_of(world, page->kind, page->unit, text_of(page->id));
        int64_t need = need_of(world, held, page->unit, output);
        int64_t more = need - held->amounts[i];
        if (budget == NULL || more == 0)
            continue;
        int64_t left = budget_limit_enforced(budget, page->unit, text_of(page->id)) - page->spent;
        if (more <= left - page->held)
            continue;
        if (need > left)
            return VERDICT_EXHAUSTED;
        verdict = VERDICT_CONTENTION;
    }
    return verdict;
}

static void take_extension(struct world *world, struct held *held, int64_t output)
{
    const struct grant *grant = &world->grant;
    ck_assert_uint_eq(grant->hold, held->hold);
    ck_assert_int_eq(grant->held_output, output);
    ck_assert_int_eq(grant->max_output, held->max_output);
    ck_assert_uint_eq(grant->charge_count, held->count);
    held->held_output = output;
    for (size_t i = 0; i < held->count; i++) {
        const struct charge *charge = &grant->charges[i];
        struct page *page = &world->pages[held->pages[i]];
        ck_assert_uint_eq(charge->account, page->number);
        ck_assert_int_eq(charge->budget.at[0], page->kind);
        ck_assert_int_eq(charge->amount, need_of(world, held, page->unit, output));
        page->held += charge->amount - held->amounts[i];
        held->amounts[i] = charge->amount;
    }
}

static void step_extend(struct world *world)
{
    if (world->hold_count == 0)
        return;
    struct held *held = &world->holds[below(world, (int64_t)world->hold_count)];
    int64_t output = below(world, held->max_output * 5 / 4 + 2);
    int64_t goal = output < held->max_output ? output : held->max_output;
    goal = goal > held->held_output ? goal : held->held_output;
    core_extend(world->core, held->hold, output, &world->grant);
    ck_assert_int_eq(world->grant.verdict, expected_extension(world, held, goal));
    if (world->grant.verdict == VERDICT_GRANTED)
        take_extension(world, held, goal);
    else
        ck_assert_uint_eq(world->grant.charge_count, 0);
}

static void step_redefine(struct world *world)
{
    struct told *told = tell(world);
    core_redefine(world->core, &world->options);
    free(told);
    world->options.budgets = NULL;
}

static void step(struct world *world)
{
    struct asker again[MOST_ASKS];
    int64_t what = below(world, 100);
    world->now_s += below(world, 60);
    if (what < 42)
        step_ask(world);
    else if (what < 60)
        step_extend(world);
    else if (what < 82)
        step_settle(world);
    else if (what < 90)
        step_end_wait(world);
    else
        step_redefine(world);
    size_t count = take_wakes(world, again);
    check_books(world);
    for (size_t at = 0; at < count; at++)
        ask(world, &again[at]);
    ck_assert_uint_eq(take_wakes(world, again), 0);
    check_books(world);
}

static void run(uint64_t seed)
{
    struct world *world = memory_new(sizeof(*world));
    world->random = seed;
    world->now_s = INT64_C(1795262400) + below(world, 86400);
    world->zone = zone_open(NULL, TEXT("UTC"), NULL);
    world->price.tier_count = 1;
    world->price.tiers[0].above_input_tokens = -1;
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++)
        world->price.tiers[0].rates.pico[bucket] = 1000 + bucket * 200;
    struct told *told = tell(world);
    world->core = core_open(&world->options);
    free(told);
    for (int i = 0; i < STEPS; i++)
        step(world);
    while (world->hold_count > 0) {
        struct asker again[MOST_ASKS];
        step_settle(world);
        take_wakes(world, again);
        check_books(world);
    }
    ck_assert_uint_eq(core_waiting(world->core), 0);
    core_close(world->core);
    zone_close(world->zone);
    free(world);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    int64_t number = 0;
    return value != NULL && text_to_int(text_of(value), &number) ? (uint64_t)number : otherwise;
}

START_TEST(redefinitions_in_the_middle_of_traffic_lose_nothing)
{
    uint64_t first = from_environment("SEED", 1);
    uint64_t count = getenv("SEED") != NULL ? 1 : from_environment("SEEDS", 15);
    for (uint64_t seed = first; seed < first + count; seed++)
        run(seed);
}
END_TEST

UNIT_MAIN(redefinitions_in_the_middle_of_traffic_lose_nothing)
