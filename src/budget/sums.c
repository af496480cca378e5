/*
 * What the accounts of each budget are together: for metrics, and for whether anything could be
 * admitted while nobody lets ceilings grow.
 */
#include "budget/core_state.h"

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
    sum->accounts += group_is_past(account) ? 0 : 1;
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

static void sum_restored(const struct core *core, struct text key, const struct restored *restored,
                         int64_t now_s, struct sums *sums)
{
    enum group_restored is = GROUP_RESTORED_NOT;
    uint64_t number = 0;
    memcpy(&number, key.at, sizeof(number));
    if (core->accounts.lanes[restored->budget].rolling)
        is = group_restored(&core->accounts, restored, number, &sums->window, now_s);
    else if (is_of(restored, restored->budget, &sums->window, now_s))
        is = GROUP_RESTORED_STANDS;
    if (is != GROUP_RESTORED_NOT)
        add_restored(sums->units, restored);
    sums->units[restored->unit].accounts += is == GROUP_RESTORED_STANDS ? 1 : 0;
}

/* Each account is looked at once: there may be many, and the core stands still meanwhile. */
static struct sums *sum_all(const struct core *core, int64_t now_s)
{
    struct sums *all = memory_new((core->options.budget_count + 1) * sizeof(*all));
    for (size_t at = 0; at < core->options.budget_count; at++) {
        if (core->options.budgets[at].scope == SCOPE_REQUEST)
            continue;
        all[at].window = accounts_window(&core->accounts, at, now_s);
        const struct account *account = core->accounts.lanes[at].first;
        for (; account != NULL; account = account->next) {
            if (counts(account, &all[at].window))
                add_account(all[at].units, account);
        }
    }
    size_t place = 0;
    struct text key;
    void *value = NULL;
    while (table_next(&core->accounts.restored, &place, &key, &value)) {
        const struct restored *restored = value;
        size_t budget = restored->budget;
        if (budget < core->options.budget_count)
            sum_restored(core, key, restored, now_s, &all[budget]);
    }
    return all;
}

size_t core_sums(const struct core *core, int64_t now_s, struct budget_sum *sums, size_t most)
{
    struct sums *all = sum_all(core, core_believes_s(core, now_s));
    size_t count = 0;
    for (size_t at = 0; at < core->options.budget_count; at++) {
        const struct budget *budget = &core->options.budgets[at];
        for (int unit = 0; unit < UNIT_COUNT && count < most; unit++) {
            if (budget->scope == SCOPE_REQUEST || !core->accounts.lanes[at].limits[unit])
                continue;
            sums[count] = all[at].units[unit];
            sums[count].budget = budget->name;
            sums[count].scope = budget->scope;
            sums[count++].unit = (enum unit)unit;
        }
    }
    free(all);
    return count;
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

static bool has_room(const struct core *core, size_t at, enum unit unit, int64_t now_s)
{
    struct window window = accounts_window(&core->accounts, at, now_s);
    const struct account *account = core->accounts.lanes[at].first;
    for (; account != NULL; account = account->next) {
        if (account->unit == unit && account->window.start_s == window.start_s &&
            account_free(account) > 0 && !account->growing.refused)
            return true;
    }
    size_t place = 0;
    void *value = NULL;
    while (table_next(&core->accounts.restored, &place, NULL, &value)) {
        const struct restored *restored = value;
        if (restored->unit == unit && restored->ceiling > restored->amount &&
            is_of(restored, at, &window, now_s))
            return true;
    }
    return false;
}

bool core_has_room(const struct core *core, int64_t now_s)
{
    now_s = core_believes_s(core, now_s);
    for (size_t at = 0; core->options.leased && at < core->options.budget_count; at++) {
        if (!concerns_all(&core->options.budgets[at]))
            continue;
        for (int unit = 0; unit < UNIT_COUNT; unit++) {
            if (core->accounts.lanes[at].limits[unit] &&
                !has_room(core, at, (enum unit)unit, now_s))
                return false;
        }
    }
    return true;
}
