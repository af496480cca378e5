/*
 * The inside of the core, shared by its files: core.c (reserving and settling), places.c (what a
 * request touches), extend.c (holds that grow), waiting.c (who waits), view.c (what is shown).
 * Nobody else includes this.
 */
#ifndef PURSER_BUDGET_CORE_STATE_H
#define PURSER_BUDGET_CORE_STATE_H

#include "base/roster.h"
#include "budget/definitions.h"
#include "budget/demand.h"
#include "budget/group.h"

struct stake {
    struct account *account;
    int64_t amount;
    struct text budget; /* the name it had at the admission */
};

struct hold {
    const struct price *price; /* as asked */
    struct bound bound;
    int64_t held_output; /* per choice; with the amounts on the stakes, what is held */
    int64_t max_output;  /* never extended further; INT64_MAX: unlimited */
    struct money amount; /* as in struct grant */
    int64_t tokens;
    bool fact;   /* nobody asked whether there is room for it */
    bool booked; /* the stakes are what it did not use */
    size_t count;
    struct stake stakes[];
};

struct waiter {
    struct waiter *next, *previous; /* in the order of arrival */
    uint64_t id;
    struct ask ask; /* without its subject */
    struct places places;
    struct demand demand;
    uint64_t assessed; /* the event after which `demand` was made */
    bool turned;       /* it was taken on to another sub-bucket since */
    uint64_t waits;    /* bit i: it waits for places.accounts[i] */
};

/* A waiter that was decided and not fetched yet. */
struct wake {
    struct wake *next;
    struct cookie cookie;
    struct grant grant;
};

struct core {
    struct core_options options; /* its budgets: the definitions' */
    struct definitions definitions;
    struct names names;
    struct accounts accounts;
    struct roster holds;
    size_t booked; /* of them: to be released */
    struct roster waiters;
    struct waiter *first, *last;
    struct wake *first_wake, *last_wake;
    uint64_t event;     /* counts what changes any account's spend */
    uint64_t look;      /* counts looks at the waiters */
    uint64_t redefined; /* counts core_redefine */
    bool tells;         /* the lessor is told what is spent (lease.c) */
    bool alone; /* no store answers, and accounts go on without as far as they may (headroom.h) */
    int64_t apart_s;    /* from this moment of the wall clock on nothing is granted on sessions: the
                           store was not heard for too long (lease_apart.c); INT64_MAX: never */
    bool parted;        /* so it is, and no store answers: who asks for it is told so at once */
    int64_t now_s;      /* as far as it was told and believes it, */
    int64_t wall_s;     /* and as it was told last, whether it believes it or not */
    int64_t latest_ms;  /* no later moment is believed; 0: any is */
    int64_t checked_ms; /* steady time of the last core_check_clock */
    int64_t turns_s; /* the end of the first sub-bucket on which somebody waits; 0: nobody does */
};

/* ---- core.c ---- */

int64_t core_believes_s(const struct core *core, int64_t now_s);
/* Whoever asks tells the time, too; but it may have looked at the clock a while ago. */
void core_see_time(struct core *core, int64_t now_s);
/* Makes the hold: the pins become its own. Fills the grant. */
void core_grant(struct core *core, const struct ask *ask, struct places *places,
                const struct demand *demand, struct grant *grant);
/* I1, and that nothing is out of range. */
void account_check(const struct account *account);
void charge_fill(const struct stake *stake, struct charge *charge);
/* An answer in which nothing but the verdict is set. */
void grant_clear(struct grant *grant, enum verdict verdict);
/* Fills the grant of a refusal; the pins stay. */
void core_refuse(const struct core *core, const struct places *places, enum verdict verdict,
                 const struct demand *demand, struct grant *grant);

/* ---- places.c ---- */

/* Pins the accounts of a subject's requests and finds their limits. False: an account could not
 * appear; `key` says which, and what was pinned stays so. Sweeps a few others meanwhile. */
bool places_gather(struct core *core, const struct subject *subject, struct places *places,
                   struct account_key *key);
void places_gather_own(const struct own_limits *own, struct places *places);
void places_unpin(struct places *places);
/* A session among them of which something is needed while nothing is granted on sessions
 * (core->apart_s); NULL: there is none. */
const struct account *places_apart(const struct core *core, const struct places *places,
                                   const int64_t need[UNIT_COUNT]);
bool places_have_room(const struct places *places, const int64_t need[UNIT_COUNT]);
/* All that is needed could be granted, as far as is known. */
bool places_are_in_reach(const struct places *places, const int64_t need[UNIT_COUNT]);

/* The ids of the subject that the budget counts apart: one, or the tags that match. The budget
 * applies to the subject. */
size_t subject_ids(const struct budget *budget, const struct subject *subject,
                   struct text ids[SUBJECT_MAX_TAGS]);

/* ---- waiting.c ---- */

/* True if somebody waits for one of these accounts, of which something is needed. */
bool waiting_has_claim(const struct places *places, const int64_t need[UNIT_COUNT]);
/* Makes a waiter; it takes the pins. */
uint64_t waiting_add(struct core *core, const struct ask *ask, const struct places *places,
                     const struct demand *demand);
/* To be called after whatever gave or took room on accounts that a waiter has: decides those who
 * can be decided, and brings up to date what the others wait for. */
void waiting_look(struct core *core);
/* Takes those who wait on rolling windows on to the sub-buckets of now. */
void waiting_turn(struct core *core);
bool waiting_concerns(const struct places *places);
/* Sends all who wait for something on a session away with VERDICT_AWAY: the store was not heard for
 * too long, and does not answer. */
void waiting_part(struct core *core);
/* It was heard: who waited for that goes on, but not with what an era before has left (headroom.h).
 */
void waiting_rejoin(struct core *core);
/* Sends all who wait away with VERDICT_AGAIN. */
void waiting_dismiss(struct core *core);
void waiting_close(struct core *core);

/* ---- view.c ---- */

void view_account(const struct core *core, const struct account *account,
                  struct account_view *view);
/* The account that refused, because so much is lacking there. */
void view_refusal(const struct core *core, const struct account *account, int64_t lack,
                  struct account_view *view);
void view_request(const struct core *core, size_t budget, enum unit unit,
                  struct account_view *view);
void view_own(enum unit unit, int64_t limit, struct account_view *view);
/* A portion of core_survey's, of everything. */
bool view_survey(struct core *core, struct survey *survey, size_t portion);
/* An account that did not appear yet. */
void view_absent(const struct core *core, const struct account_key *key,
                 const struct restored *restored, struct account_view *view);

#endif
