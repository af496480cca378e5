/*
 * The store: what instances share. What each was granted of every account, and nothing of any
 * request, so that nothing can leak or expire there. This header is its language; spoken by
 *
 *     store_apply        here, in C and without I/O: the reference, and the simulator's Redis
 *     store.lua          the same in Lua; a test compares them on a million random operations
 *
 * All amounts are in the store's units: micro-dollars (Lua's numbers are doubles), tokens or
 * requests; 0 to STORE_MOST. The store holds, for account a and journal n,
 *
 *     g[a,n]   granted to n so far, over the whole life of the account: n has spent and holds no
 *              more than that
 *     gone[a]  what instances were granted, have spent, and know nothing of any more (`anew`):
 *              nobody's, and never given back. It goes with the account, or with a loss of data
 *     G[a]     Σ g[a,n] + gone[a]; grown only while G ≤ L (I3), or by a charge
 *     u[a,n]   what n said it has spent: to be read; it decides only whether n's g is `gone`, and
 * of sessions not even that
 *
 * The sub-buckets of a rolling window are accounts of a group, told by their numbers (charge.h).
 * What grows on one of them must fit under the limit with every WINDOW_ROLLING_SPAN in a row that
 * it lies in, earlier and later ones, whatever the clocks of those say who grew them.
 *
 * Every operation names its instance by journal, incarnation and sequence, and is applied only if
 * (incarnation, sequence) is above the last one of that journal (I5); so what is doubled or late
 * does nothing. It also names the fence and the epoch that the instance knows. The fence is the
 * server's run id with its replication id: after a restart, a promotion, or there and back, it is
 * another one, and acknowledged writes may be lost. Then nothing is granted until all instances
 * have said (STORE_SYNC) what they were granted.
 *
 * An epoch that recovers opens (STORE_READY) when everybody is present, that is, has stated all its
 * rows: who is in the registry, and who stands on the *roster* of anybody that is present. A roster
 * is the set of journals that an instance has heard of, of an open epoch, and keeps on its disk: so
 * a server that lost an instance's JOIN is told that it must wait for it. Each name has with it
 * something that the journal has said (incarnation, sequence); an operator's LEAVE is kept with the
 * last that it had said then, and a name that is not later than that is of before, and means
 * nothing. So who was let go is not waited for again because somebody who was away remembers it,
 * and who has come back since is. Who is named with a later word than was known then is waited for
 * once more, and let go once more; but of those counted (`instances`) it is one.
 *
 * A server that a failover has left behind still takes writes, under a fence that is its own. The
 * members are safe there: the epoch of the other server does not open without them, and who takes
 * part in that never comes back. Of somebody who joins, nobody there knows. So a newcomer may not
 * grow before one of those who may grow themselves *vouches* for it: it has it on its roster, on
 * its disk, and says so to this server (`vouches`). Who has gone to another server vouches here no
 * more. Nobody need vouch
 *  - for the first member of all, at the server where the epoch began, and which no failover has
 *    left since, not even there and back (of a server that had no replica then that is not known);
 *  - for who takes part in a recovery and stands on a roster, or states a number of before there
 *    were rosters (`instances`): the others wait for it;
 *  - where no other server can be there, or all that can have the JOIN: `alone`, `replicated`.
 * Where nobody could vouch, somebody with a roster who comes begins an epoch (STORE_EPOCH). If none
 * is left, an operator's LEAVE of those who are gone is their word.
 */
#ifndef PURSER_BUDGET_STORE_H
#define PURSER_BUDGET_STORE_H

#include "base/arena.h"
#include "money/limit.h"

#define STORE_JOURNAL_SIZE 33 /* 128 random bits in hex, and the final zero */
#define STORE_FENCE_SIZE   128
#define STORE_GONE         "gone" /* stands for a journal where the store names who has what */

/* Of more members than that nobody hears, so that nobody can vouch for one more. */
#define STORE_MEMBERS_MOST 256

/* No amount in any unit is above this, nor are an account's sums; two of them are still exact in a
 * double. A limit above it counts as this. */
#define STORE_MOST INT64_C(4000000000000000)

/* So many nano-dollars are one of the store's units. */
#define STORE_USD_STEP 1000

/* An account is kept so long after it was last named, whatever clock said that its end is near. */
#define STORE_LINGER_S 7200

enum store_kind {
    STORE_INIT,  /* an operator's word: if the store is empty, it is set up: the epoch is `epoch`,
                    nobody is registered; open, or if `instances` is above 0 recovering until so
                    many journals have synced that have taken part before the loss (one that is
                    new is not counted), besides all who are named. STALE if it is not empty */
    STORE_JOIN,  /* enters the journal into the registry, or says it is there again; answers fence,
                    epoch and state. Does not look at fence and epoch */
    STORE_MOVE,  /* grows, gives back and charges: row by row, each by itself: first `give`, then
                    `charge`, then growth */
    STORE_SYNC,  /* states values. While the epoch is open: g = min(g, value). While it recovers:
                    g = value; the last one of a journal's rows (`complete`) marks it present */
    STORE_EPOCH, /* compare and set: if the store's epoch is `epoch`, and its fence is not the
                    server's or the asker has seen that data was `lost`, or it is open and does
                    not know one of the `roster`, or the asker is on it and nobody could vouch
                    for it: epoch + 1, recovering, the server's fence, nobody present. If it
                    recovers, the roster is waited for. Else nothing; the reply says what is.
                    Does not look at fence */
    STORE_READY, /* opens the epoch if it recovers and nobody is absent; the reply says whether */
    STORE_BEAT,  /* says it lives, reports `spent` of its rows, and reads them */
    STORE_LEAVE, /* an operator's word, of the epoch `epoch`: takes a journal (`whose`) out of the
                    registry; what it was granted stays charged until its accounts' ends. Where
                    fewer are present than were counted (`instances`), or nobody could vouch, also
                    one that the store does not know of. Of those who were counted each is taken
                    off once, and counts no more if it comes back. If nobody is left who was
                    vouched for, all that are left are. Names no journal of its own, and looks at
                    no sequence. It may come back by JOIN */
    /* An operator's word, of fence and epoch: a journal (`whose`) that has left and will not come
     * back has spent no more of each row's account than `value`: g = min(g, max(value, u)), and
     * u = g, for that is spent. A value and no difference: said again, it changes nothing.
     * Accounts of which it has nothing stay as they are. If it does come back by JOIN all the
     * same, it charges what it has (lease.h). OLD_FENCE also while it recovers; STRANGER: it has
     * not left; STALE: `incarnation` and `sequence` are not its last ones, so it was here again
     * since somebody looked. */
    STORE_RECONCILE,
};

struct charge;

/* One account of a MOVE, SYNC, BEAT or RECONCILE. What is not wanted is 0. */
struct store_row {
    uint64_t account;
    int64_t limit; /* L as this instance knows it; where nothing grows: LIMIT_NONE if it does not */
    int64_t until_s; /* the account may be forgotten then; WINDOW_FOREVER: never */
    int64_t least;   /* MOVE: to grow by this, or by what the limit leaves if that is less, */
    int64_t most;    /* and by as much as this if (L − G) / 2N is more than `least` */
    int64_t give;    /* MOVE: to be taken off g; no more than g is */
    int64_t charge;  /* MOVE: to be added to g whatever the limit says */
    int64_t value;   /* SYNC, RECONCILE */
    int64_t spent;   /* u */
    bool rolling;    /* MOVE, what grows: a sub-bucket of a rolling window, and its limit is that of
                        its group */
    /* MOVE, SYNC: the asker knows nothing of what it had of this account: it was silent for longer
     * than it remembers a session, and others were not. If u is above 0, all of g is `gone` before
     * anything else is done, and u is 0, though all that is gone counts as spent `elsewhere`. Such
     * a row says that nothing is `spent`: so if its reply is lost, it may be said again. */
    bool anew;
    /* With `anew`, of a session: this beginning's number, of those of this incarnation. It may have
     * spent what it had no time to tell: g is gone whatever u is, unless this beginning was heard
     * of before. 0: of another account; where u is 0 an answer was lost, and g was never used. */
    int64_t beginning;
    const struct charge *what; /* MOVE, SYNC: for people, what account this is (registry.h); NULL:
                                  it has been said. Decides nothing, and the reference keeps none */
};

/* No operation has more rows. */
#define STORE_ROWS_MOST 512

/* A journal, and the last that is known of what it has said. */
struct store_seat {
    char journal[STORE_JOURNAL_SIZE];
    int64_t incarnation, sequence;
};

/* In the order of the journals. */
struct store_roster {
    size_t count;
    struct store_seat at[STORE_MEMBERS_MOST];
};

bool store_roster_equal(const struct store_roster *a, const struct store_roster *b);

/* What an instance must not forget of the store, however often it starts: it is on its disk before
 * it states anything in that epoch (STORE_SYNC). All 0: it has taken part in none. */
struct store_mark {
    int64_t epoch; /* the highest that it has taken part in */
    char fence[STORE_FENCE_SIZE];
    int64_t instances; /* N of the last reply of an open epoch in which it might grow; 0: there was
                          none, and nobody has ever vouched for it */
    struct store_roster roster; /* of that reply; empty, and `instances` is not: as it was noted by
                                   a purser that had none */
};

/* What an operation does not use is 0. Asserted: amounts, and numbers below STORE_MOST. */
struct store_request {
    enum store_kind kind;
    char journal[STORE_JOURNAL_SIZE];
    char whose[STORE_JOURNAL_SIZE]; /* LEAVE, RECONCILE */
    struct text label;              /* JOIN: the instance's name, for people */
    char fence[STORE_FENCE_SIZE];
    int64_t epoch;
    int64_t incarnation, sequence;
    int64_t now_s;     /* the instance's wall clock: for `last seen`, which decides nothing */
    bool complete;     /* SYNC: the last of this journal's rows */
    bool lost;         /* EPOCH: `gseq` did not grow, or g is below what this journal was granted */
    int64_t instances; /* EPOCH, complete SYNC: of a mark without a roster; so many must be present,
                          too. INIT: see there */
    int64_t known;     /* EPOCH: the highest epoch that the asker has heard of: the new one is above
                          it, too */
    int64_t vouches;   /* MOVE, SYNC, BEAT, of who may grow: `gseq` of the last reply in this epoch
                          that says who its journal's roster has: who is told there, or those of
                          before; 0: none */
    const struct store_roster *roster; /* EPOCH, complete SYNC: the mark's; NULL: empty */
    const struct store_row *rows;      /* MOVE, SYNC, BEAT, RECONCILE */
    size_t row_count;
};

enum store_verdict {
    STORE_OK,
    STORE_OLD_FENCE,  /* fence or epoch are not the store's, or the store's fence is not the
                         server's: nothing was done. Ask by JOIN */
    STORE_RECOVERING, /* MOVE: gifts and charges were done, nothing was grown; SYNC belongs now */
    STORE_STALE,      /* incarnation and sequence are not above the last: nothing was done */
    STORE_STRANGER,   /* the journal is not in the registry (it was made to leave, or the store is
                         another one): nothing was done. Ask by JOIN */
    STORE_EMPTY,      /* there is no `meta`: data loss, or never set up. An operator must look */
    STORE_AWAY,       /* (a lessor's) no answer, or none that can be read: it may have been done */
};

struct store_answer {
    int64_t moved;     /* grown by; 0 or more */
    int64_t granted;   /* g of the asker (RECONCILE: of `whose`) after it. Less than the asker has:
                          the store lost it, or it was let go (LEAVE): the asker owns no more than
                          this now, and charges what it has spent above */
    int64_t total;     /* G after it */
    int64_t elsewhere; /* Σ u of the others, and of what is gone */
    int64_t beside_granted; /* rolling: Σ (G − g of the asker) of the sub-buckets before it in the
                               span that ends with it; and Σ of u likewise */
    int64_t beside_spent;
    bool wanted; /* somebody else was refused here lately: idle headroom is welcome back.
                    Said 2N times after each refusal */
};

struct store_reply {
    enum store_verdict verdict;
    char fence[STORE_FENCE_SIZE]; /* the server's, at this moment */
    int64_t epoch;
    bool recovering;
    bool unfenced;     /* the store's fence is not the server's: EPOCH is due */
    int64_t gseq;      /* grows with every operation that was applied; if it ever does not, data
                          was lost */
    int64_t instances; /* N: of the registry, those who have stated their rows */
    int64_t absent;    /* so many more must be present before READY opens it; 0 while open */
    bool vouched;      /* the asker is a member, has stated its rows, and somebody has vouched for
                          it, or nobody need */
    int64_t changed;   /* gseq of the last reply before which somebody was enrolled or let go */
    bool alone;        /* no replica was ever seen at any server that had this data */
    bool replicated;   /* (a lessor's) JOIN: all servers that may be promoted have it */
    size_t row_count;  /* one for each of the request's rows, if OK or RECOVERING; else 0 */
    struct store_answer rows[STORE_ROWS_MOST];
    /* To a member that has stated its rows, of an open epoch: all who have, unless they are the
     * same as the asker `vouches` for. READY, and it recovers: who is absent. Else, or if they are
     * too many, empty. */
    struct store_roster roster;
};

/* ---- the reference ---- */

struct store;

struct store *store_open(void); /* empty: everything but INIT is answered with STORE_EMPTY */
void store_close(struct store *store);
/* The server's identity changes (a restart, a promotion); what it holds stays. As in Redis, the
 * part before the first '.' is the process's, and the one behind it the replication's. */
void store_set_fence(struct store *store, const char *fence);
/* Whether the server has a replica, or had one under this fence; at first it has none. */
void store_set_replicas(struct store *store, bool has);
/* Whether it still tells that it was promoted; at first it does not. */
void store_set_promoted(struct store *store, bool was);
/* store_set_fence, and what `purser budget init` does: epoch 1, open, nobody registered. */
void store_init(struct store *store, const char *fence);
/* The server's clock; 0 at first. Accounts whose time is up by it are forgotten. */
void store_set_time(struct store *store, int64_t now_s);
/* A copy of all it holds: a replica, or what a server falls back to. */
struct store *store_copy(const struct store *store);

void store_apply(struct store *store, const struct store_request *request,
                 struct store_reply *reply);

/* For checks: g of a journal, what is gone, G. 0 if there is no such account. */
int64_t store_granted(const struct store *store, uint64_t account, const char *journal);
int64_t store_gone(const struct store *store, uint64_t account);
int64_t store_total(const struct store *store, uint64_t account);
/* Likewise: whether the journal is in the registry, and what it has said last (0 if it is not known
 * at all). */
bool store_has(const struct store *store, const char *journal, struct store_seat *last);

#endif
