/*
 * What the accounts of each budget are together: for metrics, and for whether anything could be
 * admitted while nobody lets ceilings grow.
 */
#include "budget/core_state.h"
#include "budget/headroom.h"

#include <stdlib.h>

static bool is_of(const struct restored *restored, size_t budget, const struct window *window,
                  int64_t now_s)
{
    return restored->budget == budget && now_s <= restored->until_s &&
           memcmp(restored->window, window->id, sizeof(window->id)) == 0;
}

/* ---- sums ---- */

static void add(int64_t *sum, int64_t amount)
{
    *sum = account_add(*sum, amount, ACCOUNT_MOST);
}

static void add_account(struct budget_sum *sums, const struct account *account)
{
    struct budget_sum *sum = &sums[account->unit];
    add(&sum->spent, account->spent);
    add(&sum->held, account->held);
    add(&sum->ceiling, account->ceiling);
    add(&sum->forfeited, account->forfeited);
    add(&sum->overdraft, account->overdraft);
}

static void add_restored(struct budget_sum *sums, const struct restored *restored)
{
    struct budget_sum *sum = &sums[restored->unit];
    add(&sum->spent, restored->amount);
    add(&sum->ceiling, restored->ceiling);
    add(&sum->forfeited, restored->forfeited);
    add(&sum->overdraft, restored->overdraft);
}

static bool counts(const struct account *account, const struct window *window)
{
    if (account->group == NULL)
        return account->window.start_s == window->start_s;
    return window_rolled(&account->window, window) <= WINDOW_ROLLING_BUCKETS;
}

/* Of one budget, by unit. */
struct sums {
    struct window window;
    struct budget_sum units[UNIT_COUNT];
};

static void begin(struct core *core, void *context)
{
    struct survey *survey = context;
    int64_t now_s = core_believes_s(core, survey->now_s);
    free(survey->all);
    survey->all = memory_new((core->options.budget_count + 1) * sizeof(*survey->all));
    for (size_t at = 0; at < core->options.budget_count; at++)
        survey->all[at].window = accounts_window(&core->accounts, at, now_s);
}

static void sum_account(struct core *core, struct account *account, void *context)
{
    struct survey *survey = context;
    struct sums *sums = &survey->all[account->budget];
    (void)core;
    if (counts(account, &sums->window))
        add_account(sums->units, account);
}

static void sum_restored(struct core *core, uint64_t number, struct restored *restored,
                         void *context)
{
    struct survey *survey = context;
    int64_t now_s = core_believes_s(core, survey->now_s);
    size_t budget = restored->budget;
    if (budget >= core->options.budget_count)
        return;
    struct sums *sums = &survey->all[budget];
    bool of_window = core->accounts.lanes[budget].rolling
                         ? group_restored_counts(restored, number, &sums->window, now_s)
                         : is_of(restored, budget, &sums->window, now_s);
    if (of_window)
        add_restored(sums->units, restored);
}

static void put_sums(const struct core *core, struct survey *survey)
{
    for (size_t at = 0; at < core->options.budget_count; at++) {
        const struct budget *budget = &core->options.budgets[at];
        for (int unit = 0; unit < UNIT_COUNT && survey->count < survey->most; unit++) {
            if (budget->scope == SCOPE_REQUEST || !core->accounts.lanes[at].limits[unit])
                continue;
            struct budget_sum *sum = &survey->sums[survey->count++];
            *sum = survey->all[at].units[unit];
            sum->budget = budget->name;
            sum->scope = budget->scope;
            sum->unit = (enum unit)unit;
        }
    }
}

bool core_survey(struct core *core, struct survey *survey, size_t portion)
{
    const struct tour_visitor visitor = {
        .begin = begin, .account = sum_account, .restored = sum_restored, .context = survey};
    if (survey->sums == NULL)
        return view_survey(core, survey, portion);
    if (tour_go_on(core, &survey->tour, &visitor, portion))
        return true;
    put_sums(core, survey);
    return false;
}

size_t core_sums(struct core *core, int64_t now_s, struct budget_sum *sums, size_t most)
{
    struct survey survey = {.now_s = now_s, .sums = sums, .most = most};
    bool more = core_survey(core, &survey, SIZE_MAX);
    ASSERT(!more);
    survey_end(&survey);
    return survey.count;
}

/* ---- room ---- */

static bool concerns_all(const struct budget *budget)
{
    static const bool each_call_has[SCOPE_COUNT] = {
        [SCOPE_GLOBAL] = true, [SCOPE_KEY] = true,      [SCOPE_SESSION] = true,
        [SCOPE_MODEL] = true,  [SCOPE_UPSTREAM] = true, [SCOPE_SERVICE] = true,
    };
    return budget->match_count == 0 && each_call_has[budget->scope];
}

/* Of one budget: in which units room is still to be found. */
struct room_need {
    struct window window;
    bool of[UNIT_COUNT];
    bool seen[UNIT_COUNT]; /* it has an account in that window */
};

static void begin_room(struct core *core, void *context)
{
    struct room_look *room = context;
    int64_t now_s = core_believes_s(core, room->now_s);
    free(room->needs);
    room->needs = memory_new((core->options.budget_count + 1) * sizeof(*room->needs));
    room->missing = 0;
    for (size_t at = 0; at < core->options.budget_count; at++) {
        struct room_need *need = &room->needs[at];
        need->window = accounts_window(&core->accounts, at, now_s);
        for (int unit = 0; unit < UNIT_COUNT; unit++) {
            need->of[unit] =
                core->accounts.lanes[at].limits[unit] && concerns_all(&core->options.budgets[at]);
            room->missing += need->of[unit] ? 1 : 0;
        }
    }
}

static void note_found(struct room_look *room, size_t budget, enum unit unit)
{
    room->needs[budget].of[unit] = false;
    room->missing--;
}

/* Without a store, as far as its budget lets it; unless that was too little for who asked last. */
static bool goes_on_alone(const struct core *core, const struct account *account)
{
    const struct growing *growing = &account->growing;
    return headroom_overdraws(core, account) && !(growing->refused && growing->refused_alone);
}

static void look_at_account(struct core *core, struct account *account, void *context)
{
    struct room_look *room = context;
    struct room_need *need = &room->needs[account->budget];
    bool old = account->growing.era != core->accounts.era || room->now_s >= core->apart_s;
    bool shut = account->idle_s > 0 && old;
    if (!need->of[account->unit] || account->window.start_s != need->window.start_s)
        return;
    need->seen[account->unit] = true;
    if ((!shut && account_free(account) > 0 && !account->growing.refused) ||
        goes_on_alone(core, account))
        note_found(room, account->budget, account->unit);
}

/* What an account that is to appear may have without a store, of which so much was used before. */
static bool may_begin_alone(const struct core *core, const struct room_look *room, size_t at,
                            int64_t used)
{
    const struct budget *budget = &core->options.budgets[at];
    bool apart = budget->scope == SCOPE_SESSION && room->now_s >= core->apart_s;
    return core->alone && budget->window != WINDOW_ROLLING && !apart &&
           budget->away_open - used >= core->options.usd_step;
}

/* There is always another session; another key mostly not. */
static void look_at_unseen(const struct core *core, struct room_look *room)
{
    for (size_t at = 0; at < core->options.budget_count; at++) {
        const struct room_need *need = &room->needs[at];
        bool another = core->options.budgets[at].scope == SCOPE_SESSION || !need->seen[UNIT_USD];
        if (need->of[UNIT_USD] && another && may_begin_alone(core, room, at, 0))
            note_found(room, at, UNIT_USD);
    }
}

/* What the journal has of a session is given back before the session is used. */
static bool is_of_before(const struct core *core, size_t budget)
{
    const struct budget *definition = &core->options.budgets[budget];
    return core->accounts.era != 0 && definition->scope == SCOPE_SESSION &&
           definition->window != WINDOW_ROLLING;
}

static void look_at_restored(struct core *core, uint64_t number, struct restored *restored,
                             void *context)
{
    struct room_look *room = context;
    size_t budget = restored->budget;
    (void)number;
    if (budget >= core->options.budget_count || !room->needs[budget].of[restored->unit])
        return;
    if (!is_of(restored, budget, &room->needs[budget].window, core_believes_s(core, room->now_s)))
        return;
    room->needs[budget].seen[restored->unit] = true;
    if ((restored->ceiling > restored->amount && !is_of_before(core, budget)) ||
        (restored->unit == UNIT_USD && may_begin_alone(core, room, budget, restored->overdraft)))
        note_found(room, budget, restored->unit);
}

bool core_look_for_room(struct core *core, struct room_look *room, size_t portion)
{
    const struct tour_visitor visitor = {.begin = begin_room,
                                         .account = look_at_account,
                                         .restored = look_at_restored,
                                         .context = room};
    if (core->options.leased && tour_go_on(core, &room->tour, &visitor, portion) &&
        room->missing > 0)
        return true;
    tour_end(core, &room->tour);
    if (room->needs != NULL)
        look_at_unseen(core, room);
    free(room->needs);
    room->needs = NULL;
    room->has = room->missing == 0;
    return false;
}

bool core_has_room(struct core *core, int64_t now_s)
{
    struct room_look room = {.now_s = now_s};
    bool more = core_look_for_room(core, &room, SIZE_MAX);
    ASSERT(!more);
    return room.has;
}
