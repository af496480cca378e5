/*
 * The budget core: accounts, holds and waiters; sans I/O. Time comes in as an argument, wakes go
 * out as a list. Not thread-safe: gate.h puts the lock and the mail around it.
 *
 * Of each account's limit the core may use what a lessor has granted: its ceiling c (lease.h; where
 * the core is not `leased` it owns every limit whole, and c is the limit). For every account,
 * always:
 *
 *     I1   spent + held ≤ c + over           over: bills above their holds, booked as facts, until
 *                                            the lessor was told; and, if not leased, what was
 *                                            above a limit when it was lowered
 *     I6   held = Σ of the open holds' charges on it
 *
 * A hold is OPEN, then SETTLED exactly once. A request is booked for its whole life on the windows
 * in which it was admitted. Reserve in all accounts or in none.
 *
 * When the bound of a request does not fit (L: enforced limit):
 *   fits L − spent of every account, only holds in the way  → wait, first come first served
 *   does not fit L − spent, clamping allowed and
 *     input + min_output fits                               → clamp to what is left, waiting for
 *                                                             holds in the way as above
 *   else                                                    → EXHAUSTED; NEVER_FITS if it would
 *                                                             not even fit the untouched limit
 * Room under the limit that is not under the ceiling yet must be granted first: so who needs it
 * waits, too, in the same line, for a round trip of the lessor (`growing`).
 *
 * A waiter whose time is up is clamped to what is free if that is at least min_output, else
 * CONTENTION. Nobody overtakes an earlier waiter that waits for one of the same accounts. A waiter
 * waits for those of its accounts that have too little room for it or for somebody who waits there
 * before it: so a team that waits for its own budget does not hold up those with whom it only
 * shares one that has room. A waiter behind another is looked at when its turn comes or
 * its time is up. It stays with the windows in which it asked; of rolling ones it goes on to the
 * sub-bucket of the moment.
 *
 * Rolling holds (slice_tokens): a stream that can be stopped early holds its input and one slice of
 * output per choice, and is extended while it runs. Its maximum is decided by L − spent as above;
 * only its hold is small. So what must fit beside others' holds is the slice: where the full bound
 * would wait, the slice is granted at once, and many streams do not lock each other out. Of a
 * waiter whose time is up the slice is clamped to what is free, not the maximum. A slice is never
 * below min_output and the slack. A request is held in full where its maximum may not be lowered
 * (`clamp`: who wants no lowered maximum wants no early end either) and where no account limits USD
 * or tokens. Leased, room for the maximum is asked of the lessor when the slice is granted: an
 * extension that cannot wait may need it.
 *
 * Extensions (core_extend) never wait and go before those who wait: a running stream that is not
 * extended ends early, and what it cost so far buys half an answer, whereas who waits has spent
 * nothing yet. Waiters are not starved by it: nobody new overtakes them, a stream is never extended
 * above the maximum it was granted with, and so each ends and gives back what it holds.
 *
 * An input bound that is free is coarse, and a close one costs time. So who could bound its input
 * closer asks with the coarse bound first (may_recount), and is granted that only at once and
 * without clamping; else it is told to ask again with the close one, and has neither held nor
 * waited. It loses no place: nobody who did not wait before it can be granted what is not there.
 *
 * What needs nothing of a unit (a cached answer, a free model) is refused by none of its accounts
 * and waits for none, even after an overrun.
 *
 * Without a maximum of its own (named: false) a request wants the least of the model's maximum,
 * default_max_output if set and, unless clamp is never, the output that a quarter of what is left
 * (L − spent − the input) pays on the tightest account, but at least min_output. A request that
 * wants fewer than min_output has that as its min_output. Where neither USD nor tokens are limited
 * nothing is lowered. SCOPE_REQUEST limits are whole for each request and never quartered; so are
 * limits that a request brings along (ask.own), which bind also where no budget applies.
 */
#ifndef PURSER_BUDGET_CORE_H
#define PURSER_BUDGET_CORE_H

#include "base/table.h"
#include "budget/tour.h"
#include "money/charge.h"
#include "money/price.h"

enum clamp { CLAMP_ALWAYS, CLAMP_ABSENT, CLAMP_NEVER };

struct core_options {
    const struct budget *budgets; /* copied */
    size_t budget_count;
    enum clamp clamp;
    int64_t min_output_tokens;
    int64_t default_max_output; /* 0: none */
    size_t max_waiting;
    size_t max_accounts; /* at the bound new ids are refused; idle empty ones make room */
    int64_t lease_s;  /* leased: ceilings are so many seconds of traffic ahead of need; 0: they grow
                         by what is needed, each time */
    bool leased;      /* ceilings begin at 0 (or what was restored), and a lease makes them grow */
    int64_t usd_step; /* leased: limits in USD are rounded down to a multiple of so many
                         nano-dollars, as the store's are; at least 1. Else ignored */
};

enum verdict {
    VERDICT_GRANTED,
    VERDICT_WAIT, /* a wake will come; or call core_time_is_up or core_leave */
    VERDICT_EXHAUSTED,
    VERDICT_CONTENTION, /* also: max_waiting reached */
    VERDICT_NEVER_FITS,
    VERDICT_UNPRICED,  /* a USD budget applies and the model has no price */
    VERDICT_UNBOUNDED, /* a USD or token budget applies and the input has no bound, or the output
                          has none and may not be clamped */
    VERDICT_RECOUNT,   /* only if ask.may_recount: it would wait, be clamped or be refused; ask anew
                          with the closer bound */
    VERDICT_CROWDED,   /* max_accounts reached by a new id */
    VERDICT_AWAY,      /* there may be room, but nobody can grant it now: to who waited; or at once,
                          of a session of which the store was not heard for too long, nor answers */
    VERDICT_AGAIN,     /* only to who waited: the rules have changed (core_redefine); ask anew */
};

/* The asker's own; comes back with the wake. */
struct cookie {
    void *owner;
    uint64_t number;
};

/* Limits that a request sets itself; LIMIT_NONE: none. At most MONEY_MOST.nano in any unit. */
struct own_limits {
    int64_t limit[UNIT_COUNT];
};

/* What a call wants to hold. Copied as far as a waiter needs it. */
struct ask {
    const struct subject *subject;
    const struct price *price;    /* NULL: unpriced. Must outlive the hold (it is the catalog's) */
    struct bound bound;           /* input_tokens INT64_MAX: unbounded */
    int64_t wanted_output;        /* the client's maximum, else the model's own; INT64_MAX: unknown;
                                     ignored if bound.output_free */
    int64_t least_output;         /* with fewer it is of no use: above min_output that counts */
    bool named;                   /* the client named it */
    const struct own_limits *own; /* NULL: none */
    bool may_recount;             /* the asker can lower bound.input_tokens */
    bool unbounded;               /* something in the request adds cost without a bound */
    int64_t slice_tokens; /* above 0: a rolling hold of so many output tokens per choice, what
                             may come between a cancellation and its effect included (slack);
                             0: held in full */
    int64_t slack_tokens; /* of slice_tokens: what may come between a cancellation and its effect.
                             A slice that is lowered still has so many and min_output */
    bool counted;         /* its request counts elsewhere: of that unit it needs nothing */
    int64_t now_s;        /* wall time, UTC */
    struct cookie cookie;
};

/* The account that decided a refusal (or the tightest USD account of a grant). A SCOPE_REQUEST
 * limit has no id, no spend and the window "request", which has no end. So is a request's own one
 * shown, but without a budget's name. */
struct account_view {
    struct text budget;          /* its name; valid until core_close, as in charges; empty: none */
    char id[SUBJECT_MAX_ID + 1]; /* the scope's id */
    enum scope scope;
    enum unit unit;
    struct window window;
    int64_t limit; /* enforced */
    int64_t limit_configured;
    int64_t spent, held;
    int64_t ceiling;   /* what this instance may spend and hold; not leased: the limit */
    int64_t overdraft; /* of `ceiling`: what no store has granted, because none answered */
    int64_t elsewhere; /* what other instances have spent, as far as they said */
    int64_t forfeited; /* of `spent`: booked without knowing whether it was used */
    int64_t resets_s;  /* when it begins anew: the window's end. A rolling window is shown as one,
                          from the beginning of what counts to now, with all that counts; then
                          that is when some of it ceases to count; of a refusal, enough of it to
                          be asked again. WINDOW_FOREVER: never */
};

/* Only what the verdict names is set, and the numbers among the rest are 0. */
struct grant {
    enum verdict verdict;
    uint64_t hold;       /* GRANTED: its id; 0 if no account is touched (nothing to settle) */
    int64_t max_output;  /* GRANTED: per choice; INT64_MAX: unlimited and unknown; 0 if
                            bound.output_free */
    int64_t held_output; /* GRANTED: per choice, what the hold covers: max_output, or less if it is
                            rolling */
    bool send_max;       /* GRANTED: max_output must be sent upstream (it is below what was
                            wanted, or the model's own maximum is not known) */
    bool clamped;        /* GRANTED: the budget lowered what the client wanted (or, if it named
                            nothing, what it might have got) */
    struct money amount; /* GRANTED: the hold in USD; 0 if unpriced, or unlimited without a bound */
    int64_t tokens;      /* GRANTED: the hold in tokens; likewise */
    uint64_t waiter;     /* WAIT: its id */
    bool growing;        /* WAIT: only until the lessor has answered; an extension's
                            CONTENTION: what it lacks was asked of the lessor */
    struct account_view blocking;  /* refusals: which account said no */
    int64_t affordable_max_output; /* NEVER_FITS: what would fit an untouched limit; 0: nothing */
    size_t charge_count;
    struct charge charges[CHARGE_MOST]; /* GRANTED; their ids are valid until the hold is settled */
};

struct core;

/* Asserts that no two budgets share accounts (same scope, window, zone and matches, and a unit that
 * both limit) and that no limit is above MONEY_MOST.nano, in any unit: the configuration refuses
 * both. */
struct core *core_open(const struct core_options *options);
void core_close(struct core *core); /* forgets holds and waiters; NULL-safe */

/* Puts spend (0 or more) from the ledger on an account (adds up); the account's name comes with the
 * first call that uses it. Where the charge names its scope, id and window too, core_view with
 * `everything` can show it before. Only before the first reservation. */
void core_restore(struct core *core, const struct charge *charge);

/* What was granted of an account before (charge.amount is its ceiling), from the journal: at the
 * beginning, like core_restore. */
void core_restore_ceiling(struct core *core, const struct charge *charge);

/* So much of the spend that was restored is booked without knowing whether it was used; likewise.
 */
void core_restore_forfeited(struct core *core, const struct charge *charge);

/* Some account should grow, or the lessor be told of an overrun: a lease has something to do. */
bool core_wants_growth(const struct core *core);

/* Puts other budgets and rules in force; what core_open asserts, this asserts too. Accounts are
 * told by what their number hashes (struct charge): so a budget that changes no more than its name,
 * its place, limits, buffer or idle time keeps its accounts, with spend, holds and window, and each
 * has its new limit at once. What is spent or held above that is a fact, as a bill above its hold
 * is.
 *
 * Accounts without a budget, or whose unit is not limited any more, are shown no more and refuse
 * nothing. Holds on them are settled as ever. Their spend is remembered for as long as charges say
 * (until_s): if a later redefinition brings the budget back, it counts again.
 *
 * All who wait are woken with VERDICT_AGAIN, in the order in which they came. Above a new and lower
 * max_accounts the present accounts stay and new ids are refused. Takes up to 1 µs an account. */
void core_redefine(struct core *core, const struct core_options *options);

/* To be called now and then (some times a second): from the first call on the wall clock is
 * believed only as far as steady time went on since (and a thousandth more, and two seconds), so
 * that a clock which is put to 2031 by mistake does not open windows that are never left again:
 * then windows are late until the clock is right, and this returns false. Both in milliseconds. */
bool core_check_clock(struct core *core, int64_t wall_ms, int64_t steady_ms);

/* What the wall clock says now: before anything else, where a lease shares a store, which
 * may have forgotten sessions meanwhile (lease_apart.c). gate_watch sees to it. */
void core_note_wall(struct core *core, int64_t now_s);

/* To be called now and then: who waits on a rolling window goes on to the sub-bucket of now, where
 * less may count. Every reservation does so, too. Leased, room is asked for in windows that are
 * about to begin. */
void core_turn(struct core *core, int64_t now_s);

void core_reserve(struct core *core, const struct ask *ask, struct grant *grant);

/* Asks the lessor for room for what `ask` may hold, without holding it: for a call that may have to
 * be paid at a moment that cannot wait. */
void core_prepare(struct core *core, const struct ask *ask);

/* Holds nothing on each account of a subject, whatever is left there: for a cost that is a fact and
 * is not asked, only settled. The grant is GRANTED or CROWDED; its charges are all 0. */
void core_reserve_fact(struct core *core, const struct subject *subject, int64_t now_s,
                       struct grant *grant);

/* Raises a rolling hold to its input and `output` tokens per choice, but to no more than the
 * maximum it was granted with: on all its accounts or on none. Never waits. It stays on the windows
 * of its admission, and accounts that have no budget any more extend without limit. Nothing is
 * taken if it covers `output` already. Asserts that the hold is open, and that it is not a fact's.
 *
 * The grant is GRANTED, with hold, max_output, held_output, amount, tokens and charges of the whole
 * hold as it is now (the ids in charges are valid as before); or EXHAUSTED (spend and this hold
 * leave too little) or CONTENTION (others' holds are in the way), with the account that said no:
 * then the hold is as it was, and asking again later may do. */
void core_extend(struct core *core, uint64_t hold, int64_t output, struct grant *grant);

/* A hold of a process that died, taken up again: of each unit as much as it held, whatever is left
 * there; on the accounts of the moment in which it was made. Before anybody reserves; the oldest
 * first. The grant is GRANTED or CROWDED. */
void core_rehold(struct core *core, const struct subject *subject, const struct spend *held,
                 int64_t made_s, struct grant *grant);

/* A waiter's time is up: grants clamped or refuses. False if it was woken before (its wake is on
 * the way). */
bool core_time_is_up(struct core *core, uint64_t waiter, int64_t now_s, struct grant *grant);
/* It lacks only what the lessor may still give, as far as is known: not what others hold; or it
 * could be clamped to what others leave once the lessor gave that; or, while none answers, what its
 * budget lets it have without (away_open). */
bool core_waits_for_lessor(const struct core *core, uint64_t waiter);
/* The waiter's client is gone. False if it was woken before: then the wake's hold must be settled.
 */
bool core_leave(struct core *core, uint64_t waiter);

/* Books what was used (0 or more of each unit); the rest can be held by others only after
 * core_release. In between the line that says so must be written (not synced): else, after kill -9,
 * the ledger might know this hold and another one that took its room, and book both. What is booked
 * shows at once, and nothing is shown as held. Never refuses: a bill above
 * its hold is a fact; `*over` (may be NULL) says by how much in USD, 0 if no USD account was
 * charged. Asserts that the hold is open. */
void core_book(struct core *core, uint64_t hold, const struct spend *used, struct money *over);
void core_release(struct core *core, uint64_t hold);
/* Both, where no line is to be written. */
void core_settle(struct core *core, uint64_t hold, const struct spend *used, struct money *over);

/* What is known now of a forfeit on one account. */
struct refund {
    uint64_t account;  /* its number, */
    int64_t since_s;   /* and which of a session's beginnings (struct charge): nothing goes back to
                          one that began anew since */
    int64_t given;     /* so much was not used after all: it is spent no more; 0 or more */
    int64_t forfeited; /* so much is forfeited no more: all of it, as the rest was used */
};

/* An account that is not remembered has nothing to give back. */
void core_refund(struct core *core, const struct refund *refund);

/* The same for many, in portions, as core_survey. The list is borrowed meanwhile. */
struct refunds;
struct refunds *refunds_open(const struct refund *list, size_t count);
bool core_refund_some(struct core *core, struct refunds *refunds, size_t portion);
void refunds_close(struct refunds *refunds);

/* Waiters that were decided by what happened since: call until it says false. */
bool core_next_wake(struct core *core, struct cookie *cookie, struct grant *grant);
bool core_any_wake(const struct core *core);

/* The accounts that a subject's calls would touch now (for GET /budget) and the SCOPE_REQUEST
 * limits that apply to it, in the order of the budgets; accounts not used yet are shown with what
 * was restored for them, else zero spend. SCOPE_MODEL, _UPSTREAM and _SERVICE ids absent from the
 * subject are shown for each account in use: of this window, or with open holds.
 * `everything`: instead all accounts in use or restored, unused ones of SCOPE_GLOBAL, and all
 * SCOPE_REQUEST limits; the subject is ignored and may be NULL.
 * Returns the number written, at most `most`. */
size_t core_view(struct core *core, const struct subject *subject, bool everything, int64_t now_s,
                 struct account_view *views, size_t most);

/* The USD account with the least left for this subject; false if no USD budget applies. */
bool core_tightest(const struct core *core, const struct subject *subject, int64_t now_s,
                   struct account_view *view);

/* What the accounts of one budget and unit are together: those of this window. */
struct budget_sum {
    struct text budget; /* as in account_view */
    enum scope scope;
    enum unit unit;
    int64_t spent, held, ceiling, overdraft, forfeited; /* of this instance */
};

/* One for each unit of each budget, but of SCOPE_REQUEST; in the order of the budgets. Returns the
 * number written, at most `most`. */
size_t core_sums(struct core *core, int64_t now_s, struct budget_sum *sums, size_t most);

/* core_sums, or core_view of everything, in portions: there may be many accounts, and the core can
 * be used in between (tour.h says what of it is told then). Begins with what is set, and the rest
 * zero; ends with `count`. */
struct survey {
    int64_t now_s;
    struct budget_sum *sums;    /* either this is set, */
    struct account_view *views; /* or this, */
    size_t most;                /* with room for so many */
    size_t count;
    struct tour tour; /* what follows is its own */
    struct sums *all;
    struct window *windows;
    size_t *places;
    struct table groups;
};

/* Looks at `portion` accounts more; false: it is over. To be called until then. */
bool core_survey(struct core *core, struct survey *survey, size_t portion);
/* Puts what was found in order; without the core. */
void survey_end(struct survey *survey);

/* Leased: false if nothing could be held as long as nobody lets ceilings grow, because some budget
 * without `match`, of a scope that each call has (global, key, session, model, upstream, service),
 * has no account with room of its own; or those that have were too small for who asked last. */
bool core_has_room(struct core *core, int64_t now_s);

/* The same in portions, as core_survey. Begins with the time, and the rest zero. */
struct room_look {
    int64_t now_s;
    bool has;         /* the answer, at the end */
    struct tour tour; /* what follows is its own */
    struct room_need *needs;
    size_t missing;
};
bool core_look_for_room(struct core *core, struct room_look *room, size_t portion);

size_t core_open_holds(const struct core *core); /* without those that are booked */
size_t core_waiting(const struct core *core);
bool core_any_usd(const struct core *core); /* some budget limits USD */

#endif
