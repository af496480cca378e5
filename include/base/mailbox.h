/*
 * Mailboxes: how threads speak. A queue under a lock and an eventfd in the owner's loop. Any
 * thread may post; letters are delivered on the owner's loop, in order of posting per sender.
 *
 * A letter names its addressee by a roster id (roster.h), so that a late one finds nobody rather
 * than a stranger.
 */
#ifndef PURSER_BASE_MAILBOX_H
#define PURSER_BASE_MAILBOX_H

#include "base/loop.h"

struct letter {
    struct letter *next; /* the mailbox's own */
    uint64_t to;         /* roster id of the addressee, or 0: the owner itself */
    int kind;            /* the sender's and the owner's business */
    int64_t value;
    void *body;                    /* may be NULL */
    void (*body_free)(void *body); /* called if nobody takes the letter; may be NULL */
};

struct mailbox;

/* `deliver` is called on the loop for each letter, which it then owns: it must end in
 * letter_free or be posted on. */
struct mailbox *mailbox_open(struct loop *loop,
                             void (*deliver)(void *context, struct letter *letter), void *context);
/* Undelivered letters are freed with their bodies. Nobody may post any more. Fine from `deliver`;
 * NULL-safe. */
void mailbox_close(struct mailbox *mailbox);

struct letter *letter_new(uint64_t to, int kind);
void letter_free(struct letter *letter); /* and its body, if both are set; NULL-safe */

/* From any thread; takes the letter. One eventfd write for a whole burst. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

#endif
