/*
 * The inside of the store in C, shared by its files: store.c (accounts and operations),
 * store_members.c (who takes part, who may grow, who is waited for). Nobody else includes this.
 */
#ifndef PURSER_BUDGET_STORE_STATE_H
#define PURSER_BUDGET_STORE_STATE_H

#include "budget/store.h"

#define NOBODY SIZE_MAX

struct member {
    char journal[STORE_JOURNAL_SIZE];
    int64_t incarnation, sequence;
    int64_t left_incarnation, left_sequence; /* these, as it was let go last; 0: never */
    bool registered;
    bool excused;    /* as the store recovers, it was let go and taken off `awaited` */
    int64_t counted; /* the last epoch in which it was one of those `returned`; 0: none */
    int64_t present; /* the last epoch in which it stated all its rows; 0: none, since it joined */
    int64_t number;  /* who vouches must have heard of this gseq; 0: nobody need */
};

/* What one member has of one account. */
struct share {
    int64_t granted, spent;
    int64_t incarnation, beginning; /* the last that was heard of (struct store_row); 0: none */
};

struct entry {
    uint64_t account;
    int64_t total, spent; /* G; Σ u, and what was said of that which is gone */
    int64_t gone;
    int64_t until_s;
    size_t wanter; /* the member that was refused last, or NOBODY */
    int64_t hints; /* so often others are told that somebody wants it */
    struct share *shares;
    size_t share_count; /* of the members with a lower index */
};

struct store {
    bool there;                    /* it has been set up */
    char server[STORE_FENCE_SIZE]; /* the server's fence */
    char fence[STORE_FENCE_SIZE];  /* that of the epoch */
    int64_t epoch, gseq;
    bool recovering;
    int64_t registered, present; /* members */
    int64_t enrolled;            /* of the registered ones: have stated their rows once */
    int64_t changed;             /* see struct store_reply */
    int64_t awaited;             /* of those who are not new so many must be present, at least */
    int64_t returned;            /* and so many were */
    int64_t vouched;             /* for all members with a number up to this */
    bool replicas;               /* the server has some */
    bool promoted;               /* it knows of another one that was the master before it */
    bool replicated;             /* a server that had this data has had some */
    int64_t now_s;
    struct member *members;
    size_t member_count;
    struct entry *entries; /* dense, found by `slots` */
    size_t entry_count, entry_room;
    uint32_t *slots; /* of an entry its index + 1; 0: free */
    size_t slot_count;
};

/* ---- store_members.c: nothing here looks at a request's rows ---- */

/* NOBODY if it was never heard of. */
size_t members_find(const struct store *store, const char *journal);
struct store_seat members_seat(const struct member *member);
/* I5: what a member asks is later than all before. */
bool members_is_fresh(const struct store *store, size_t at, const struct store_request *request);
/* So many more must be present before an epoch that recovers opens. */
int64_t members_absent(const struct store *store);
bool members_is_vouched(const struct store *store, size_t at);
/* The asker has heard of others (store.h). */
void members_vouch(struct store *store, size_t at, const struct store_request *request);
/* An open epoch began without somebody on the asker's roster, or cannot go on without it. */
bool members_are_forgotten(const struct store *store, const struct store_request *request);
/* It recovers: the asker's roster is waited for. */
void members_await(struct store *store, const struct store_request *request);
/* All its rows are stated; of the request only `instances` and `roster` count. */
void members_enrol(struct store *store, size_t at, const struct store_request *request);
/* The epoch opens if it recovers and nobody is absent. */
void members_open(struct store *store);
/* The roster of the reply to what a member asked, and that was done. */
void members_tell(const struct store *store, size_t at, const struct store_request *request,
                  struct store_roster *roster);

enum store_verdict members_join(struct store *store, const struct store_request *request);
enum store_verdict members_leave(struct store *store, const struct store_request *request);

int64_t store_least(int64_t a, int64_t b);
int64_t store_most(int64_t a, int64_t b);

#endif
