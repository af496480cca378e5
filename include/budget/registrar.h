/*
 * The registrar: a thread that alone uses ceilings.db while purser runs, so that no loop ever waits
 * for a disk. It takes what was asked meanwhile together, in the order of asking, and makes one
 * commit of it.
 *
 * So whoever asks about an object after somebody claimed it (on whichever thread) finds it claimed.
 */
#ifndef PURSER_BUDGET_REGISTRAR_H
#define PURSER_BUDGET_REGISTRAR_H

#include "base/mailbox.h"
#include "budget/ceilings.h"

struct registrar;

/* The file is the registrar's until registrar_close, which carries out what was asked before. */
struct registrar *registrar_open(struct ceilings *ceilings);
void registrar_close(struct registrar *registrar); /* NULL-safe */

enum deed_kind {
    DEED_CLAIM,  /* the key owns the object from now on; with the notes if it is new */
    DEED_NOTE,   /* replaces notes; see ceilings_note */
    DEED_FORGET, /* the object belongs to nobody */
    DEED_LOOK,   /* who owns it, and what is noted */
    DEED_LIST,   /* the objects of a key */
};

struct deed {
    enum deed_kind kind;
    struct mailbox *mailbox;    /* NULL: no answer is wanted; a failure is logged */
    uint64_t to;                /* whom the answer is for */
    struct object object;       /* but for LIST; of LOOK: see ceilings_look */
    struct text key;            /* CLAIM */
    int64_t made_s;             /* CLAIM */
    struct object_notes notes;  /* CLAIM, NOTE */
    struct objects_query query; /* LIST */
};

/* The body of the letter that answers. */
struct deed_answer {
    enum deed_kind kind;
    bool failed;        /* nothing was done, or nothing can be said; the reason is in the log */
    enum claim claim;   /* CLAIM */
    enum owner owner;   /* LOOK */
    struct owned owned; /* LOOK, if somebody owns it */
    struct objects_page page; /* LIST */
    struct arena arena;       /* of all its texts */
};

/* A letter (REGISTRAR_LETTER_ANSWER, to `to`) will come, if a mailbox is named. Everything is
 * copied; any thread. False: REGISTRAR_WAITING_MOST wait already, and nothing will be done. */
#define REGISTRAR_LETTER_ANSWER 4
#define REGISTRAR_WAITING_MOST  10000
MUST_USE bool registrar_ask(struct registrar *registrar, const struct deed *deed);

#endif
