/*
 * Headroom: how far the ceilings of accounts are above what is spent and held on them; whose must
 * grow, and who has more than it needs. This is the core's side of the talk with the lessor;
 * lease.c is the other, and decides when and in which order. Part of the core (core.h); nobody else
 * includes this. Where the core is not leased (core_options) nothing here is called.
 *
 * A ceiling grows when somebody waits for room under it (by what all who wait there lack), and
 * before that, off the path of any request, when less than half of the target is left:
 *
 *     target = what is reserved there in `lease_s` seconds (core_options), going by the last two
 *
 * The store keeps the row of a session for two hours after it was told of it (STORE_LINGER_S), and
 * forgets it when nobody uses the session. So the headroom of a session is of use only while the
 * store hears of it: headroom_round has it told of. After so long without an answer that the row
 * may go, the lease lets another `era` begin (lease_apart.c): what a session has of an era before,
 * or from the journal, is given back when the session is used again, and nothing is reserved on it
 * (headroom_shut). Facts and streams that run go on.
 *
 * What is asked in advance is never above what the limit leaves beside what others were granted, as
 * far as that is known (account_obtainable); for those who wait, never above what it leaves beside
 * the ceiling. What the lessor grants may be less.
 */
#ifndef PURSER_BUDGET_HEADROOM_H
#define PURSER_BUDGET_HEADROOM_H

#include "budget/core_state.h"

/* After so long without use headroom goes back to the lessor. */
#define HEADROOM_IDLE_S 5

/* A move that the core wants on one account. It stays pinned, and asks for nothing else, until
 * headroom_answer. */
struct growth {
    struct account *account;
    int64_t least;  /* somebody waits for so much; 0: nobody waits */
    int64_t most;   /* so much would do for a while; 0 if only `charge` is wanted */
    int64_t charge; /* a bill above its hold: to be granted whatever the limit says */
};

/* Those who want to grow, the longest waiting first; at most `most` of them. */
size_t headroom_take(struct core *core, struct growth *growths, size_t most);
/* Also: what earlier sub-buckets have is to be given back. */
bool headroom_any(const struct core *core);
bool headroom_left_over(const struct core *core);
/* It cannot be given now: it goes when it is idle. */
void headroom_postpone(struct core *core);

/* What the lessor said of one growth, once it is on disk (I4). */
struct growth_answer {
    int64_t grown;             /* above 0: the ceiling is so much higher from now on */
    int64_t charged;           /* of struct growth's `charge`: in the ceiling from now on, too */
    int64_t elsewhere_granted; /* Σ g of the other instances; 0 if there are none */
    int64_t elsewhere_spent;   /* what they said they have spent of it: at most that */
    int64_t overdrawn;         /* of `grown`: what no store granted, because none answers */
    bool heard;                /* what is elsewhere was said; else nothing new is known of it */
    bool away;                 /* nobody answered: who waits for it is told so (VERDICT_AWAY) */
};
void headroom_answer(struct core *core, struct account *account,
                     const struct growth_answer *answer);

/* How much more its budget lets the account have while no store answers (away_open). A rolling
 * window has none: each of its sub-buckets would have it; nor has a session of which the store was
 * not heard for too long. */
int64_t headroom_allowance(const struct core *core, const struct account *account);

/* So it does now: no store answers (core->alone), and something is left of that and of the limit.
 */
bool headroom_overdraws(const struct core *core, const struct account *account);
/* Then it is asked for, though others are known to hold the rest of the limit. */
void headroom_note_alone(struct core *core, struct account *account);

/* Asks again for those who still wait, and for overruns that nobody answered for: to be called now
 * and then (250 ms), because others give back what they do not use. */
void headroom_remind(struct core *core);
/* No store answers: asks for those who wait for what others are known to hold of the limit, too, as
 * far as accounts may go on without. */
void headroom_remind_open(struct core *core);

/* Asks for the ceilings of windows that begin within two seconds, of as much as the accounts of the
 * present ones had reserved on them of late; what is not used goes back as ever. To be called now
 * and then; does nothing but once in a window. */
void headroom_look_ahead(struct core *core);

/* Looks at some of what was restored: lets those accounts appear whose lease nobody used yet, so
 * that it goes back, and those with an overrun, so that it is told. To be called now and then. */
void headroom_look_behind(struct core *core);

/* What goes back to the lessor: the ceiling is lower already, and must be so on disk before the
 * lessor is told. The account stays pinned until headroom_given. */
struct gift {
    struct account *account;
    int64_t amount; /* by which it was lowered; 0: before that (headroom_shut) */
};

/* Lowers the ceilings of earlier sub-buckets (group.h), but of what these got for holds that are
 * open, and of accounts that nobody used for HEADROOM_IDLE_S; with `all`, of every
 * account, whether somebody waits there or not. Returns the number of gifts, at most `most`. Idle
 * ones of which the lessor is yet to be told what is spent (core->tells) stay among those that may
 * have headroom, whether they have or not. */
size_t headroom_yield(struct core *core, int64_t now_s, bool all, struct gift *gifts, size_t most);
/* Of this account, whoever waits there: others lack what it does not use. False: it has nothing, or
 * wants more itself. */
bool headroom_yield_one(struct core *core, struct account *account, struct gift *gift);
void headroom_given(struct core *core, struct account *account);

/* A session that is about to be used: if it is of another era, lowers its ceiling to what is spent
 * and held (that is given back before it grows), and forgets what others had of it. */
void headroom_shut(struct accounts *accounts, struct account *account);

/* Looks at the next `portion` chains of accounts for sessions of which the store must be told, and
 * returns their number, at most `most`: those with headroom or with open holds. What was
 * not used for a minute is given back instead, whoever asks there in vain. */
size_t headroom_round(struct core *core, size_t portion, struct account **found, size_t most);

/* ---- told by the rest of the core; nothing happens if it is not leased ---- */

/* It may be used soon: fetches those before and after it, which its use changes, into the cache. */
void headroom_expect(const struct account *account);
/* It is used, and so much was reserved on it. */
void headroom_note_use(struct accounts *accounts, struct account *account, int64_t amount);
/* Its window comes next, and so much was reserved of late where it stands for another one. */
void headroom_note_coming(struct accounts *accounts, struct account *account, int64_t flow);
/* Somebody waits for room on it; or, `lack` above 0, was refused so much at once. */
void headroom_note_lack(struct accounts *accounts, struct account *account, int64_t lack);
/* Somebody who lacked room on it was refused, because nobody answers. */
void headroom_note_refusal(const struct core *core, struct account *account);
/* It may have an overrun that the lessor was not told of. */
void headroom_note_over(struct accounts *accounts, struct account *account);
/* It may have headroom, and was used just now. */
void headroom_note_room(struct accounts *accounts, struct account *account);
/* A later sub-bucket has come: what it does not use goes back at once. */
void headroom_note_past(struct accounts *accounts, struct account *account);
/* It is about to be freed. */
void headroom_forget(struct accounts *accounts, struct account *account);

#endif
