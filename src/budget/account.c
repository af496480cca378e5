/*
 * The table of accounts: hashed by what a call knows about them, named by SHA-256 for the ledger.
 *
 * The buckets are laid out once for the most accounts there may be (untouched pages cost nothing),
 * so that no reservation ever pays for a new lay-out under the lock. Sweeping goes round the
 * buckets, a few per reservation.
 */
#include "budget/account.h"

#include <stdlib.h>

#define SWEEP_BUCKETS 4
/* How far a new id looks for an empty account that makes room for it. */
#define CROWDED_BUCKETS 64

/* ---- identity ---- */

static void put_part(struct buffer *out, struct text part)
{
    buffer_put_int(out, (int64_t)part.size);
    buffer_put_byte(out, ':');
    buffer_put(out, part);
    buffer_put_byte(out, '\n');
}

/* Everything that defines a budget's accounts but its name and limits. Matches stand in the order
 * of the scopes, so that writing them in another order changes nothing. */
static void define(struct buffer *out, const struct budget *budget)
{
    put_part(out, text_of(scope_name(budget->scope)));
    put_part(out, text_of(window_name(budget->window)));
    put_part(out, budget->timezone);
    for (int scope = 0; scope < SCOPE_COUNT; scope++) {
        for (size_t at = 0; at < budget->match_count; at++) {
            if (budget->match[at].scope != (enum scope)scope)
                continue;
            put_part(out, text_of(scope_name((enum scope)scope)));
            put_part(out, budget->match[at].pattern);
        }
    }
}

/* Neither a unit nor a window's id holds a line break, and the scope's id stands last: no two
 * accounts have the same text. */
static uint64_t number_of(const struct accounts *accounts, const struct account_key *key)
{
    const struct text parts[] = {
        buffer_text(&accounts->lanes[key->budget].definition),
        text_of(unit_name(key->unit)),
        TEXT("\n"),
        text_of(key->window->id),
        TEXT("\n"),
        key->id,
    };
    uint8_t digest[HASH_SIZE];
    hasher_digest(accounts->hasher, parts, sizeof(parts) / sizeof(parts[0]), digest);
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | digest[i];
    return number;
}

static struct text number_key(const uint64_t *number)
{
    return text_make((const char *)number, sizeof(*number));
}

/* ---- opening and closing ---- */

static bool may_limit(const struct budget *budget, enum unit unit)
{
    ASSERT(budget->limit[unit] <= MONEY_MOST.nano);
    if (budget->limit[unit] != LIMIT_NONE)
        return true;
    for (size_t at = 0; at < budget->override_count; at++) {
        if (budget->overrides[at].limit[unit] != LIMIT_NONE)
            return true;
    }
    return false;
}

static bool share_accounts(const struct lane *a, const struct lane *b)
{
    if (!text_equal(buffer_text(&a->definition), buffer_text(&b->definition)))
        return false;
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        if (a->limits[unit] && b->limits[unit])
            return true;
    }
    return false;
}

static void check_apart(const struct accounts *accounts, size_t budget)
{
    if (accounts->budgets[budget].scope == SCOPE_REQUEST)
        return;
    for (size_t other = 0; other < budget; other++)
        ASSERT(!share_accounts(&accounts->lanes[budget], &accounts->lanes[other]));
}

void accounts_open(struct accounts *accounts, const struct budget *budgets, size_t count,
                   size_t most)
{
    ASSERT(most > 0);
    *accounts = (struct accounts){.budgets = budgets, .budget_count = count, .most = most};
    accounts->hasher = hasher_open();
    accounts->bucket_count = 16;
    while (accounts->bucket_count < most)
        accounts->bucket_count *= 2;
    accounts->buckets = memory_new(accounts->bucket_count * sizeof(struct account *));
    accounts->lanes = memory_new((count + 1) * sizeof(struct lane));
    for (size_t budget = 0; budget < count; budget++) {
        struct lane *lane = &accounts->lanes[budget];
        ASSERT(budgets[budget].zone != NULL);
        define(&lane->definition, &budgets[budget]);
        for (int unit = 0; unit < UNIT_COUNT; unit++)
            lane->limits[unit] = may_limit(&budgets[budget], (enum unit)unit);
        check_apart(accounts, budget);
    }
}

static void restored_free(struct restored *restored)
{
    free(restored->id);
    free(restored);
}

static void lane_close(struct lane *lane)
{
    struct account *account = lane->first;
    while (account != NULL) {
        struct account *next = account->next;
        free(account);
        account = next;
    }
    buffer_close(&lane->definition);
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
    free(accounts->lanes);
    free(accounts->buckets);
    hasher_close(accounts->hasher);
}

/* ---- windows ---- */

static bool window_lasts(const struct window *window, int64_t now_s)
{
    return now_s < window->end_s;
}

struct window accounts_window(const struct accounts *accounts, size_t budget, int64_t now_s)
{
    const struct window *last = &accounts->lanes[budget].window;
    if (window_lasts(last, now_s))
        return *last;
    return window_at(accounts->budgets[budget].window, accounts->budgets[budget].zone, now_s);
}

/* Before the first turn the window is all zero, and so over. A moment before its beginning counts
 * as inside, because ids never go back. How far they go forward is the wall clock's word alone as
 * long as nothing outlives the process but the ledger; ceilings will check it against steady time.
 */
void accounts_turn(struct accounts *accounts, size_t budget, int64_t now_s)
{
    struct lane *lane = &accounts->lanes[budget];
    if (!window_lasts(&lane->window, now_s))
        lane->window = accounts_window(accounts, budget, now_s);
}

/* ---- finding ---- */

static uint64_t hash_of(const struct account_key *key)
{
    uint64_t hash = text_hash(key->id);
    hash ^= (uint64_t)(key->budget * UNIT_COUNT + key->unit) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= (uint64_t)key->window->start_s * UINT64_C(0xc2b2ae3d27d4eb4f);
    return hash ^ hash >> 32;
}

static struct account **bucket_of(const struct accounts *accounts, uint64_t hash)
{
    return &accounts->buckets[hash & (accounts->bucket_count - 1)];
}

static bool account_is(const struct account *account, const struct account_key *key)
{
    return account->budget == key->budget && account->unit == key->unit &&
           account->window.start_s == key->window->start_s && text_equal(account->id, key->id);
}

static struct account *find_hashed(const struct accounts *accounts, const struct account_key *key,
                                   uint64_t hash)
{
    struct account *account = *bucket_of(accounts, hash);
    while (account != NULL && !(account->hash == hash && account_is(account, key)))
        account = account->next_in_bucket;
    return account;
}

struct account *accounts_find(const struct accounts *accounts, const struct account_key *key)
{
    return find_hashed(accounts, key, hash_of(key));
}

/* ---- going ---- */

int64_t account_until_s(const struct accounts *accounts, const struct account *account)
{
    const struct budget *budget = &accounts->budgets[account->budget];
    int64_t until_s = account->window.end_s;
    if (until_s != WINDOW_FOREVER)
        until_s += ACCOUNT_LINGER_S;
    if (budget->scope != SCOPE_SESSION || budget->idle_s == 0)
        return until_s;
    int64_t idle_s = account->used_s + budget->idle_s + ACCOUNT_LINGER_S;
    return idle_s < until_s ? idle_s : until_s;
}

static void lane_remove(struct lane *lane, struct account *account)
{
    if (account->previous != NULL)
        account->previous->next = account->next;
    else
        lane->first = account->next;
    if (account->next != NULL)
        account->next->previous = account->previous;
    else
        lane->last = account->previous;
}

static void lane_append(struct lane *lane, struct account *account)
{
    account->previous = lane->last;
    if (lane->last != NULL)
        lane->last->next = account;
    else
        lane->first = account;
    lane->last = account;
}

/* An account without spend tells nothing that a new one would not; it goes where room is short. */
static bool is_over(const struct accounts *accounts, const struct account *account, int64_t now_s,
                    bool crowded)
{
    if (account->pins > 0)
        return false;
    if (crowded && account->spent == 0)
        return true;
    return now_s > account_until_s(accounts, account);
}

static void sweep_bucket(struct accounts *accounts, int64_t now_s, bool crowded)
{
    struct account **link = &accounts->buckets[accounts->sweep_at];
    accounts->sweep_at = (accounts->sweep_at + 1) & (accounts->bucket_count - 1);
    while (*link != NULL) {
        struct account *account = *link;
        if (!is_over(accounts, account, now_s, crowded)) {
            link = &account->next_in_bucket;
            continue;
        }
        *link = account->next_in_bucket;
        lane_remove(&accounts->lanes[account->budget], account);
        accounts->count--;
        free(account);
    }
}

static void sweep_restored(struct accounts *accounts, int64_t now_s)
{
    void *value = NULL;
    struct text key;
    if (!table_next(&accounts->restored, &accounts->restored_at, &key, &value)) {
        accounts->restored_at = 0;
        return;
    }
    struct restored *restored = value;
    if (now_s <= restored->until_s)
        return;
    table_remove(&accounts->restored, key);
    restored_free(restored);
}

void accounts_sweep(struct accounts *accounts, int64_t now_s)
{
    for (int i = 0; i < SWEEP_BUCKETS; i++)
        sweep_bucket(accounts, now_s, false);
    if (accounts->restored.count > 0)
        sweep_restored(accounts, now_s);
}

/* ---- what the ledger remembers ---- */

static size_t budget_of(const struct accounts *accounts, const struct charge *charge)
{
    struct window window = {0};
    memcpy(window.id, charge->window, sizeof(window.id));
    struct account_key key = {.unit = charge->unit, .id = charge->id, .window = &window};
    if (charge->id.size > SUBJECT_MAX_ID)
        return SIZE_MAX;
    for (; key.budget < accounts->budget_count; key.budget++) {
        if (accounts->budgets[key.budget].scope == charge->scope &&
            number_of(accounts, &key) == charge->account)
            return key.budget;
    }
    return SIZE_MAX;
}

void accounts_restore(struct accounts *accounts, const struct charge *charge)
{
    ASSERT(accounts->count == 0);
    ASSERT(charge->amount >= 0);
    struct restored *restored = table_get(&accounts->restored, number_key(&charge->account));
    if (restored == NULL) {
        restored = memory_new(sizeof(*restored));
        restored->budget = budget_of(accounts, charge);
        restored->unit = charge->unit;
        restored->id = memory_copy(charge->id);
        memcpy(restored->window, charge->window, sizeof(restored->window));
        table_put(&accounts->restored, number_key(&charge->account), restored);
    }
    restored->amount = account_add(restored->amount, charge->amount);
    if (charge->until_s > restored->until_s)
        restored->until_s = charge->until_s;
}

int64_t accounts_restored(const struct accounts *accounts, const struct account_key *key,
                          int64_t now_s)
{
    if (accounts->restored.count == 0)
        return 0;
    uint64_t number = number_of(accounts, key);
    const struct restored *restored = table_get(&accounts->restored, number_key(&number));
    return restored == NULL || now_s > restored->until_s ? 0 : restored->amount;
}

/* ---- appearing ---- */

static bool has_room(struct accounts *accounts, int64_t now_s)
{
    for (int i = 0; i < CROWDED_BUCKETS && accounts->count >= accounts->most; i++)
        sweep_bucket(accounts, now_s, true);
    return accounts->count < accounts->most;
}

static void adopt_restored(struct accounts *accounts, struct account *account, int64_t now_s)
{
    struct restored *restored = table_remove(&accounts->restored, number_key(&account->number));
    if (restored == NULL)
        return;
    if (now_s <= restored->until_s)
        account->spent = restored->amount;
    if (account->spent > account->limit)
        account->over = account->spent - account->limit;
    restored_free(restored);
}

static struct account *account_new(struct accounts *accounts, const struct account_key *key,
                                   uint64_t hash, int64_t limit)
{
    struct account *account = memory_new(sizeof(*account) + key->id.size);
    memcpy(account + 1, key->id.at, key->id.size);
    account->id = text_make((const char *)(account + 1), key->id.size);
    account->hash = hash;
    account->number = number_of(accounts, key);
    account->budget = key->budget;
    account->unit = key->unit;
    account->window = *key->window;
    account->limit = limit;
    struct account **bucket = bucket_of(accounts, hash);
    account->next_in_bucket = *bucket;
    *bucket = account;
    lane_append(&accounts->lanes[key->budget], account);
    accounts->count++;
    return account;
}

enum account_use accounts_use(struct accounts *accounts, const struct account_key *key,
                              int64_t now_s, struct account **used)
{
    uint64_t hash = hash_of(key);
    struct account *account = find_hashed(accounts, key, hash);
    if (account != NULL && is_over(accounts, account, now_s, false)) {
        account->spent = 0;
        account->over = 0;
    } else if (account == NULL) {
        int64_t limit = budget_limit_enforced(&accounts->budgets[key->budget], key->unit, key->id);
        if (limit == LIMIT_NONE)
            return ACCOUNT_UNLIMITED;
        ASSERT(limit <= MONEY_MOST.nano);
        if (!has_room(accounts, now_s))
            return ACCOUNT_CROWDED;
        account = account_new(accounts, key, hash, limit);
        adopt_restored(accounts, account, now_s);
    }
    if (account->used_s < now_s)
        account->used_s = now_s;
    account->pins++;
    *used = account;
    return ACCOUNT_USED;
}
