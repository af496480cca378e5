/*
 * The bell: how a request asks the main thread for a change of the configuration: to read its file
 * again, or to make a key or a budget at run time; and hears what came of it. Who rings for a
 * reload while one is under way is answered by the next one.
 */
#ifndef PURSER_GEAR_BELL_H
#define PURSER_GEAR_BELL_H

#include "base/arena.h"
#include "base/mailbox.h"

struct bell;
struct ringer; /* a list of those who rang; NULL: nobody did */

/* What somebody wants, and of what name; `body` is JSON. */
enum petition_kind {
    PETITION_RELOAD,
    PETITION_LIST_KEYS,
    PETITION_MAKE_KEY,   /* body */
    PETITION_DELETE_KEY, /* name */
    PETITION_LIST_BUDGETS,
    PETITION_PUT_BUDGET,    /* body */
    PETITION_DELETE_BUDGET, /* name */
    PETITION_SET_LIMITS,    /* name, body; id: of this one alone */
    PETITION_UNSET_LIMITS,  /* name; likewise */
};

struct petition {
    enum petition_kind kind;
    struct text name, body, id;
};

struct bell *bell_open(void);
void bell_close(struct bell *bell); /* silenced before; NULL-safe */

/* Any thread. A letter (BELL_LETTER_ANSWER, to `to`) will come to `mailbox`. The petition is
 * copied. False: purser is stopping, and nobody would hear it. */
MUST_USE bool bell_ring(struct bell *bell, struct mailbox *mailbox, uint64_t to,
                        const struct petition *petition);

/* ---- the main thread ---- */

int bell_fd(const struct bell *bell);        /* readable when somebody has rung */
struct ringer *bell_hear(struct bell *bell); /* takes them over; the descriptor is quiet again */
void bell_silence(struct bell *bell);        /* purser stops: those who wait are told so */

/* Takes the first one off the list who wants something else than a reload; NULL: there is none. */
struct ringer *bell_pick(struct ringer **ringers);
const struct petition *bell_petition(const struct ringer *ringer); /* of the first of the list */

/* ---- whoever knows the answer; any thread ---- */

enum bell_result {
    BELL_DONE,     /* the text is a JSON object that says what changed, or what there is */
    BELL_REFUSED,  /* the text says why nothing has changed: what is wrong with the configuration */
    BELL_STOPPING, /* no text */
    BELL_BAD,      /* what was asked is not understood; the text says why */
    BELL_MISSING,  /* there is nothing of that name; likewise */
    BELL_FIXED,    /* it cannot be changed at run time, or is there already; likewise */
    BELL_AWAY,     /* it cannot be kept: the store is away, or the disk fails; likewise */
};

#define BELL_LETTER_ANSWER 3 /* value: enum bell_result; body: struct buffer, the text */

/* Answers each of them and frees the list. */
void bell_answer(struct ringer *ringers, enum bell_result result, struct text text);

#endif
