/*
 * The bell: how a request asks the main thread to reload the configuration, and hears what came of
 * it. Who rings while a reload is under way is answered by the next one.
 */
#ifndef PURSER_GEAR_BELL_H
#define PURSER_GEAR_BELL_H

#include "base/mailbox.h"
#include "base/text.h"

struct bell;
struct ringer; /* a list of those who rang; NULL: nobody did */

struct bell *bell_open(void);
void bell_close(struct bell *bell); /* silenced before; NULL-safe */

/* Any thread. A letter (BELL_LETTER_ANSWER, to `to`) will come to `mailbox`. False: purser is
 * stopping, and nobody would hear it. */
MUST_USE bool bell_ring(struct bell *bell, struct mailbox *mailbox, uint64_t to);

/* ---- the main thread ---- */

int bell_fd(const struct bell *bell);        /* readable when somebody has rung */
struct ringer *bell_hear(struct bell *bell); /* takes them over; the descriptor is quiet again */
void bell_silence(struct bell *bell);        /* purser stops: those who wait are told so */

/* ---- whoever knows the answer; any thread ---- */

enum reload_result {
    RELOAD_DONE,     /* the text is a JSON object that says what changed */
    RELOAD_REFUSED,  /* the text says why nothing has changed */
    RELOAD_STOPPING, /* no text */
};

#define BELL_LETTER_ANSWER 3 /* value: enum reload_result; body: struct buffer, the text */

/* Answers each of them and frees the list. */
void bell_answer(struct ringer *ringers, enum reload_result result, struct text text);

#endif
