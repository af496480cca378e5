/*
 * The sums of rolling windows. A sub-bucket that comes or goes adds up its group anew, a span of 25
 * at the most; what is reserved and settled in between only changes the sums.
 */
#include "budget/group.h"

#include <stdlib.h>

#include "budget/headroom.h"

enum { BACK = WINDOW_ROLLING_BUCKETS };

static struct text key_of(const uint64_t *number)
{
    return text_make((const char *)number, sizeof(*number));
}

static struct group *group_find(const struct accounts *accounts, uint64_t number)
{
    return table_get(&accounts->groups, key_of(&number));
}

static bool is_in_span(const struct window *last, const struct window *window)
{
    int64_t rolled = window_rolled(window, last);
    return rolled >= 0 && rolled <= BACK;
}

/* ---- coming and going ---- */

/* What is neither counted nor to be counted has only such before it. */
static void count_anew(struct group *group)
{
    const struct account *newest = group->newest;
    group->sums = (struct group_sums){0};
    for (struct account *account = group->newest; account != NULL; account = account->earlier) {
        bool counts = is_in_span(&newest->window, &account->window);
        if (!counts && !account->counted)
            break;
        account->counted = counts;
        group_put_in(account);
    }
}

static struct group *group_use(struct accounts *accounts, uint64_t number)
{
    struct group *group = group_find(accounts, number);
    if (group != NULL)
        return group;
    group = memory_new(sizeof(*group));
    group->number = number;
    group->told_s = -1;
    table_put(&accounts->groups, key_of(&number), group);
    return group;
}

static void insert(struct group *group, struct account *account)
{
    struct account *later = NULL, *earlier = group->newest;
    while (earlier != NULL && earlier->window.start_s > account->window.start_s) {
        later = earlier;
        earlier = earlier->earlier;
    }
    account->later = later;
    account->earlier = earlier;
    if (later != NULL)
        later->earlier = account;
    else
        group->newest = account;
    if (earlier != NULL)
        earlier->later = account;
    else
        group->oldest = account;
}

void group_join(struct accounts *accounts, struct account *account)
{
    struct group *group = group_use(accounts, charge_group(account->number));
    ASSERT(account->group == NULL);
    account->group = group;
    account->line = &group->line;
    insert(group, account);
    if (group->newest == account) {
        count_anew(group);
        if (account->earlier != NULL)
            headroom_note_past(accounts, account->earlier);
        return;
    }
    account->counted = is_in_span(&group->newest->window, &account->window);
    group_put_in(account);
}

static void take_from_list(struct group *group, const struct account *account)
{
    if (account->later != NULL)
        account->later->earlier = account->earlier;
    else
        group->newest = account->earlier;
    if (account->earlier != NULL)
        account->earlier->later = account->later;
    else
        group->oldest = account->later;
}

void group_leave(struct accounts *accounts, struct account *account)
{
    struct group *group = account->group;
    if (group == NULL)
        return;
    bool newest = group->newest == account;
    group_take_out(account);
    take_from_list(group, account);
    account->group = NULL;
    account->line = &account->own_line;
    account->counted = false;
    if (group->newest == NULL) {
        ASSERT(group->line.waiters == 0);
        table_remove(&accounts->groups, key_of(&group->number));
        free(group);
    } else if (newest) {
        count_anew(group);
    }
}

/* By how many sub-buckets the window is later; charge.h. */
static uint64_t rolled_since(uint64_t number, const struct window *window)
{
    int64_t bucket = window->start_s / (window->end_s - window->start_s);
    return ((uint64_t)bucket - number) & (CHARGE_BUCKETS - 1);
}

bool group_restored_counts(const struct restored *restored, uint64_t number,
                           const struct window *window, int64_t now_s)
{
    return now_s <= restored->until_s && rolled_since(number, window) <= BACK;
}

bool group_needs(const struct account *account)
{
    const struct account *other = NULL;
    for (other = account->later;
         other != NULL && window_rolled(&account->window, &other->window) <= BACK;
         other = other->later) {
        if (other->pins > 0)
            return true;
    }
    for (other = account->earlier;
         other != NULL && window_rolled(&other->window, &account->window) <= BACK;
         other = other->earlier) {
        if (other->pins > 0)
            return true;
    }
    return false;
}

void group_close_all(struct accounts *accounts)
{
    size_t at = 0;
    void *group = NULL;
    while (table_next(&accounts->groups, &at, NULL, &group))
        free(group);
    table_close(&accounts->groups);
}

/* ---- room ---- */

static int64_t in_range(__int128 amount)
{
    if (amount > ACCOUNT_MOST)
        return ACCOUNT_MOST;
    return amount < -ACCOUNT_MOST ? -ACCOUNT_MOST : (int64_t)amount;
}

/* Of the spans that the account lies in the most; they begin BACK sub-buckets before it, at the
 * earliest, and with it, at the latest. */
static __int128 fullest(const struct account *account, int64_t (*of)(const struct account *))
{
    __int128 amounts[2 * BACK + 1] = {0};
    const struct account *other = account;
    int64_t rolled = 0;
    for (; other != NULL && (rolled = window_rolled(&other->window, &account->window)) <= BACK;
         other = other->earlier)
        amounts[BACK - rolled] += of(other);
    for (other = account->later;
         other != NULL && (rolled = window_rolled(&account->window, &other->window)) <= BACK;
         other = other->later)
        amounts[BACK + rolled] += of(other);
    __int128 span = 0, most = 0;
    for (int at = 0; at <= 2 * BACK; at++) {
        span += amounts[at] - (at > BACK ? amounts[at - BACK - 1] : 0);
        if (at >= BACK && span > most)
            most = span;
    }
    return most;
}

static int64_t spent_of(const struct account *account)
{
    return account->spent;
}

/* The sum of three, each at most 2^62, only just in range: so it is bounded. */
static int64_t used_of(const struct account *account)
{
    return in_range((__int128)account->spent + account->held + account->returning);
}

static int64_t ceiling_of(const struct account *account)
{
    return account->ceiling;
}

/* Others are known of only in the span that was told, which ends with the newest one. */
static bool is_told(const struct account *account)
{
    return !group_is_past(account) && account->group->told_s == account->window.start_s;
}

static int64_t limit_here(const struct account *account)
{
    return account->limit - (is_told(account) ? account->group->elsewhere_spent : 0);
}

int64_t group_left(const struct account *account)
{
    bool past = group_is_past(account);
    __int128 spent = past ? fullest(account, spent_of) : account->group->sums.spent;
    return in_range(limit_here(account) - spent);
}

int64_t group_free(const struct account *account)
{
    bool past = group_is_past(account);
    __int128 used = past ? fullest(account, used_of) : account->group->sums.used;
    __int128 together = limit_here(account) - used;
    __int128 own = (__int128)account->ceiling - account->spent - account->held - account->returning;
    return in_range(own < together ? own : together);
}

int64_t group_leaves(const struct account *account)
{
    bool past = group_is_past(account);
    __int128 ceilings = past ? fullest(account, ceiling_of) : account->group->sums.ceiling;
    return in_range(account->limit - ceilings);
}

int64_t group_obtainable(const struct account *account)
{
    int64_t granted = is_told(account) ? account->group->elsewhere_granted : 0;
    int64_t more = group_leaves(account) - granted;
    return more > 0 ? more : 0;
}

void group_tell(struct account *account, int64_t granted, int64_t spent)
{
    struct group *group = account->group;
    if (group == NULL || group->newest != account)
        return;
    group->told_s = account->window.start_s;
    group->elsewhere_granted = granted;
    group->elsewhere_spent = spent;
}

/* ---- what people see ---- */

struct span_part {
    int64_t spent, held, returning, ceiling, forfeited;
};

/* The last one stands at the end. */
struct span {
    struct span_part at[WINDOW_ROLLING_SPAN];
};

static void gather_restored(const struct accounts *accounts, uint64_t number, int64_t now_s,
                            struct span *span)
{
    for (int64_t back = 0; back <= BACK; back++) {
        const struct restored *restored =
            accounts_restored_number(accounts, charge_sibling(number, -back), now_s);
        if (restored != NULL)
            span->at[BACK - back] = (struct span_part){.spent = restored->amount,
                                                       .ceiling = restored->ceiling,
                                                       .forfeited = restored->forfeited};
    }
}

/* Of one that has appeared it stands there. */
static uint64_t number_of(const struct accounts *accounts, const struct account_key *key)
{
    const struct account *account = accounts_find(accounts, key);
    return account != NULL ? account->number : accounts_number(accounts, key);
}

static struct span gather(const struct accounts *accounts, const struct account_key *key,
                          int64_t now_s, struct group **group)
{
    uint64_t number = number_of(accounts, key);
    struct span span = {0};
    *group = group_find(accounts, charge_group(number));
    if (accounts->restored.count > 0)
        gather_restored(accounts, number, now_s, &span);
    for (const struct account *account = *group == NULL ? NULL : (*group)->newest; account != NULL;
         account = account->earlier) {
        if (is_in_span(key->window, &account->window))
            span.at[BACK - window_rolled(&account->window, key->window)] =
                (struct span_part){.spent = account->spent,
                                   .held = account->held,
                                   .returning = account->returning,
                                   .ceiling = account->ceiling,
                                   .forfeited = account->forfeited};
    }
    return span;
}

void group_view(const struct accounts *accounts, const struct account_key *key, int64_t now_s,
                struct group_view *view)
{
    struct group *group = NULL;
    const struct span span = gather(accounts, key, now_s, &group);
    __int128 spent = 0, held = 0, ceiling = 0, forfeited = 0;
    for (int at = 0; at <= BACK; at++) {
        spent += span.at[at].spent;
        held += span.at[at].held;
        ceiling += span.at[at].ceiling;
        forfeited += span.at[at].forfeited;
    }
    *view = (struct group_view){.spent = in_range(spent),
                                .held = in_range(held),
                                .ceiling = in_range(ceiling),
                                .forfeited = in_range(forfeited),
                                .elsewhere = group == NULL ? 0 : group->elsewhere_spent};
}

int64_t group_falls_s(const struct accounts *accounts, const struct account_key *key, int64_t now_s,
                      int64_t amount)
{
    struct group *group = NULL;
    const struct span span = gather(accounts, key, now_s, &group);
    const struct window *window = key->window;
    int64_t bucket_s = window->end_s - window->start_s, falls_s = window->end_s;
    __int128 fallen = 0;
    for (int at = 0; at <= BACK && fallen < amount; at++) {
        const struct span_part *bucket = &span.at[at];
        __int128 used = (__int128)bucket->spent + bucket->held + bucket->returning;
        fallen += used;
        if (used > 0)
            falls_s = window->end_s + at * bucket_s;
    }
    return falls_s;
}
