/*
 * What people see of the accounts: GET /budget, the account that refused, the tightest one.
 */
#include "budget/core_state.h"

#include <stdlib.h>

static void copy_id(struct account_view *view, struct text id)
{
    ASSERT(id.size <= SUBJECT_MAX_ID);
    if (id.size > 0)
        memcpy(view->id, id.at, id.size);
    view->id[id.size] = 0;
}

static void view_limit(const struct core *core, const struct account_key *key,
                       struct account_view *view)
{
    const struct budget *budget = &core->options.budgets[key->budget];
    view->budget = budget->name;
    view->scope = budget->scope;
    view->unit = key->unit;
    view->window = *key->window;
    view->resets_s = key->window->end_s;
    view->limit = accounts_limit(&core->accounts, key->budget, key->unit, key->id);
    view->limit_configured = budget_limit_configured(budget, key->unit, key->id);
    view->spent = 0;
    view->held = 0;
    bool leased = core->options.leased && budget->scope != SCOPE_REQUEST;
    view->ceiling = leased ? 0 : view->limit;
    view->elsewhere = 0;
    view->forfeited = 0;
    view->overdraft = 0;
    copy_id(view, key->id);
}

/* The window that is shown is what counts. */
static void view_rolling(const struct core *core, const struct account_key *key, int64_t now_s,
                         struct account_view *view)
{
    const struct window *window = key->window;
    struct group_view all;
    group_view(&core->accounts, key, now_s, &all);
    view_limit(core, key, view);
    view->window.start_s -= WINDOW_ROLLING_BUCKETS * (window->end_s - window->start_s);
    view->window.end_s = now_s < window->start_s ? window->start_s : now_s;
    view->resets_s = group_falls_s(&core->accounts, key, now_s, 1);
    view->spent = all.spent;
    view->held = all.held;
    view->ceiling = core->options.leased ? all.ceiling : view->limit;
    view->elsewhere = all.elsewhere;
    view->forfeited = all.forfeited;
}

static struct account_key key_of(const struct account *account)
{
    return (struct account_key){.budget = account->budget,
                                .unit = account->unit,
                                .id = account->id,
                                .window = &account->window};
}

void view_refusal(const struct core *core, const struct account *account, int64_t lack,
                  struct account_view *view)
{
    const struct account_key key = key_of(account);
    view_account(core, account, view);
    if (account->group != NULL && lack > 0)
        view->resets_s = group_falls_s(&core->accounts, &key, core->now_s, lack);
}

void view_account(const struct core *core, const struct account *account, struct account_view *view)
{
    const struct account_key key = key_of(account);
    if (account->group != NULL) {
        view_rolling(core, &key, core->now_s, view);
        return;
    }
    view_limit(core, &key, view);
    view->spent = account->spent;
    view->held = account->held;
    view->ceiling = account->ceiling;
    view->elsewhere = account->elsewhere_spent;
    view->forfeited = account->forfeited;
    view->overdraft = account->overdraft;
}

void view_request(const struct core *core, size_t budget, enum unit unit, struct account_view *view)
{
    struct window window = {.kind = WINDOW_TOTAL, .end_s = WINDOW_FOREVER, .id = "request"};
    struct account_key key = {.budget = budget, .unit = unit, .window = &window};
    view_limit(core, &key, view);
}

void view_own(enum unit unit, int64_t limit, struct account_view *view)
{
    *view = (struct account_view){
        .scope = SCOPE_REQUEST,
        .unit = unit,
        .window = {.kind = WINDOW_TOTAL, .end_s = WINDOW_FOREVER, .id = "request"},
        .resets_s = WINDOW_FOREVER,
        .limit = limit,
        .limit_configured = limit};
}

void view_absent(const struct core *core, const struct account_key *key,
                 const struct restored *restored, struct account_view *view)
{
    if (core->accounts.lanes[key->budget].rolling) {
        view_rolling(core, key, core->now_s, view);
        return;
    }
    view_limit(core, key, view);
    if (restored == NULL)
        return;
    view->spent = restored->amount;
    view->forfeited = restored->forfeited;
    view->overdraft = restored->overdraft;
    if (core->accounts.leased)
        view->ceiling = restored->ceiling;
}

/* ---- GET /budget ---- */

struct viewer {
    const struct core *core;
    const struct subject *subject; /* NULL: everything */
    int64_t now_s;
    struct account_view *views;
    size_t count, most;
    struct table *groups; /* that were shown, by number; the values say nothing */
};

static struct account_view *next_view(struct viewer *viewer)
{
    return viewer->count < viewer->most ? &viewer->views[viewer->count++] : NULL;
}

static bool is_in_use(const struct account *account, const struct window *window)
{
    return account->held > 0 || account->window.start_s == window->start_s;
}

/* Whether the subject would touch the account if it called that model, upstream or service. */
static bool would_apply(const struct viewer *viewer, const struct account *account)
{
    const struct budget *budget = &viewer->core->options.budgets[account->budget];
    if (viewer->subject == NULL)
        return true;
    struct subject subject = *viewer->subject;
    subject.id[budget->scope] = account->id;
    return budget_applies(budget, &subject);
}

static bool is_rolling(const struct viewer *viewer, size_t budget)
{
    return viewer->core->accounts.lanes[budget].rolling;
}

/* True once of each group: while a survey goes on further sub-buckets may begin. */
static bool is_new_group(struct viewer *viewer, uint64_t number)
{
    uint64_t group = charge_group(number);
    struct text key = text_make((const char *)&group, sizeof(group));
    return table_put(viewer->groups, key, viewer) == NULL;
}

/* A group is one line, whichever of its sub-buckets there are. */
static void show_group(struct viewer *viewer, const struct account_key *key)
{
    const struct budget *budget = &viewer->core->options.budgets[key->budget];
    if (budget_limit_enforced(budget, key->unit, key->id) == LIMIT_NONE)
        return;
    struct account_view *view = next_view(viewer);
    if (view != NULL)
        view_rolling(viewer->core, key, viewer->now_s, view);
}

static void show_sub_bucket(struct viewer *viewer, const struct account *account,
                            const struct window *window)
{
    struct account_key key = key_of(account);
    bool counts = window_rolled(&account->window, window) <= WINDOW_ROLLING_BUCKETS;
    key.window = window;
    if (counts && would_apply(viewer, account) && is_new_group(viewer, account->number))
        show_group(viewer, &key);
}

static void show_account(struct viewer *viewer, const struct account *account,
                         const struct window *window)
{
    if (is_rolling(viewer, account->budget)) {
        show_sub_bucket(viewer, account, window);
        return;
    }
    bool shows = is_in_use(account, window) && would_apply(viewer, account);
    struct account_view *view = shows ? next_view(viewer) : NULL;
    if (view != NULL)
        view_account(viewer->core, account, view);
}

static void show_accounts(struct viewer *viewer, size_t budget, const struct window *window)
{
    const struct account *account = viewer->core->accounts.lanes[budget].first;
    for (; account != NULL; account = account->next)
        show_account(viewer, account, window);
}

static void show_absent(struct viewer *viewer, const struct account_key *key,
                        const struct restored *restored)
{
    const struct budget *budget = &viewer->core->options.budgets[key->budget];
    if (budget_limit_enforced(budget, key->unit, key->id) == LIMIT_NONE)
        return;
    struct account_view *view = next_view(viewer);
    if (view != NULL)
        view_absent(viewer->core, key, restored, view);
}

static bool shows_restored(struct viewer *viewer, const struct restored *restored, uint64_t number,
                           const struct window *window)
{
    if (viewer->now_s > restored->until_s)
        return false;
    if (!is_rolling(viewer, restored->budget))
        return memcmp(restored->window, window->id, sizeof(window->id)) == 0;
    return group_restored_counts(restored, number, window, viewer->now_s) &&
           is_new_group(viewer, number);
}

static void show_id(struct viewer *viewer, struct account_key *key)
{
    const struct core *core = viewer->core;
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        key->unit = (enum unit)unit;
        if (is_rolling(viewer, key->budget)) {
            show_group(viewer, key);
            continue;
        }
        const struct account *account = accounts_find(&core->accounts, key);
        if (account == NULL) {
            show_absent(viewer, key, accounts_restored(&core->accounts, key, viewer->now_s));
            continue;
        }
        struct account_view *view = next_view(viewer);
        if (view != NULL)
            view_account(core, account, view);
    }
}

static void show_requests(struct viewer *viewer, size_t budget)
{
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        if (viewer->core->options.budgets[budget].limit[unit] == LIMIT_NONE)
            continue;
        struct account_view *view = next_view(viewer);
        if (view != NULL)
            view_request(viewer->core, budget, (enum unit)unit, view);
    }
}

static void show_subject(struct viewer *viewer, size_t at, const struct window *window)
{
    const struct budget *budget = &viewer->core->options.budgets[at];
    bool called = budget->scope == SCOPE_MODEL || budget->scope == SCOPE_UPSTREAM ||
                  budget->scope == SCOPE_SERVICE;
    if (called && viewer->subject->id[budget->scope].size == 0) {
        show_accounts(viewer, at, window);
        return;
    }
    if (!budget_applies(budget, viewer->subject))
        return;
    struct text ids[SUBJECT_MAX_TAGS];
    size_t count = subject_ids(budget, viewer->subject, ids);
    for (size_t id = 0; id < count; id++) {
        struct account_key key = {.budget = at, .id = ids[id], .window = window};
        show_id(viewer, &key);
    }
}

size_t core_view(struct core *core, const struct subject *subject, bool everything, int64_t now_s,
                 struct account_view *views, size_t most)
{
    if (everything) {
        struct survey survey = {.now_s = now_s, .views = views, .most = most};
        bool more = core_survey(core, &survey, SIZE_MAX);
        ASSERT(!more);
        survey_end(&survey);
        return survey.count;
    }
    struct table groups = {0};
    struct viewer viewer = {.core = core,
                            .subject = subject,
                            .now_s = core_believes_s(core, now_s),
                            .views = views,
                            .most = most,
                            .groups = &groups};
    for (size_t at = 0; at < core->options.budget_count; at++) {
        const struct budget *budget = &core->options.budgets[at];
        struct window window = accounts_window(&core->accounts, at, viewer.now_s);
        if (budget->scope != SCOPE_REQUEST)
            show_subject(&viewer, at, &window);
        else if (budget_applies(budget, subject))
            show_requests(&viewer, at);
    }
    table_close(&groups);
    return viewer.count;
}

/* ---- everything ---- */

static struct viewer viewer_of(const struct core *core, struct survey *survey)
{
    return (struct viewer){.core = core,
                           .now_s = core_believes_s(core, survey->now_s),
                           .views = survey->views,
                           .count = survey->count,
                           .most = survey->most,
                           .groups = &survey->groups};
}

/* What was shown since is of this budget. */
static void note_shown(struct survey *survey, const struct viewer *viewer, size_t budget)
{
    while (survey->count < viewer->count)
        survey->places[survey->count++] = budget;
}

/* What has one id is shown used or not. */
static void begin(struct core *core, void *context)
{
    struct survey *survey = context;
    survey->count = 0;
    table_close(&survey->groups);
    size_t budgets = core->options.budget_count;
    struct viewer viewer = viewer_of(core, survey);
    if (survey->places == NULL)
        survey->places = memory_new((survey->most + 1) * sizeof(*survey->places));
    survey->windows = memory_resize(survey->windows, (budgets + 1) * sizeof(*survey->windows));
    for (size_t at = 0; at < budgets; at++) {
        enum scope scope = core->options.budgets[at].scope;
        survey->windows[at] = accounts_window(&core->accounts, at, viewer.now_s);
        struct account_key key = {.budget = at, .id = TEXT("all"), .window = &survey->windows[at]};
        if (scope == SCOPE_REQUEST)
            show_requests(&viewer, at);
        else if (scope == SCOPE_GLOBAL)
            show_id(&viewer, &key);
        note_shown(survey, &viewer, at);
    }
}

static void survey_account(struct core *core, struct account *account, void *context)
{
    struct survey *survey = context;
    struct viewer viewer = viewer_of(core, survey);
    size_t budget = account->budget;
    bool one = core->options.budgets[budget].scope == SCOPE_GLOBAL;
    const struct window *window = &survey->windows[budget];
    /* Of that id what earlier windows still hold. */
    if (one && (is_rolling(&viewer, budget) || account->window.start_s == window->start_s))
        return;
    show_account(&viewer, account, window);
    note_shown(survey, &viewer, budget);
}

static void survey_restored(struct core *core, uint64_t number, struct restored *restored,
                            void *context)
{
    struct survey *survey = context;
    struct viewer viewer = viewer_of(core, survey);
    size_t budget = restored->budget;
    if (budget >= core->options.budget_count || core->options.budgets[budget].scope == SCOPE_GLOBAL)
        return;
    struct account_key key = {.budget = budget,
                              .unit = restored->unit,
                              .id = text_of(restored->id),
                              .window = &survey->windows[budget]};
    if (!shows_restored(&viewer, restored, number, key.window))
        return;
    show_absent(&viewer, &key, restored);
    note_shown(survey, &viewer, budget);
}

bool view_survey(struct core *core, struct survey *survey, size_t portion)
{
    const struct tour_visitor visitor = {
        .begin = begin, .account = survey_account, .restored = survey_restored, .context = survey};
    bool more = tour_go_on(core, &survey->tour, &visitor, portion);
    if (more && survey->count < survey->most)
        return true;
    tour_end(core, &survey->tour);
    return false;
}

/* In the order of the budgets, and of being found. */
static void sort(struct survey *survey)
{
    struct account_view *sorted = memory_new((survey->count + 1) * sizeof(*sorted));
    size_t last = 0, count = 0;
    for (size_t at = 0; at < survey->count; at++)
        last = survey->places[at] > last ? survey->places[at] : last;
    for (size_t budget = 0; budget <= last; budget++) {
        for (size_t at = 0; at < survey->count; at++) {
            if (survey->places[at] == budget)
                sorted[count++] = survey->views[at];
        }
    }
    memcpy(survey->views, sorted, count * sizeof(*sorted));
    free(sorted);
}

void survey_end(struct survey *survey)
{
    if (survey->places != NULL)
        sort(survey);
    free(survey->places);
    free(survey->windows);
    free(survey->all);
    table_close(&survey->groups);
    survey->places = NULL;
    survey->windows = NULL;
    survey->all = NULL;
}

/* ---- the tightest ---- */

/* What is left, holds taken off, of an account that may not have appeared yet; INT64_MAX: it is not
 * limited. */
static int64_t left_on(const struct core *core, const struct account_key *key, int64_t now_s)
{
    const struct account *account = accounts_find(&core->accounts, key);
    int64_t limit = accounts_limit(&core->accounts, key->budget, UNIT_USD, key->id);
    struct group_view all;
    if (limit != LIMIT_NONE && core->accounts.lanes[key->budget].rolling) {
        group_view(&core->accounts, key, now_s, &all);
        return limit - all.elsewhere - all.spent - all.held;
    }
    if (account != NULL)
        return account_left(account) - account->held;
    const struct restored *restored = accounts_restored(&core->accounts, key, now_s);
    if (limit == LIMIT_NONE)
        return INT64_MAX;
    return restored == NULL ? limit : limit - restored->amount;
}

struct tightest {
    struct account_key key;
    struct window window;
    int64_t left; /* INT64_MAX: none found */
};

static void look_at(const struct core *core, const struct account_key *key, int64_t now_s,
                    struct tightest *tightest)
{
    int64_t left = left_on(core, key, now_s);
    if (left >= tightest->left)
        return;
    tightest->left = left;
    tightest->key = *key;
    tightest->window = *key->window;
}

static void look_at_budget(const struct core *core, size_t at, const struct subject *subject,
                           int64_t now_s, struct tightest *tightest)
{
    const struct budget *budget = &core->options.budgets[at];
    if (budget->scope == SCOPE_REQUEST || !core->accounts.lanes[at].limits[UNIT_USD] ||
        !budget_applies(budget, subject))
        return;
    struct window window = accounts_window(&core->accounts, at, now_s);
    struct text ids[SUBJECT_MAX_TAGS];
    size_t count = subject_ids(budget, subject, ids);
    for (size_t id = 0; id < count; id++) {
        struct account_key key = {.budget = at, .unit = UNIT_USD, .id = ids[id], .window = &window};
        look_at(core, &key, now_s, tightest);
    }
}

bool core_tightest(const struct core *core, const struct subject *subject, int64_t now_s,
                   struct account_view *view)
{
    struct tightest tightest = {.left = INT64_MAX};
    now_s = core_believes_s(core, now_s);
    for (size_t at = 0; at < core->options.budget_count; at++)
        look_at_budget(core, at, subject, now_s, &tightest);
    if (tightest.left == INT64_MAX)
        return false;
    tightest.key.window = &tightest.window;
    if (core->accounts.lanes[tightest.key.budget].rolling) {
        view_rolling(core, &tightest.key, now_s, view);
        return true;
    }
    const struct account *account = accounts_find(&core->accounts, &tightest.key);
    if (account != NULL)
        view_account(core, account, view);
    else
        view_absent(core, &tightest.key, accounts_restored(&core->accounts, &tightest.key, now_s),
                    view);
    return true;
}
