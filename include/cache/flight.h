/*
 * A flight: identical requests under way that share one call. One of them leads: it holds the
 * budget and makes the call, which writes the recording. The others follow: first they wait, then
 * they read the recording as it grows, each at its own pace and on its own thread.
 *
 * Followers are told by letters (base/mailbox.h) to their request's id. `letter->body` is NULL but
 * for FLIGHT_LETTER_PAY. A letter that comes late finds nobody, and that is fine: whatever a
 * follower must do when it is told and cannot, flight_leave does in its place.
 *
 * All functions are safe from any thread.
 */
#ifndef PURSER_CACHE_FLIGHT_H
#define PURSER_CACHE_FLIGHT_H

#include "base/mailbox.h"
#include "cache/recording.h"

enum flight_letter {
    /* There is a head, or more to read, or the recording ended. At most one such letter is under
     * way to a follower; flight_heard makes room for the next, and is called before reading. */
    FLIGHT_LETTER_NEWS = 300,
    FLIGHT_LETTER_LEAD,  /* the leader could not make the call: you lead now; you follow no more */
    FLIGHT_LETTER_ALONE, /* there is nothing to share any more: make a call of your own */
    /* The leader's client is gone, or its budget used up: will you pay for the call? Answered to
     * the call, whose address is in the body (struct flight_payee). You follow on. */
    FLIGHT_LETTER_PAY,
    /* To the call that asked for a payer: whom it asked will not pay or has gone; ask the next. */
    FLIGHT_LETTER_DECLINED,
    /* To the call that once asked for a payer: a follower left. `value`: 1 if it is the one that
     * paid last, else 0. */
    FLIGHT_LETTER_LEFT,
    FLIGHT_LETTER_JOINED, /* to the call, once: see flight_may_pause */
};

/* A call: who asks for a new payer, or pauses. */
struct flight_payee {
    struct mailbox *mailbox;
    uint64_t call; /* its id in its worker's roster */
};

struct flight;
struct cache;

/* A follower, embedded in its request. Zero-initialised follows nothing. */
struct follower {
    struct flight *flight; /* NULL: none. The follower has a reference to the flight */
    struct follower *next, *previous;
    struct mailbox *mailbox;
    uint64_t request; /* whom letters are for */
    bool listed;      /* waits or reads; not: promised the lead, or sent off alone */
    bool told;        /* a NEWS letter is under way */
    bool asked;       /* to pay, once: whatever it answered */
    bool pays;        /* it said so, and the call took it */
};

/* ---- followers ---- */

/* A follower joins by cache_ask. If the recording is no longer EMPTY then, a NEWS letter is posted
 * at once: whoever follows is always woken. */

/* No letter is posted to it afterwards. If it was told to lead and did not yet, the next one is
 * told; if it was asked to pay and did not answer, it declines. Must be called before the
 * follower's memory goes, or follows again; also after ALONE. Fine if it follows nothing. */
void flight_leave(struct follower *follower);
/* Fine if it follows nothing. */
void flight_heard(struct follower *follower);
/* The follower takes over as the leader (after FLIGHT_LETTER_LEAD): it follows no more and owns
 * the leader's reference, which it must give back by flight_resign, flight_dissolve or flight_end.
 * NULL, and nothing changed, if the lead is not promised to it: a late letter of another flight. */
struct flight *flight_lead(struct follower *follower);
/* Answers to FLIGHT_LETTER_PAY. flight_pay: false if the question does not stand any more (the
 * flight is over, or it was answered); true: the caller tells the call itself, by a letter of its
 * own to `*payee`. flight_decline posts DECLINED to the call, if the question stands. */
MUST_USE bool flight_pay(struct follower *follower, struct flight_payee *payee);
void flight_decline(struct follower *follower);
/* It paid for the call: what that cost was not saved. */
bool flight_pays(const struct follower *follower);
/* Its recording; lives as long as the follower follows, or the leader leads. */
struct recording *flight_recording(const struct flight *flight);

/* ---- the leader: exactly one of flight_resign, flight_dissolve and flight_end ends it ---- */

/* It will not make the call (refused, or not as asked): the first follower leads; without one the
 * flight is over. Only while the recording is EMPTY. The leader's reference is gone. */
void flight_resign(struct flight *flight);
/* It will not, and nobody is to wait behind another one: all followers are sent off ALONE, and the
 * next who asks leads a flight of its own. */
void flight_dissolve(struct flight *flight);
/* Tells followers of a head, or of bytes recorded since. Cheap without followers. */
void flight_flush(struct flight *flight);
/* How many follow now. */
size_t flight_followers(struct flight *flight);
/* May the call wait for its own client, which is slow? False: somebody follows. True: if somebody
 * joins, the call gets the letter JOINED and must go on. */
MUST_USE bool flight_may_pause(struct flight *flight, const struct flight_payee *call);
/* Asks the first follower that was not asked yet to pay, one at a time: a question that stands is
 * forgotten. False if there is none. */
bool flight_seek_payer(struct flight *flight, const struct flight_payee *payee);
/* What the call makes of who said last that it pays: it does; or it was not needed, or not enough,
 * and may be asked `again` or not. */
void flight_take_payer(struct flight *flight);
void flight_drop_payer(struct flight *flight, bool again);
/* The recording was ended before (recording_end): nobody can join any more, all followers are
 * told; they follow on until they leave. With `store` a COMPLETE one is in the cache from then on,
 * unless the cache was cleared since the flight began. The leader's reference is gone. */
void flight_end(struct flight *flight, bool store, int64_t now_us);

#endif
