/*
 * Groups: the sub-buckets of one rolling window, which are accounts of their own under one limit
 * (money/window.h). For any WINDOW_ROLLING_SPAN of them in a row
 *
 *     Σ (spent + held) ≤ L      as far as the ceilings say: Σ ceilings ≤ L is the lessor's
 *
 * A request is booked on the sub-bucket in which it was admitted. So the newest one grows; those
 * before it give back what they do not use, and grow only for the holds that are open there. What
 * grows on one must fit into all the spans that it lies in, also into those that are over, and
 * into those of a clock that was ahead.
 *
 * The newest one's span is what nearly every look is for: its sums are kept, all others are added
 * up when they are asked for. Part of the core (core.h); nobody else includes this.
 */
#ifndef PURSER_BUDGET_GROUP_H
#define PURSER_BUDGET_GROUP_H

#include "budget/account.h"

/* 25 times 2^62 is out of range of 64 bits. */
struct group_sums {
    __int128 spent;
    __int128 used; /* spent, held and returning */
    __int128 ceiling;
};

struct group {
    uint64_t number; /* charge_group */
    struct account *newest, *oldest;
    struct group_sums sums; /* of the newest one's span */
    struct crowd line;
    uint64_t spent_event;
    int64_t told_s; /* the beginning of the newest one when the lessor told the following: when a
                       later one has come, only that they are old */
    int64_t elsewhere_granted, elsewhere_spent; /* of others, within that span */
};

/* A new sub-bucket joins its group, made if need be; `leave` before it is freed or loses its
 * budget. One that is the newest from now on makes those before it give back (headroom.h). */
void group_join(struct accounts *accounts, struct account *account);
void group_leave(struct accounts *accounts, struct account *account);

/* An account that lies in a span with it has holds, which may be extended. */
bool group_needs(const struct account *account);

/* What was restored for the account of that number lies in the span that ends with `window`. */
bool group_restored_counts(const struct restored *restored, uint64_t number,
                           const struct window *window, int64_t now_s);

/* Frees them; their accounts are freed already. */
void group_close_all(struct accounts *accounts);

/* Around every change of spent, held, returning or ceiling. Nothing happens to an account without
 * a group. */
static inline void group_take_out(struct account *account);
static inline void group_put_in(struct account *account);

static inline void group_note_spent(struct account *account, uint64_t event)
{
    account->spent_event = event;
    if (account->group != NULL)
        account->group->spent_event = event;
}

static inline uint64_t group_spent_event(const struct account *account)
{
    return account->group == NULL ? account->spent_event : account->group->spent_event;
}

/* True if a later sub-bucket has come: it grows only for the holds that are open there. */
static inline bool group_is_past(const struct account *account)
{
    return account->group != NULL && account->group->newest != account;
}

/* By how much the limit leaves more than what this process has been granted, whatever others have.
 */
int64_t group_leaves(const struct account *account);

/* What the lessor said of others in the span that ends with this sub-bucket. */
void group_tell(struct account *account, int64_t granted, int64_t spent);

/* What people see of the span that ends with `window`, of accounts that may not have appeared yet.
 */
struct group_view {
    int64_t spent, held, ceiling, forfeited;
    int64_t elsewhere; /* as it was told last */
};
void group_view(const struct accounts *accounts, const struct account_key *key, int64_t now_s,
                struct group_view *view);
/* When so much of what is used now has ceased to count, or all of it if that is less; at the
 * earliest when the next sub-bucket begins. */
int64_t group_falls_s(const struct accounts *accounts, const struct account_key *key, int64_t now_s,
                      int64_t amount);

static inline void group_add(struct account *account, int sign)
{
    struct group_sums *sums = &account->group->sums;
    sums->spent += sign * (__int128)account->spent;
    sums->used += sign * ((__int128)account->spent + account->held + account->returning);
    sums->ceiling += sign * (__int128)account->ceiling;
}

static inline void group_take_out(struct account *account)
{
    if (account->counted)
        group_add(account, -1);
}

static inline void group_put_in(struct account *account)
{
    if (account->counted)
        group_add(account, 1);
}

#endif
