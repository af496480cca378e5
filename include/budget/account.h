/*
 * Accounts: where holds and spend are counted. One account per (budget, unit, scope id, window);
 * they appear with their limit when first used and go when nothing can need them any more. The
 * sub-buckets of a rolling window are accounts of a group (group.h), which has the limit together.
 * Part of the core (core.h); nobody else includes this.
 */
#ifndef PURSER_BUDGET_ACCOUNT_H
#define PURSER_BUDGET_ACCOUNT_H

#include "base/hash.h"
#include "base/table.h"
#include "money/charge.h"

/* Accounts are remembered so long after the end of their window or of their idle time: the longest
 * request (3600 s) and as much again for clocks and restarts. */
#define ACCOUNT_LINGER_S 7200

struct group;

#define ACCOUNT_GONE SIZE_MAX

/* No account's spend counts further (2^62: above MONEY_MOST, and low enough that spent +
 * held stays in range), whatever nonsense an upstream bills. */
#define ACCOUNT_MOST (INT64_C(1) << 62)

/* How an account comes by its ceiling; headroom.c's. All zero if the core is not leased. What each
 * admission looks at stands last, beside the rest of that (struct account). */
struct growing {
    struct account *next; /* who wants after it */
    struct account *next_owing;
    int64_t lack;   /* an extension was refused for so much */
    int64_t wait;   /* scratch of headroom_take: what those need who wait here */
    int64_t lacked; /* by which `kept` was asked for */
    int64_t told;   /* what was spent when the store was told last */
    bool away;      /* the last answer was that nobody answers */
    bool fresh; /* nothing was remembered of it when it appeared: a bill may have come before it was
                   granted anything (POST /costs) */
    bool owes;  /* is among those whose overrun could not be told; pinned for it */

    bool wants;         /* is in the queue of those who want to grow; pinned for it */
    bool asked;         /* has left it, and the answer is to come; pinned likewise */
    bool refused;       /* somebody was refused for that since something was last held there */
    bool refused_alone; /* and that while it could go on without a store, as far as it may */
    bool loose;         /* is in the list of those who may have headroom */
    bool gives;         /* another sub-bucket lacks what it does not use */
    bool kept;    /* it got what an extension lacked: an earlier sub-bucket keeps that until it is
                     idle, or nothing is held there */
    bool shut;    /* its ceiling was lowered, and neither journal nor lessor were told */
    uint32_t era; /* of sessions: the one in which its headroom began; 0: before this process */
    struct account *older; /* who is loose, and was used before it */
    struct account *newer;
    int64_t flow; /* reserved there, halved every second */
    int64_t flow_s;
};

/* Who waits on an account, or on a group. */
struct crowd {
    size_t waiters;   /* waiters that have it among theirs */
    size_t wanted;    /* of these: waiters that wait for it */
    uint64_t claimed; /* the last look (core_state.h) in which a waiter claimed it */
};

/* Among 100,000 accounts that of a request is in no cache, and a line from memory costs more than
 * all that is computed with it. So what an admission or a settlement looks at stands together, with
 * the id behind it, and what they leave alone stands before: 5 or 6 lines instead of 8, which
 * account_expect fetches at once. */
struct account {
    struct account *next, *previous; /* of its budget, in the order of appearing */
    struct account *later, *earlier; /* of its group */
    int64_t forfeited;               /* of `spent`: booked without knowing whether it was used */

    struct growing growing; /* its first half is as rare */

    struct account *next_in_chain;
    uint64_t hash;
    uint64_t number; /* struct charge's `account` */
    size_t budget;   /* its index; ACCOUNT_GONE: it has none any more, only open holds */
    enum scope scope;
    enum unit unit;
    struct window window;
    int64_t limit; /* enforced; leased in USD: a multiple of usd_step */
    int64_t spent, held, over;
    int64_t returning; /* of booked holds, what they did not use: not to be held by others yet */
    int64_t overdraft; /* of `ceiling`: what the budget let it have without a store (away_open) */
    int64_t ceiling;   /* spent + held ≤ ceiling + over (I1); not leased: the limit */
    int64_t
        elsewhere_granted;   /* to other instances, and what they have spent of it, as the lessor */
    int64_t elsewhere_spent; /* said it last; 0 if there are none */
    int64_t idle_s;          /* its budget's, of sessions; else 0 */
    int64_t since_s;         /* struct charge's */
    int64_t used_s;          /* when somebody last came, or something was settled there */
    int64_t held_s;       /* when it appeared, or something was last held, settled or granted to be
                             held there: who is refused does not keep it */
    size_t pins;          /* open holds and waiters: it must stay */
    uint64_t spent_event; /* the last event that changed `spent` */
    struct crowd own_line;
    struct crowd *line;  /* its own, or its group's */
    struct group *group; /* of a rolling window; NULL: it is none's sub-bucket, or its budget has
                            gone */
    bool counted;        /* in the group's sums */
    struct text id;      /* of the scope; behind this struct */
};

/* group.h */
int64_t group_left(const struct account *account);
int64_t group_free(const struct account *account);
int64_t group_obtainable(const struct account *account);

/* What is left of the limit by what is booked, everywhere. Negative after an overrun. */
static inline int64_t account_left(const struct account *account)
{
    if (account->group != NULL)
        return group_left(account);
    return account->limit - account->elsewhere_spent - account->spent;
}

/* What a hold can have now: under the ceiling and, where the limit was lowered since, under that.
 * Negative after an overrun. */
static inline int64_t account_free(const struct account *account)
{
    if (account->group != NULL)
        return group_free(account);
    int64_t most = account->limit - account->elsewhere_spent;
    if (account->ceiling < most)
        most = account->ceiling;
    return most - account->spent - account->held - account->returning;
}

/* By how much the limit lets the ceiling grow, as far as is known. */
static inline int64_t account_obtainable(const struct account *account)
{
    if (account->group != NULL)
        return group_obtainable(account);
    int64_t more = account->limit - account->elsewhere_granted - account->ceiling;
    return more > 0 ? more : 0;
}

/* What is needed is there, or would be if all that is obtainable was granted. */
static inline bool account_reaches(const struct account *account, int64_t need)
{
    return need <= 0 || need <= account_free(account) + account_obtainable(account);
}

/* True if what is free does not suffice. Nothing is needed of an account: nothing lacks, also after
 * an overrun. */
static inline bool account_lacks(const struct account *account, int64_t need)
{
    return need > 0 && need > account_free(account);
}

/* The sum of two amounts, 0 or more, the first at most `most`; no more than that. */
static inline int64_t account_add(int64_t a, int64_t b, int64_t most)
{
    return b < most - a ? a + b : most;
}

struct account_key {
    size_t budget;
    enum unit unit;
    struct text id;
    const struct window *window;
};

/* What the core knows of one budget. */
struct lane {
    struct buffer definition; /* canonical: the beginning of what its accounts' numbers hash */
    bool limits[UNIT_COUNT];  /* for some id */
    bool rolling;             /* its windows are sub-buckets */
    struct window window;     /* the one last seen; never goes back */
    int64_t ahead_s;          /* the end of the window after which was looked already (ahead.c) */
    struct account *first, *last;
};

/* Asserts that no two budgets share accounts, and the limits' bounds. Freed lane by lane, then with
 * free(). */
struct lane *lanes_open(const struct budget *budgets, size_t count);
void lane_close(struct lane *lane); /* frees its accounts, too */
/* The number of an account (struct charge). The budget's index in `key` is not looked at. Of a
 * rolling window's sub-bucket the beginning counts, else the window's id. */
uint64_t lane_number(const struct lane *lane, struct hasher *hasher, const struct account_key *key);
void lane_append(struct lane *lane, struct account *account);
void lane_remove(struct lane *lane, struct account *account);

/* Accounts whose hashes end alike. */
struct chain {
    struct account *first;
    int64_t due_s; /* none of them can be over up to this moment; of no use if there are none */
};

struct accounts {
    const struct budget *budgets; /* borrowed from the core's definitions */
    struct lane *lanes;           /* one per budget */
    size_t budget_count;
    struct chain *chains;
    size_t chain_count; /* a power of two */
    size_t count, most;
    bool leased; /* core_options' */
    int64_t usd_step;
    int64_t lease_s;
    uint32_t era; /* headroom of sessions that began in another one is of no use any more; 0: all
                     is. headroom.h */
    struct account *first_want, *last_want; /* in the order of wanting */
    bool left_over;                  /* some earlier sub-bucket has what nobody will reserve */
    struct account *first_owing;     /* their overruns could not be told to the lessor */
    struct account *oldest, *newest; /* loose, in the order of use */
    size_t sweep_at;                 /* the next chain to sweep, */
    size_t round_at;                 /* and the next one that headroom_round looks at */
    struct lane gone; /* no budget: accounts that are in no chain and have open holds */
    /* By number: spend of accounts that did not appear yet: from the ledger, or of a budget that
     * went. An account is in its budget's lane, or among those gone, or here. */
    struct table restored;
    struct table groups; /* of rolling windows, by what their numbers have in common */
    size_t restored_at;  /* the next of it to sweep, */
    size_t looked_at;    /* and to look at for what is left over (leftover.c) */
    struct hasher *hasher;
};

/* ---- chains.c: the accounts by what a call knows about them */

/* Laid out once for the most accounts there may be (untouched pages cost nothing), so that no
 * reservation ever pays for a new lay-out under the lock. */
void chains_open(struct accounts *accounts, size_t most);
uint64_t account_hash(const struct account_key *key);
struct account *chains_find(const struct accounts *accounts, const struct account_key *key,
                            uint64_t hash);
/* By its `hash`. No other account of that key is there. It is not over up to `due_s`. */
void chains_add(struct accounts *accounts, struct account *account, int64_t due_s);
/* An account with that hash will be looked for soon: fetches where it hangs into the cache; and,
 * when that is there, the account. */
void chains_expect(const struct accounts *accounts, uint64_t hash);
void account_expect(const struct accounts *accounts, uint64_t hash);

/* Asserts that no two budgets share accounts. */
void accounts_open(struct accounts *accounts, const struct budget *budgets, size_t count,
                   size_t most);
void accounts_close(struct accounts *accounts);

/* Puts other budgets in force; nobody waits. What an account's number hashes tells the accounts
 * that have a budget still (or again): they keep all but limit and idle time. The others go: those
 * without open holds at once, their spend remembered as if it were restored. */
void accounts_redefine(struct accounts *accounts, const struct budget *budgets, size_t count,
                       size_t most, int64_t now_s);

/* The window of a budget at `now_s`: the one last seen as long as it lasts, and when clocks went
 * back (ids never go back). accounts_turn remembers it. */
struct window accounts_window(const struct accounts *accounts, size_t budget, int64_t now_s);
void accounts_turn(struct accounts *accounts, size_t budget, int64_t now_s);

/* What is enforced for an id: budget_limit_enforced, as the lessor can count it. LIMIT_NONE: none.
 */
int64_t accounts_limit(const struct accounts *accounts, size_t budget, enum unit unit,
                       struct text id);

/* NULL if it did not appear yet. */
struct account *accounts_find(const struct accounts *accounts, const struct account_key *key);

enum account_use { ACCOUNT_USED, ACCOUNT_UNLIMITED, ACCOUNT_CROWDED };

/* Finds the account or lets it appear, with what was restored for it, and pins it. One that is only
 * there because no sweep came by yet begins anew. UNLIMITED: the
 * budget does not limit that unit for that id. CROWDED: no room for one more. */
enum account_use accounts_use(struct accounts *accounts, const struct account_key *key,
                              int64_t now_s, struct account **account);
/* The same for who has hashed the key already. */
enum account_use accounts_use_hashed(struct accounts *accounts, const struct account_key *key,
                                     uint64_t hash, int64_t now_s, struct account **account);
static inline void account_unpin(struct account *account)
{
    ASSERT(account->pins > 0);
    account->pins--;
}
/* Unpins it at a settlement; one that has no budget any more goes with its last hold. */
void accounts_release(struct accounts *accounts, struct account *account);

/* What is booked and held stays, whatever the ceiling: then all above it is an overrun (I1). */
void account_note_overrun(struct account *account);

static inline void account_note_visit(struct account *account, int64_t now_s)
{
    if (account->used_s < now_s)
        account->used_s = now_s;
}

static inline void account_note_use(struct account *account, int64_t now_s)
{
    account_note_visit(account, now_s);
    if (account->held_s < now_s)
        account->held_s = now_s;
}

/* Until when it must be remembered, used now. */
int64_t account_until_s(const struct account *account);

/* Looks at a few chains and removes the accounts that nothing can need any more. */
void accounts_sweep(struct accounts *accounts, int64_t now_s);

/* Spend from the ledger; see core_restore. */
struct restored {
    int64_t amount;
    int64_t ceiling, overdraft, forfeited;
    int64_t until_s, since_s;
    size_t budget; /* ACCOUNT_GONE: of none of the budgets, or the charge did not name its id */
    enum scope scope;
    enum unit unit;
    char window[20];
    char *id;
};
void accounts_restore(struct accounts *accounts, const struct charge *charge);
/* Likewise of a ceiling, and of what of its spend is forfeited. */
void accounts_restore_ceiling(struct accounts *accounts, const struct charge *charge);
void accounts_restore_forfeited(struct accounts *accounts, const struct charge *charge);
/* The same by an account's number alone. */
const struct restored *accounts_restored_number(const struct accounts *accounts, uint64_t number,
                                                int64_t now_s);
uint64_t accounts_number(const struct accounts *accounts, const struct account_key *key);
/* What was restored for an account that did not appear yet; NULL if nothing was. */
const struct restored *accounts_restored(const struct accounts *accounts,
                                         const struct account_key *key, int64_t now_s);

#endif
