/*
 * The table of accounts: found by what a call knows about them (chains.c), named by SHA-256 for the
 * ledger. Sweeping goes round the chains, a few per reservation, and touches no account of a chain
 * before one of them can be over: to look at them would cost a request more than all the rest.
 */
#include "budget/account.h"

#include "budget/group.h"
#include "budget/headroom.h"

#include <stdlib.h>

#define SWEEP_CHAINS 4
#define SWEEP_SLOTS  16
/* How far a new id looks for an empty account that makes room for it. */
#define CROWDED_CHAINS 64

uint64_t accounts_number(const struct accounts *accounts, const struct account_key *key)
{
    return lane_number(&accounts->lanes[key->budget], accounts->hasher, key);
}

static struct text number_key(const uint64_t *number)
{
    return text_make((const char *)number, sizeof(*number));
}

/* ---- opening and closing ---- */

void accounts_open(struct accounts *accounts, const struct budget *budgets, size_t count,
                   size_t most)
{
    ASSERT(most > 0);
    *accounts = (struct accounts){.most = most, .hasher = hasher_open()};
    chains_open(accounts, most);
    accounts->budgets = budgets;
    accounts->budget_count = count;
    accounts->lanes = lanes_open(budgets, count);
}

static void restored_free(struct restored *restored)
{
    free(restored->id);
    free(restored);
}

void accounts_close(struct accounts *accounts)
{
    size_t at = 0;
    void *restored = NULL;
    while (table_next(&accounts->restored, &at, NULL, &restored))
        restored_free(restored);
    table_close(&accounts->restored);
    for (size_t budget = 0; budget < accounts->budget_count; budget++)
        lane_close(&accounts->lanes[budget]);
    lane_close(&accounts->gone);
    group_close_all(accounts);
    free(accounts->lanes);
    free(accounts->chains);
    hasher_close(accounts->hasher);
}

/* ---- windows ---- */

struct window accounts_window(const struct accounts *accounts, size_t budget, int64_t now_s)
{
    const struct window *last = &accounts->lanes[budget].window;
    if (now_s < last->end_s)
        return *last;
    return budget_window_at(&accounts->budgets[budget], now_s);
}

/* Before the first turn the window is all zero, and so over. A moment before its beginning counts
 * as inside, because ids never go back. How far they go forward: core_check_clock. */
void accounts_turn(struct accounts *accounts, size_t budget, int64_t now_s)
{
    struct lane *lane = &accounts->lanes[budget];
    if (now_s >= lane->window.end_s)
        lane->window = accounts_window(accounts, budget, now_s);
}

/* ---- finding ---- */

struct account *accounts_find(const struct accounts *accounts, const struct account_key *key)
{
    return chains_find(accounts, key, account_hash(key));
}

int64_t accounts_limit(const struct accounts *accounts, size_t budget, enum unit unit,
                       struct text id)
{
    int64_t limit = budget_limit_enforced(&accounts->budgets[budget], unit, id);
    if (limit == LIMIT_NONE || !accounts->leased || unit != UNIT_USD)
        return limit;
    return limit - limit % accounts->usd_step;
}

/* ---- going ---- */

int64_t account_until_s(const struct account *account)
{
    int64_t until_s = window_counts_until_s(&account->window);
    if (until_s != WINDOW_FOREVER)
        until_s += ACCOUNT_LINGER_S;
    if (account->idle_s == 0)
        return until_s;
    int64_t idle_s = account->held_s + account->idle_s + ACCOUNT_LINGER_S;
    return idle_s < until_s ? idle_s : until_s;
}

/* A sub-bucket is of no use any more when it counts no more. */
static bool is_past_use(const struct account *account, int64_t now_s)
{
    return group_is_past(account) && now_s > window_counts_until_s(&account->window) &&
           !group_needs(account);
}

/* An account without spend tells nothing that a new one would not; it goes where room is short. */
static bool is_over(const struct accounts *accounts, const struct account *account, int64_t now_s,
                    bool crowded)
{
    if (account->pins > 0)
        return false;
    if (is_past_use(account, now_s))
        return true;
    /* One that still has headroom gives it back first: it would be lost to all others. */
    if (crowded && account->spent == 0 && (!accounts->leased || account->ceiling == 0))
        return true;
    return now_s > account_until_s(account);
}

/* No earlier than this is it over; only later, if it is used in between. */
static int64_t due_s(const struct account *account)
{
    if (account->group != NULL)
        return window_counts_until_s(&account->window);
    return account_until_s(account);
}

static void remove_account(struct accounts *accounts, struct account *account)
{
    lane_remove(&accounts->lanes[account->budget], account);
    accounts->count--;
    headroom_forget(accounts, account);
    group_leave(accounts, account);
    free(account);
}

static void sweep_chain(struct accounts *accounts, int64_t now_s, bool crowded)
{
    struct chain *chain = &accounts->chains[accounts->sweep_at];
    struct account **link = &chain->first;
    accounts->sweep_at = (accounts->sweep_at + 1) & (accounts->chain_count - 1);
    if (now_s <= chain->due_s && !crowded)
        return;
    chain->due_s = INT64_MAX;
    while (*link != NULL) {
        struct account *account = *link;
        if (is_over(accounts, account, now_s, crowded)) {
            *link = account->next_in_chain;
            remove_account(accounts, account);
            continue;
        }
        if (due_s(account) < chain->due_s)
            chain->due_s = due_s(account);
        link = &account->next_in_chain;
    }
}

static void sweep_restored(struct accounts *accounts, int64_t now_s)
{
    void *value = NULL;
    struct text key;
    struct table *table = &accounts->restored;
    if (!table_next_within(table, &accounts->restored_at, SWEEP_SLOTS, &key, &value))
        accounts->restored_at = 0;
    struct restored *restored = value;
    if (restored == NULL || now_s <= restored->until_s)
        return;
    table_remove(&accounts->restored, key);
    restored_free(restored);
}

void accounts_sweep(struct accounts *accounts, int64_t now_s)
{
    for (int i = 0; i < SWEEP_CHAINS; i++)
        sweep_chain(accounts, now_s, false);
    if (accounts->restored.count > 0)
        sweep_restored(accounts, now_s);
}

/* ---- what the ledger remembers ---- */

/* All that is spent on it. */
static struct charge charge_of(const struct account *account)
{
    struct charge charge = {.account = account->number,
                            .amount = account->spent,
                            .until_s = account_until_s(account),
                            .since_s = account->since_s,
                            .unit = account->unit,
                            .scope = account->scope,
                            .id = account->id};
    memcpy(charge.window, account->window.id, sizeof(charge.window));
    return charge;
}

/* The budget to whose accounts a charge belongs; ACCOUNT_GONE: to none's. */
static size_t budget_of(const struct accounts *accounts, const struct charge *charge)
{
    struct window window = {0};
    memcpy(window.id, charge->window, sizeof(window.id));
    struct account_key key = {.unit = charge->unit, .id = charge->id, .window = &window};
    if (charge->id.size == 0 || charge->id.size > SUBJECT_MAX_ID)
        return ACCOUNT_GONE;
    for (; key.budget < accounts->budget_count; key.budget++) {
        const struct lane *lane = &accounts->lanes[key.budget];
        if (accounts->budgets[key.budget].scope != charge->scope || !lane->limits[charge->unit])
            continue;
        uint64_t number = accounts_number(accounts, &key);
        if (number == charge->account ||
            (lane->rolling && charge_group(number) == charge_group(charge->account)))
            return key.budget;
    }
    return ACCOUNT_GONE;
}

/* What is remembered of the charge's account: made if need be. */
static struct restored *remember(struct accounts *accounts, const struct charge *charge,
                                 size_t budget)
{
    ASSERT(charge->amount >= 0);
    struct restored *restored = table_get(&accounts->restored, number_key(&charge->account));
    if (restored == NULL) {
        restored = memory_new(sizeof(*restored));
        restored->budget = budget;
        restored->scope = charge->scope;
        restored->unit = charge->unit;
        restored->since_s = charge->since_s;
        restored->id = memory_copy(charge->id);
        memcpy(restored->window, charge->window, sizeof(restored->window));
        table_put(&accounts->restored, number_key(&charge->account), restored);
    }
    if (charge->until_s > restored->until_s)
        restored->until_s = charge->until_s;
    return restored;
}

void accounts_restore(struct accounts *accounts, const struct charge *charge)
{
    ASSERT(accounts->count == 0);
    struct restored *restored = remember(accounts, charge, budget_of(accounts, charge));
    restored->amount = account_add(restored->amount, charge->amount, ACCOUNT_MOST);
}

void accounts_restore_ceiling(struct accounts *accounts, const struct charge *charge)
{
    ASSERT(accounts->count == 0);
    struct restored *restored = remember(accounts, charge, budget_of(accounts, charge));
    restored->ceiling = account_add(restored->ceiling, charge->amount, ACCOUNT_MOST);
    restored->overdraft = account_add(restored->overdraft, charge->overdraft, ACCOUNT_MOST);
}

void accounts_restore_forfeited(struct accounts *accounts, const struct charge *charge)
{
    ASSERT(accounts->count == 0);
    struct restored *restored = remember(accounts, charge, budget_of(accounts, charge));
    restored->forfeited = account_add(restored->forfeited, charge->amount, ACCOUNT_MOST);
}

const struct restored *accounts_restored_number(const struct accounts *accounts, uint64_t number,
                                                int64_t now_s)
{
    const struct restored *restored = table_get(&accounts->restored, number_key(&number));
    return restored == NULL || now_s > restored->until_s ? NULL : restored;
}

const struct restored *accounts_restored(const struct accounts *accounts,
                                         const struct account_key *key, int64_t now_s)
{
    if (accounts->restored.count == 0)
        return NULL;
    return accounts_restored_number(accounts, accounts_number(accounts, key), now_s);
}

/* ---- appearing ---- */

static bool has_room(struct accounts *accounts, int64_t now_s)
{
    for (int i = 0; i < CROWDED_CHAINS && accounts->count >= accounts->most; i++)
        sweep_chain(accounts, now_s, true);
    return accounts->count < accounts->most;
}

void account_note_overrun(struct account *account)
{
    int64_t above = account->spent + account->held + account->returning - account->ceiling;
    if (account->over < above)
        account->over = above;
}

/* Who only asks does not keep it for longer than the ledger keeps what it had spent. */
static void hold_before(struct accounts *accounts, struct account *account,
                        const struct restored *restored, int64_t now_s)
{
    int64_t held_s = restored->until_s - account->idle_s - ACCOUNT_LINGER_S;
    account->held_s = held_s < now_s ? held_s : now_s;
    accounts->chains[account->hash & (accounts->chain_count - 1)].due_s = 0;
}

static void adopt_restored(struct accounts *accounts, struct account *account, int64_t now_s)
{
    struct restored *restored = table_remove(&accounts->restored, number_key(&account->number));
    if (restored == NULL)
        return;
    if (now_s <= restored->until_s) {
        group_take_out(account);
        account->spent = restored->amount;
        account->forfeited = restored->forfeited;
        if (accounts->leased)
            account->ceiling = restored->ceiling;
        account->overdraft = restored->overdraft;
        account->since_s = restored->amount > 0 ? restored->since_s : account->since_s;
        account->growing.era = 0;
        if (account->idle_s > 0)
            hold_before(accounts, account, restored, now_s);
        group_put_in(account);
    }
    account_note_overrun(account);
    restored_free(restored);
}

/* What came with it: headroom, or an overrun that the lessor does not know of. */
static void note_adopted(struct accounts *accounts, struct account *account)
{
    if (!accounts->leased)
        return;
    headroom_note_room(accounts, account);
    headroom_note_over(accounts, account);
}

static struct account_key key_of(const struct account *account)
{
    return (struct account_key){.budget = account->budget,
                                .unit = account->unit,
                                .id = account->id,
                                .window = &account->window};
}

/* Gives it a budget and its place among that budget's accounts. */
static void enrol(struct accounts *accounts, struct account *account, size_t budget, int64_t limit)
{
    const struct budget *definition = &accounts->budgets[budget];
    ASSERT(limit <= MONEY_MOST.nano);
    account->budget = budget;
    account->scope = definition->scope;
    bool idles = definition->scope == SCOPE_SESSION && definition->window != WINDOW_ROLLING;
    account->idle_s = idles ? definition->idle_s : 0;
    account->limit = limit;
    if (!accounts->leased)
        account->ceiling = limit;
    struct account_key key = key_of(account);
    account->hash = account_hash(&key);
    ASSERT(chains_find(accounts, &key, account->hash) == NULL);
    lane_append(&accounts->lanes[budget], account);
    accounts->count++;
    if (definition->window == WINDOW_ROLLING)
        group_join(accounts, account);
    chains_add(accounts, account, due_s(account));
}

static struct account *account_new(struct accounts *accounts, const struct account_key *key,
                                   int64_t limit, int64_t now_s)
{
    struct account *account = memory_new(sizeof(*account) + key->id.size);
    memcpy(account + 1, key->id.at, key->id.size);
    account->id = text_make((const char *)(account + 1), key->id.size);
    account->number = accounts_number(accounts, key);
    account->unit = key->unit;
    account->window = *key->window;
    account->line = &account->own_line;
    account->held_s = now_s;
    account->growing.era = accounts->era;
    enrol(accounts, account, key->budget, limit);
    account->since_s = account->idle_s > 0 ? now_s : 0;
    return account;
}

/* With a sub-bucket come those that are restored and lie in a span with it: they count, too, also
 * where the table is full. */
static void adopt_siblings(struct accounts *accounts, const struct account *account, int64_t now_s)
{
    struct account_key key = key_of(account);
    int64_t bucket_s = account->window.end_s - account->window.start_s;
    for (int64_t later = -WINDOW_ROLLING_BUCKETS; later <= WINDOW_ROLLING_BUCKETS; later++) {
        int64_t start_s = account->window.start_s + later * bucket_s;
        uint64_t number = charge_sibling(account->number, later);
        if (start_s < 0 || accounts_restored_number(accounts, number, now_s) == NULL)
            continue;
        struct window window = window_rolling(WINDOW_ROLLING_BUCKETS * bucket_s, start_s);
        key.window = &window;
        struct account *sibling = account_new(accounts, &key, account->limit, now_s);
        adopt_restored(accounts, sibling, now_s);
        note_adopted(accounts, sibling);
    }
}

enum account_use accounts_use(struct accounts *accounts, const struct account_key *key,
                              int64_t now_s, struct account **used)
{
    return accounts_use_hashed(accounts, key, account_hash(key), now_s, used);
}

enum account_use accounts_use_hashed(struct accounts *accounts, const struct account_key *key,
                                     uint64_t hash, int64_t now_s, struct account **used)
{
    struct account *account = chains_find(accounts, key, hash);
    if (account != NULL && is_over(accounts, account, now_s, false)) {
        ASSERT(account->group == NULL || !account->counted);
        account->held_s = now_s;
        account->since_s = account->idle_s > 0 ? now_s : 0;
        account->spent = account->over = account->forfeited = account->overdraft = 0;
        account->elsewhere_granted = account->elsewhere_spent = account->growing.told = 0;
        account->growing.fresh = true;
        account->growing.shut = false;
        account->growing.era = accounts->era;
        if (accounts->leased)
            account->ceiling = 0;
    } else if (account == NULL) {
        int64_t limit = accounts_limit(accounts, key->budget, key->unit, key->id);
        if (limit == LIMIT_NONE)
            return ACCOUNT_UNLIMITED;
        if (!has_room(accounts, now_s))
            return ACCOUNT_CROWDED;
        account = account_new(accounts, key, limit, now_s);
        adopt_restored(accounts, account, now_s);
        account->growing.fresh = account->spent == 0;
        note_adopted(accounts, account);
        if (account->group != NULL && accounts->restored.count > 0)
            adopt_siblings(accounts, account, now_s);
    }
    account_note_visit(account, now_s);
    account->pins++;
    headroom_expect(account);
    *used = account;
    return ACCOUNT_USED;
}

/* ---- other budgets ---- */

/* Its budget is gone, and it has no holds: only its spend is remembered. */
static void forget(struct accounts *accounts, struct account *account)
{
    struct charge charge = charge_of(account);
    if (account->spent > 0 || (accounts->leased && account->ceiling > 0)) {
        struct restored *restored = remember(accounts, &charge, ACCOUNT_GONE);
        restored->amount = account_add(restored->amount, account->spent, ACCOUNT_MOST);
        restored->forfeited = account_add(restored->forfeited, account->forfeited, ACCOUNT_MOST);
        restored->overdraft = account_add(restored->overdraft, account->overdraft, ACCOUNT_MOST);
        if (accounts->leased)
            restored->ceiling = account_add(restored->ceiling, account->ceiling, ACCOUNT_MOST);
    }
    headroom_forget(accounts, account);
    free(account);
}

void accounts_release(struct accounts *accounts, struct account *account)
{
    account_unpin(account);
    if (account->budget != ACCOUNT_GONE || account->pins > 0)
        return;
    ASSERT(account->held == 0);
    lane_remove(&accounts->gone, account);
    forget(accounts, account);
}

static void part_with(struct accounts *accounts, struct account *account)
{
    account->budget = ACCOUNT_GONE;
    account->growing.era = 0; /* nobody keeps its row in the store meanwhile */
    group_leave(accounts, account);
    if (account->pins > 0)
        lane_append(&accounts->gone, account);
    else
        forget(accounts, account);
}

static void move(struct accounts *accounts, struct account *account, size_t budget)
{
    ASSERT(account->line->waiters == 0);
    ASSERT(account->line->wanted == 0);
    group_leave(accounts, account);
    int64_t limit = LIMIT_NONE;
    if (budget != ACCOUNT_GONE)
        limit = accounts_limit(accounts, budget, account->unit, account->id);
    if (limit == LIMIT_NONE) {
        part_with(accounts, account);
        return;
    }
    enrol(accounts, account, budget, limit);
    account_note_overrun(account);
    note_adopted(accounts, account);
}

/* Which budget has a lane's accounts now, by unit; ACCOUNT_GONE: none. */
struct heirs {
    size_t of[UNIT_COUNT];
};

/* Two budgets may have one definition and limit different units. */
static struct heirs heirs_of(struct accounts *accounts, const struct lane *old)
{
    struct heirs heirs = {{ACCOUNT_GONE, ACCOUNT_GONE, ACCOUNT_GONE}};
    struct text definition = buffer_text(&old->definition);
    for (size_t budget = 0; budget < accounts->budget_count; budget++) {
        struct lane *lane = &accounts->lanes[budget];
        if (!text_equal(buffer_text(&lane->definition), definition))
            continue;
        if (lane->window.end_s < old->window.end_s)
            lane->window = old->window;
        for (int unit = 0; unit < UNIT_COUNT; unit++) {
            if (lane->limits[unit])
                heirs.of[unit] = budget;
        }
    }
    return heirs;
}

static void move_lane(struct accounts *accounts, struct lane *old, const struct heirs *heirs)
{
    struct account *next = NULL;
    for (struct account *account = old->first; account != NULL; account = next) {
        next = account->next;
        move(accounts, account, heirs->of[account->unit]);
    }
    old->first = old->last = NULL;
}

/* Few: only what was in flight; of a rolling window only what had open holds. */
static void move_gone(struct accounts *accounts, int64_t now_s)
{
    struct account *next = accounts->gone.first;
    accounts->gone = (struct lane){0};
    while (next != NULL) {
        struct account *account = next;
        struct charge charge = charge_of(account);
        next = account->next;
        move(accounts, account, budget_of(accounts, &charge));
        if (account->group != NULL && accounts->restored.count > 0)
            adopt_siblings(accounts, account, now_s);
    }
}

/* Those of known budgets are told by these; what no budget had is looked for by its number. */
static void label_restored(struct accounts *accounts, const struct heirs *heirs)
{
    size_t at = 0;
    struct text key;
    void *value = NULL;
    while (table_next(&accounts->restored, &at, &key, &value)) {
        struct restored *restored = value;
        if (restored->budget != ACCOUNT_GONE) {
            restored->budget = heirs[restored->budget].of[restored->unit];
            continue;
        }
        struct charge charge = {
            .unit = restored->unit, .scope = restored->scope, .id = text_of(restored->id)};
        memcpy(&charge.account, key.at, sizeof(charge.account));
        memcpy(charge.window, restored->window, sizeof(charge.window));
        restored->budget = budget_of(accounts, &charge);
    }
}

void accounts_redefine(struct accounts *accounts, const struct budget *budgets, size_t count,
                       size_t most, int64_t now_s)
{
    ASSERT(most > 0);
    struct lane *lanes = accounts->lanes;
    size_t lane_count = accounts->budget_count;
    struct heirs *heirs = memory_new((lane_count + 1) * sizeof(*heirs));
    free(accounts->chains);
    accounts->sweep_at = 0;
    accounts->most = most;
    chains_open(accounts, most > accounts->count ? most : accounts->count);
    accounts->count = 0;
    accounts->budgets = budgets;
    accounts->budget_count = count;
    accounts->lanes = lanes_open(budgets, count);
    for (size_t lane = 0; lane < lane_count; lane++)
        heirs[lane] = heirs_of(accounts, &lanes[lane]);
    /* Before others join those gone and those remembered. */
    label_restored(accounts, heirs);
    move_gone(accounts, now_s);
    for (size_t lane = 0; lane < lane_count; lane++) {
        move_lane(accounts, &lanes[lane], &heirs[lane]);
        lane_close(&lanes[lane]);
    }
    free(lanes);
    free(heirs);
}
