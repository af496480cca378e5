/*
 * Flights: who leads, who follows, and who has to be told. Letters are posted under the flight's
 * lock: they come in the order of what happened, and none comes after a follower has left.
 */
#include "cache/flight.h"

#include <stdlib.h>

#include "cache/flight_state.h"

/* ---- references ---- */

static void drop(struct flight *flight)
{
    size_t before = atomic_fetch_sub(&flight->references, 1);
    ASSERT(before > 0);
    if (before > 1)
        return;
    ASSERT(flight->first == NULL);
    ASSERT(flight->promised == NULL);
    recording_drop(flight->recording);
    pthread_mutex_destroy(&flight->lock);
    free(flight);
}

struct flight *flight_begin(struct shard *shard, const uint8_t *digest, enum recording_shape shape)
{
    struct flight *flight = memory_new(sizeof(*flight));
    flight->shard = shard;
    flight->recording = recording_new();
    flight->shape = shape;
    flight->generation = shard->generation;
    memcpy(flight->digest, digest, FINGERPRINT_SIZE);
    atomic_init(&flight->references, 1);
    pthread_mutex_init(&flight->lock, NULL);
    shard_add_flight(shard, flight);
    return flight;
}

struct recording *flight_recording(const struct flight *flight)
{
    return flight->recording;
}

/* ---- the list and its letters; the flight's lock is held ---- */

static void tell(struct follower *follower, enum flight_letter kind)
{
    mailbox_post(follower->mailbox, letter_new(follower->request, (int)kind));
}

static void tell_news(struct follower *follower)
{
    if (follower->told)
        return;
    follower->told = true;
    tell(follower, FLIGHT_LETTER_NEWS);
}

static void tell_all_news(struct flight *flight)
{
    for (struct follower *follower = flight->first; follower != NULL; follower = follower->next)
        tell_news(follower);
}

static void enlist(struct flight *flight, struct follower *follower)
{
    follower->previous = flight->last;
    struct follower **before = flight->last == NULL ? &flight->first : &flight->last->next;
    *before = follower;
    flight->last = follower;
    flight->count++;
    follower->listed = true;
}

static void strike(struct flight *flight, struct follower *follower)
{
    struct follower *next = follower->next;
    struct follower *previous = follower->previous;
    struct follower **before = previous == NULL ? &flight->first : &previous->next;
    struct follower **behind = next == NULL ? &flight->last : &next->previous;
    *before = next;
    *behind = previous;
    follower->next = NULL;
    follower->previous = NULL;
    follower->listed = false;
    flight->count--;
}

/* Whoever was asked to pay answers the call no more: it, or the question, is gone. */
static bool take_question(struct flight *flight, const struct follower *follower,
                          struct flight_payee *payee)
{
    if (flight->asked != follower)
        return false;
    flight->asked = NULL;
    *payee = flight->payee;
    return true;
}

static void forget_call(struct flight *flight)
{
    flight->asked = NULL;
    flight->payer = NULL;
    flight->payee = (struct flight_payee){0};
    flight->paused = (struct flight_payee){0};
}

static void decline(struct flight *flight, const struct follower *follower)
{
    struct flight_payee payee;
    if (take_question(flight, follower, &payee))
        mailbox_post(payee.mailbox, letter_new(payee.call, FLIGHT_LETTER_DECLINED));
}

/* A call whose client is gone goes on for its followers alone. */
static void tell_call_it_left(struct flight *flight, const struct follower *follower)
{
    bool paid = flight->payer == follower;
    if (paid)
        flight->payer = NULL;
    if (flight->payee.mailbox == NULL)
        return;
    struct letter *letter = letter_new(flight->payee.call, FLIGHT_LETTER_LEFT);
    letter->value = paid;
    mailbox_post(flight->payee.mailbox, letter);
}

static void tell_call_to_go_on(struct flight *flight)
{
    const struct flight_payee call = flight->paused;
    flight->paused = (struct flight_payee){0};
    if (call.mailbox != NULL)
        mailbox_post(call.mailbox, letter_new(call.call, FLIGHT_LETTER_JOINED));
}

/* ---- followers ---- */

void flight_join(struct flight *flight, struct follower *follower)
{
    ASSERT(follower->flight == NULL);
    ASSERT(follower->mailbox != NULL);
    *follower = (struct follower){
        .flight = flight, .mailbox = follower->mailbox, .request = follower->request};
    atomic_fetch_add(&flight->references, 1);
    pthread_mutex_lock(&flight->lock);
    enlist(flight, follower);
    if (recording_state(flight->recording) != RECORDING_EMPTY)
        tell_news(follower);
    tell_call_to_go_on(flight);
    pthread_mutex_unlock(&flight->lock);
}

/* Another call may ask everybody again. */
static void forget_answers(struct flight *flight)
{
    for (struct follower *follower = flight->first; follower != NULL; follower = follower->next)
        follower->asked = false;
}

/* The lead is given up: to the first follower, or the flight is over. */
static void pass_lead(struct flight *flight)
{
    pthread_mutex_lock(&flight->shard->lock);
    pthread_mutex_lock(&flight->lock);
    struct follower *next = flight->first;
    flight->promised = next;
    forget_call(flight);
    forget_answers(flight);
    if (next == NULL)
        shard_remove_flight(flight->shard, flight);
    pthread_mutex_unlock(&flight->shard->lock);
    if (next != NULL) {
        strike(flight, next);
        tell(next, FLIGHT_LETTER_LEAD);
    }
    pthread_mutex_unlock(&flight->lock);
    if (next == NULL)
        drop(flight);
}

void flight_leave(struct follower *follower)
{
    struct flight *flight = follower->flight;
    if (flight == NULL)
        return;
    pthread_mutex_lock(&flight->lock);
    bool promised = flight->promised == follower;
    if (follower->listed) {
        strike(flight, follower);
        tell_call_it_left(flight, follower);
    }
    decline(flight, follower);
    pthread_mutex_unlock(&flight->lock);
    /* Nobody but this follower ends a promise, so it still stands. */
    if (promised)
        pass_lead(flight);
    follower->flight = NULL;
    drop(flight);
}

void flight_heard(struct follower *follower)
{
    struct flight *flight = follower->flight;
    if (flight == NULL)
        return;
    pthread_mutex_lock(&flight->lock);
    follower->told = false;
    pthread_mutex_unlock(&flight->lock);
}

struct flight *flight_lead(struct follower *follower)
{
    struct flight *flight = follower->flight;
    if (flight == NULL)
        return NULL;
    pthread_mutex_lock(&flight->lock);
    bool promised = flight->promised == follower;
    if (promised)
        flight->promised = NULL;
    pthread_mutex_unlock(&flight->lock);
    if (!promised)
        return NULL;
    follower->flight = NULL;
    drop(flight);
    return flight;
}

bool flight_pay(struct follower *follower, struct flight_payee *payee)
{
    struct flight *flight = follower->flight;
    if (flight == NULL)
        return false;
    pthread_mutex_lock(&flight->lock);
    bool stands = take_question(flight, follower, payee);
    if (stands)
        flight->payer = follower;
    pthread_mutex_unlock(&flight->lock);
    return stands;
}

void flight_decline(struct follower *follower)
{
    struct flight *flight = follower->flight;
    if (flight == NULL)
        return;
    pthread_mutex_lock(&flight->lock);
    decline(flight, follower);
    pthread_mutex_unlock(&flight->lock);
}

bool flight_pays(const struct follower *follower)
{
    struct flight *flight = follower->flight;
    if (flight == NULL)
        return follower->pays;
    pthread_mutex_lock(&flight->lock);
    bool pays = follower->pays;
    pthread_mutex_unlock(&flight->lock);
    return pays;
}

/* ---- the leader ---- */

void flight_resign(struct flight *flight)
{
    ASSERT(recording_state(flight->recording) == RECORDING_EMPTY);
    pass_lead(flight);
}

void flight_dissolve(struct flight *flight)
{
    pthread_mutex_lock(&flight->shard->lock);
    shard_remove_flight(flight->shard, flight);
    pthread_mutex_unlock(&flight->shard->lock);
    pthread_mutex_lock(&flight->lock);
    ASSERT(flight->promised == NULL);
    forget_call(flight);
    while (flight->first != NULL) {
        struct follower *follower = flight->first;
        strike(flight, follower);
        tell(follower, FLIGHT_LETTER_ALONE);
    }
    pthread_mutex_unlock(&flight->lock);
    drop(flight);
}

void flight_flush(struct flight *flight)
{
    pthread_mutex_lock(&flight->lock);
    tell_all_news(flight);
    pthread_mutex_unlock(&flight->lock);
}

size_t flight_followers(struct flight *flight)
{
    pthread_mutex_lock(&flight->lock);
    size_t count = flight->count;
    pthread_mutex_unlock(&flight->lock);
    return count;
}

bool flight_may_pause(struct flight *flight, const struct flight_payee *call)
{
    pthread_mutex_lock(&flight->lock);
    bool alone = flight->first == NULL;
    if (alone)
        flight->paused = *call;
    pthread_mutex_unlock(&flight->lock);
    return alone;
}

static struct follower *not_asked_yet(struct flight *flight)
{
    struct follower *follower = flight->first;
    while (follower != NULL && follower->asked)
        follower = follower->next;
    return follower;
}

static struct letter *write_question(const struct follower *follower,
                                     const struct flight_payee *payee)
{
    struct flight_payee *body = memory_new(sizeof(*body));
    *body = *payee;
    struct letter *letter = letter_new(follower->request, FLIGHT_LETTER_PAY);
    letter->body = body;
    letter->body_free = free;
    return letter;
}

bool flight_seek_payer(struct flight *flight, const struct flight_payee *payee)
{
    pthread_mutex_lock(&flight->lock);
    struct follower *follower = not_asked_yet(flight);
    flight->asked = follower;
    flight->payee = *payee;
    if (follower != NULL) {
        follower->asked = true;
        mailbox_post(follower->mailbox, write_question(follower, payee));
    }
    pthread_mutex_unlock(&flight->lock);
    return follower != NULL;
}

void flight_take_payer(struct flight *flight)
{
    pthread_mutex_lock(&flight->lock);
    if (flight->payer != NULL)
        flight->payer->pays = true;
    pthread_mutex_unlock(&flight->lock);
}

void flight_drop_payer(struct flight *flight, bool again)
{
    pthread_mutex_lock(&flight->lock);
    if (flight->payer != NULL)
        flight->payer->asked = !again;
    flight->payer = NULL;
    pthread_mutex_unlock(&flight->lock);
}

void flight_end(struct flight *flight, bool store, int64_t now_us)
{
    struct shard *shard = flight->shard;
    struct entry *gone = NULL;
    enum recording_state state = recording_state(flight->recording);
    ASSERT(state >= RECORDING_COMPLETE);
    pthread_mutex_lock(&shard->lock);
    shard_remove_flight(shard, flight);
    if (store && state == RECORDING_COMPLETE && flight->generation == shard->generation)
        shard_keep(shard, flight->digest, flight->recording, now_us, &gone);
    pthread_mutex_unlock(&shard->lock);
    pthread_mutex_lock(&flight->lock);
    ASSERT(flight->promised == NULL);
    forget_call(flight);
    tell_all_news(flight);
    pthread_mutex_unlock(&flight->lock);
    entries_free(gone);
    drop(flight);
}
