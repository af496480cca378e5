/*
 * The inside of the lease, shared by its files: lease.c (what to do next, and how it went),
 * lease_work.c (the moves of one operation), lease_vouch.c (whether it may grow), lease_apart.c
 * (how long it may go without the store), lease_news.c (what people are told). Nobody else includes
 * this.
 */
#ifndef PURSER_BUDGET_LEASE_STATE_H
#define PURSER_BUDGET_LEASE_STATE_H

#include "budget/headroom.h"
#include "budget/lease.h"
#include "budget/lease_rows.h"

/* Where it stands with the store. Alone it is always PHASE_OPEN. */
enum phase { PHASE_JOIN, PHASE_EPOCH, PHASE_SYNC, PHASE_READY, PHASE_OPEN };

/* What was ordered last and is not answered yet. */
enum order {
    ORDER_NONE,
    ORDER_GIFTS,  /* a commit: ceilings that were lowered, before the store is told */
    ORDER_GROWTH, /* a commit: ceilings as they will be */
    ORDER_MEND,   /* a commit: ceilings as they are, after a commit that failed */
    ORDER_MARK,   /* a commit: what must not be forgotten of the store */
    ORDER_ASK,
};

enum move_kind {
    MOVE_GROW,
    MOVE_GIVE, /* the ceiling is lower already */
    MOVE_MEND, /* the store has less than the journal says: no account */
    MOVE_LOOK, /* nothing moves: whether others want what is not used here */
};

/* One account's part of an operation. The account is pinned until the move is settled. */
struct move {
    enum move_kind kind;
    uint64_t number;
    struct account *account;
    struct growth growth; /* GROW */
    struct growth_answer answer;
    bool wanted; /* others want what is not used here */
};

/* A walk over all accounts, in portions. */
struct renewal {
    uint64_t number;
    size_t at; /* the next chain; 0: it is over */
    int64_t ended_ms;
    uint64_t redefined; /* the core's, when it began */
};

struct lease {
    struct lease_options options;
    char *label;
    int64_t now_ms, now_s;
    int64_t wall_s; /* `now_s` as the clock says it, whether it is believed or not */

    enum order order;
    bool failing;  /* the last commit did; `charges` are to be committed anew */
    bool gone;     /* the last question to the store had no answer, or it is empty */
    bool empty;    /* `gone`, because it is empty */
    bool unheard;  /* no store has answered since the start */
    bool stumbled; /* it had to start over, and nothing was moved since */
    bool retiring;
    int64_t not_before_ms; /* nothing is ordered before */
    int64_t since_ms;      /* not PHASE_OPEN since, or since it answers again */
    int64_t beat_ms;       /* the next sign of life and look for idle headroom, */
    int64_t looked_ms;     /* and the last one */

    enum phase phase;
    bool recovering;
    char fence[STORE_FENCE_SIZE];
    int64_t epoch, gseq, sequence;
    int64_t absent;            /* as the store said last, */
    struct store_seat missing; /* and one of them */
    struct store_mark mark;    /* of the highest epoch that was ever heard of */
    struct store_mark noted_mark;
    bool lost;         /* it was seen that the store forgot what it had applied */
    bool vouched;      /* it may grow; until it joins again */
    int64_t heard;     /* gseq of the last reply since then that says whom `mark` has; 0: none */
    int64_t joined_ms; /* the reply to JOIN */
    bool apart;        /* nothing is granted on sessions */
    int64_t asked_ms, asked_s; /* when the question under way was asked, steady and by the wall, */
    int64_t stated_ms, stated_s; /* when the rows began to be stated, */
    int64_t heard_ms, heard_s;   /* and when the last one was asked that an open store answered */
    struct lease_rows rows;      /* shared */
    size_t sync_at;              /* PHASE_SYNC: how far the rows are stated */
    struct renewal renewal;      /* of those of all accounts, before that */

    struct move moves[STORE_ROWS_MOST]; /* under way */
    size_t move_count;
    bool noted;                             /* the gifts among them are in the journal */
    struct charge charges[STORE_ROWS_MOST]; /* LEASE_COMMIT's */
    size_t charge_count;
    struct arena texts; /* of charges that failed */
    struct store_row store_rows[STORE_ROWS_MOST];
    struct store_request request;
};

/* ---- lease_vouch.c ---- */

/* It has joined: what it knew of who vouches is of before. */
void vouch_begin(struct lease *lease, const struct store_reply *reply);
/* Whatever the store said after that: who vouches for this instance, and how many there are. */
void vouch_take(struct lease *lease, const struct store_reply *reply);
/* Of whom this instance vouches now (store_request.vouches). */
int64_t vouch_for_others(const struct lease *lease);
/* Adds to the request who must be waited for. */
void vouch_state(struct lease *lease);

/* ---- lease_apart.c ---- */

/* From now on nothing is granted on sessions, and what they have is of an era before. */
void apart_begin(struct lease *lease);
/* Whether who waits for growth is told that nobody grants it: so is who waits for a session then.
 */
void apart_tell(struct lease *lease, bool refused);
/* It is time for that and to enter the store anew: the store was not heard for too long. */
bool apart_is_due(const struct lease *lease);
/* The store was not heard for a round's time, in which all sessions are looked at once
 * (work_add_round): it is to be entered anew before it counts as heard. */
#define ROUND_MS 300000
bool apart_must_state(const struct lease *lease);
/* Told by lease.c: the first rows of PHASE_SYNC go out; a question was answered in PHASE_OPEN;
 * PHASE_OPEN begins, and so ends what began with apart_begin. */
void apart_note_stated(struct lease *lease);
void apart_note_heard(struct lease *lease);
void apart_note_opened(struct lease *lease);

/* ---- lease_work.c: all of these look at, or change, lease->moves ---- */

/* Adds those who want to grow; if it `beats`, some room is left for looks. */
void work_add_growths(struct lease *lease, bool beats);
/* Adds what is idle; when retiring, everything. */
void work_add_gifts(struct lease *lease);
/* Shared: adds what the store forgot, and a look at some accounts with headroom, or of which it was
 * not told what is spent. */
void work_add_mends(struct lease *lease);
void work_add_looks(struct lease *lease);
/* Shared, likewise: sessions of which the store must be told now and then, each within some
 * minutes. */
void work_add_round(struct lease *lease);

/* What the journal has of an account at the start. */
void work_take_journal(struct lease *lease, const struct charge *charge);
/* PHASE_SYNC, before the first rows are stated: the rows of all accounts with a ceiling are
 * renewed, in portions. True: there are more. */
bool work_renew_rows(struct lease *lease);
/* PHASE_SYNC: fills store_rows with the next rows, returns how many, and sets `complete` if these
 * are the last. Those that are past their time are stated, too: what such an account has may be
 * used still, after an outage that was longer than its row lasts, or once a clock that was ahead is
 * right again. But sessions that are over and not in use are dropped, with what the core has
 * restored of their ceilings. */
size_t work_state_rows(struct lease *lease, bool *complete);

/* Alone: what the limits leave is the answer. */
void work_answer_alone(struct lease *lease);
/* Fills store_rows: one for each move. */
void work_fill_rows(struct lease *lease);
/* What the store said of each; false if it cannot be true, or something was forgotten. */
MUST_USE bool work_take_reply(struct lease *lease, const struct store_reply *reply);

/* Fills `charges` with the ceilings that the moves lead to, of those that change any; of gifts only
 * if `gifts`. */
void work_fill_charges(struct lease *lease, bool gifts);

/* Tells the core, and lets go of the accounts. */
void work_settle(struct lease *lease);
/* No store answers: as far as budgets let accounts go on without, that is the answer to those who
 * wait; the others are told that nobody answers. False if none may go on. */
bool work_overdraw(struct lease *lease);
/* What was overdrawn the store is told, once it answers. */
void work_doubt_overdrawn(struct lease *lease);
/* Nothing grows: those who wait are told that nobody answers if `away`. */
void work_refuse(struct lease *lease, bool away);
/* What was asked on these accounts may have been done, or not. */
void work_doubt(struct lease *lease);
/* Nothing was put on disk, as far as anybody knows: `charges` become what is true. */
void work_spoil(struct lease *lease);

#endif
