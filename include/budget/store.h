/*
 * The store: what instances share. What each was granted of every account, and nothing of any
 * request, so that nothing can leak or expire there. This header is its language; spoken by
 *
 *     store_apply        here, in C and without I/O: the reference, and the simulator's Redis
 *     redis_scripts      the same in Lua; a test compares them on a million random operations
 *
 * All amounts are in the store's units: micro-dollars (Lua's numbers are doubles), tokens or
 * requests. The store holds, for account a and journal n,
 *
 *     g[a,n]   granted to n so far, over the whole life of the account: n has spent and holds no
 *              more than that
 *     G[a]     Σ g[a,n]; grown only while G ≤ L (I3), or by a charge
 *     u[a,n]   what n said it has spent: to be read only, never decided by
 *
 * Every operation names its instance by journal, incarnation and sequence, and is applied only if
 * (incarnation, sequence) is above the last one of that journal (I5); so what is doubled or late
 * does nothing. It also names the fence and the epoch that the instance knows. The fence is the
 * server's run id with its replication id: after a restart, a promotion, or there and back, it is
 * another one, and acknowledged writes may be lost. Then nothing is granted until all instances
 * have said (STORE_SYNC) what they were granted.
 */
#ifndef PURSER_BUDGET_STORE_H
#define PURSER_BUDGET_STORE_H

#include "base/arena.h"
#include "money/limit.h"

#define STORE_JOURNAL_SIZE 33 /* 128 random bits in hex, and the final zero */
#define STORE_FENCE_SIZE   128

enum store_kind {
    STORE_JOIN,  /* enters the journal into the registry, or says it is there again; answers fence,
                    epoch and state. Does not look at fence, epoch or sequence, and sets the
                    latter */
    STORE_MOVE,  /* grows, gives back and charges: row by row, each by itself */
    STORE_SYNC,  /* states values. While the epoch is open: g = min(g, value). While it recovers:
                    g = value; the last one of a journal's rows (`complete`) marks it present */
    STORE_EPOCH, /* compare and set: if the store's epoch is `epoch` and its fence is not the
                    server's: epoch + 1, recovering, the server's fence, nobody present */
    STORE_READY, /* opens the epoch if it recovers and all of the registry are present */
    STORE_BEAT,  /* says it lives; nothing else */
    STORE_LEAVE, /* takes a journal (`whose`) out of the registry; what it was granted stays
                    charged until its accounts' ends. An operator's word */
};

/* One account of a MOVE or SYNC. What is not wanted is 0. */
struct store_row {
    uint64_t account;
    int64_t limit;   /* L as this instance knows it, 0 or more; SYNC: LIMIT_NONE if it does not */
    int64_t until_s; /* the account may be forgotten then; WINDOW_FOREVER: never */
    int64_t least;   /* MOVE: to grow by this, or by what the limit leaves if that is less, */
    int64_t most;    /* and by as much as this if (L − G) / 2N is more than `least` */
    int64_t give;    /* MOVE: to be taken off g */
    int64_t charge;  /* MOVE: to be added to g whatever the limit says */
    int64_t value;   /* SYNC */
    int64_t spent;   /* u */
};

/* No operation has more rows. */
#define STORE_ROWS_MOST 512

struct store_request {
    enum store_kind kind;
    char journal[STORE_JOURNAL_SIZE];
    char whose[STORE_JOURNAL_SIZE]; /* LEAVE */
    struct text label;              /* JOIN: the instance's name, for people */
    char fence[STORE_FENCE_SIZE];
    int64_t epoch;
    int64_t incarnation, sequence;
    int64_t now_s; /* the instance's wall clock: for `last seen`, which decides nothing */
    bool complete; /* SYNC: the last of this journal's rows */
    const struct store_row *rows;
    size_t row_count;
};

enum store_verdict {
    STORE_OK,
    STORE_OLD_FENCE,  /* fence or epoch are not the store's: nothing was done. Ask by JOIN */
    STORE_RECOVERING, /* MOVE: gifts and charges were done, nothing was grown; SYNC belongs now */
    STORE_STALE,      /* incarnation and sequence are not above the last: nothing was done */
    STORE_STRANGER,   /* the journal is not in the registry (it was made to leave, or the store is
                         another one): nothing was done */
    STORE_EMPTY,      /* there is no `meta`: data loss, or never set up. An operator must look */
    STORE_AWAY,       /* (a lessor's) no answer, or none that can be read: it may have been done */
};

struct store_answer {
    int64_t moved;     /* grown by; 0 or more */
    int64_t granted;   /* g of the asker after it */
    int64_t total;     /* G after it */
    int64_t elsewhere; /* Σ u of the others */
    bool wanted;       /* somebody else was refused here lately: idle headroom is welcome back */
};

struct store_reply {
    enum store_verdict verdict;
    char fence[STORE_FENCE_SIZE]; /* the server's, at this moment */
    int64_t epoch;
    bool recovering;
    int64_t gseq;      /* grows with every operation that was applied; if it ever does not, data
                          was lost */
    int64_t instances; /* N: of the registry */
    int64_t absent;    /* of these, not present while it recovers */
    size_t row_count;  /* MOVE, SYNC: one for each of the request's rows, if OK or RECOVERING */
    struct store_answer rows[STORE_ROWS_MOST];
};

/* ---- the reference ---- */

struct store;

struct store *store_open(void); /* empty: everything is answered with STORE_EMPTY */
void store_close(struct store *store);
/* What `purser budget init` does: epoch 1, open, nobody registered. */
void store_init(struct store *store, const char *fence);
/* The server's identity changes (a restart, a promotion); what it holds stays. */
void store_set_fence(struct store *store, const char *fence);
/* A copy of all it holds: a replica, or what a server falls back to. */
struct store *store_copy(const struct store *store);

void store_apply(struct store *store, const struct store_request *request,
                 struct store_reply *reply);

/* For checks: g of a journal, G. 0 if there is no such account. */
int64_t store_granted(const struct store *store, uint64_t account, const char *journal);
int64_t store_total(const struct store *store, uint64_t account);

#endif
