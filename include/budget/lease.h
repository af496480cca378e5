/*
 * The lease: how an instance comes by its ceilings. The core says which of them should move
 * (headroom.h), the journal keeps them (journal.h), the store shares them out (store.h); this is
 * the order in which the three are talked to, and the answer to every way in which that can fail.
 * Sans I/O: whoever runs it asks what to do next, does it, and says how that went. In production
 * this is the treasury thread (treasury.h); in the simulator, the simulator.
 *
 *     growing    store, then journal, then the core may use it          (I2, I4)
 *     giving     core stops using it, then journal, then store          (I2)
 *
 * One operation is under way at a time. Its reply may be lost: then nobody knows whether it was
 * applied, and it is never sent again. The next operation is a SYNC with a higher sequence, which
 * states what the journal says: that takes back what was grown and not noted.
 *
 * The way into the store, at the start and whenever it is not certain that the store is the one
 * that was talked to before (its fence is another, it does not know the journal, its gseq did not
 * grow, it forgot a grant):
 *
 *     JOIN → EPOCH → mark → SYNC of all rows → (READY until it is open) → MOVE, BEAT
 *
 * The mark (struct store_mark) is in the journal before the SYNC that lets others grow in that
 * epoch: so a server that was left behind, and is found again, is known by its lower epoch, or by
 * another fence in the same one, whatever happened to this process; it has lost data.
 *
 * Who is new does not grow at once: an instance that may grow itself must have it on its roster, on
 * disk (store.h: it vouches), so that in whatever epoch comes next somebody names it as one to be
 * waited for. That takes two beats of the other one. Where no server can have been left behind,
 * because none ever had a replica, it waits for so long, and then goes on by itself.
 *
 * EPOCH is sent always: where the fence is as it should be, and nothing was seen that the store
 * forgot, it does nothing. If the store, open, has less than the journal says, then the journal is
 * right: what is missing is charged. If on
 * the other hand it has granted more than was ever noted (the process ended between the store's
 * answer and the commit), then nothing of the difference was used (I4): a SYNC takes it back.
 *
 * The store forgets sessions that nobody uses. Who did not hear it for half an hour reserves
 * nothing more on them, then enters it anew, and gives back what it had of them before it uses them
 * (lease_apart.c); so it does at the start.
 *
 * Alone (embedded) there is no store: what the limit leaves is granted at once, and the journal is
 * all there is.
 *
 * While no commit works, or the store does not answer, whoever waits for growth is told so at once.
 * But where a budget says so (away_open), an account may go on without a store that answers: its
 * ceiling is raised by up to so much, in the journal first as ever. The journal also has how much
 * that was in all, so that no restart begins it anew. When the store answers, it is told as what it
 * has forgotten is: SYNC states the ceiling, and what is missing is charged. A store that is empty,
 * or recovers, answers: then nothing is overdrawn.
 *
 * Not thread-safe, like the core: both are behind the gate's lock while a function here runs, and
 * neither is while an action is carried out.
 */
#ifndef PURSER_BUDGET_LEASE_H
#define PURSER_BUDGET_LEASE_H

#include "budget/core.h"
#include "budget/store.h"

struct lease;

struct lease_options {
    struct core *core; /* must outlive the lease; core_options.leased */
    bool shared;       /* there is a store */
    char journal[STORE_JOURNAL_SIZE];
    int64_t incarnation;    /* of the journal's opening, above all before; on disk already */
    struct store_mark mark; /* the journal's */
    struct text label;
};

enum lease_step {
    LEASE_REST,   /* nothing to do before `until_ms` or, if `eager`, until the core wants something
                     (core_wants_growth) */
    LEASE_COMMIT, /* put `rows` into the journal, on disk before lease_committed: each is a ceiling
                     with its account's whole name, `amount` in nano-dollars, tokens or requests */
    LEASE_MARK,   /* put `mark` into the journal in the place of the one before, on disk before
                     lease_committed */
    LEASE_ASK,    /* put `request` to the store */
};

struct lease_action {
    enum lease_step step;
    int64_t until_ms;          /* REST; INT64_MAX: nothing to do by itself */
    bool eager;                /* REST */
    const struct charge *rows; /* the lease's, until it is told how it went */
    size_t row_count;
    bool overdrawn; /* COMMIT: some of it no store has granted (on_store_away) */
    int64_t now_s;  /* COMMIT: other rows whose time is up by then may be forgotten */
    const struct store_request *request; /* likewise */
    const struct store_mark *mark;       /* likewise */
};

enum lease_state {
    LEASE_EMBEDDED,
    LEASE_OPEN,       /* the store answers and grants */
    LEASE_RECOVERING, /* it answers, and grants nothing until all instances have synced */
    LEASE_NEWCOMER,   /* it answers, and grants nothing to this instance yet: it is new, and nobody
                         has vouched for it */
    LEASE_EMPTY,      /* it answers, and nobody has set it up: an operator must look */
    LEASE_GONE,       /* it does not answer; or nobody has asked it yet */
    LEASE_STATE_COUNT
};

/* `rows`: the journal's, as found at the start; core_restore_ceiling was called for each. Copied.
 */
struct lease *lease_open(const struct lease_options *options, const struct charge *rows,
                         size_t count);
void lease_close(struct lease *lease);

/* What to do now. `now_ms` is steady time. Must not be called again before the action (but REST)
 * was answered. */
void lease_next(struct lease *lease, int64_t now_ms, int64_t now_s, struct lease_action *action);

/* False: nothing of it is on disk, or nobody knows whether it is. Growth stops until a commit has
 * worked again: all rows are then committed anew. */
void lease_committed(struct lease *lease, int64_t now_ms, bool done);

/* STORE_AWAY if there was no reply. The reply is read only here. */
void lease_replied(struct lease *lease, int64_t now_ms, const struct store_reply *reply);

/* Gives back everything that is not held or spent: at a shutdown, until lease_next rests for ever
 * (as it does at once where no commit works or the store does not answer). */
void lease_retire(struct lease *lease);

enum lease_state lease_state(const struct lease *lease);
/* As people are told it: "embedded", "redis", "recovering", "newcomer", "empty", "away". */
const char *lease_state_name(enum lease_state state);
/* Why nothing grows in that state, and what helps: the words behind "no budget can grow: ". Who was
 * refused although it `grants` (lease_grants) waited for longer than it might. */
const char *lease_state_why(enum lease_state state, bool grants);

/* What else people are told of the store, as it said itself last. */
struct lease_news {
    enum lease_state state;
    int64_t epoch, instances;
    int64_t absent;                   /* RECOVERING: so many have not synced yet, */
    char missing[STORE_JOURNAL_SIZE]; /* and the journal of one of them; empty: not known */
};
struct lease_news lease_news(const struct lease *lease);

/* False while nothing can grow: no commit works, or nobody grants. */
bool lease_grants(const struct lease *lease);

#endif
