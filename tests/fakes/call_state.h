/*
 * What a call consists of; for call.c, which goes its steps, and call_plan.c, which plans them.
 */
#ifndef FAKES_CALL_STATE_H
#define FAKES_CALL_STATE_H

#include "call.h"
#include "dialect.h"

enum manner {
    MANNER_PLAIN,
    MANNER_STREAM,
    MANNER_ERROR,
    MANNER_PAGE,
    MANNER_SILENCE,
    MANNER_BACKGROUND
};
enum phase { PHASE_THINK, PHASE_HEAD, PHASE_BODY, PHASE_EVENTS, PHASE_QUEUED, PHASE_WORKING };

struct call {
    struct bill *bill;
    struct shelf *shelf;
    const struct dialect *dialect;
    struct bill_entry entry;
    struct ask ask;
    struct wish wish;
    struct answer answer;
    enum manner manner;
    enum phase phase;
    enum call_ending ending;
    int status;
    char message[160]; /* of an error */
    const char *param; /* of an error, or NULL */
    bool client_left;
    int64_t started_ns;
    int64_t due_ns;
    bool last; /* the client asked to close behind the answer */
    struct bytes head;
    struct bytes body; /* the answer up to the filler */
    int64_t filler;    /* bytes still to send */
    struct bytes tail; /* the answer behind the filler */
    /* Of a stream: */
    int64_t pieces; /* content events per choice */
    int64_t next;   /* the next content event of all choices */
    struct bytes event;
    struct bytes packed;
    struct squeeze *squeeze;
};

/* Reads the request and decides all that the call will be, but for its bill entry. */
void call_plan(struct call *call, const struct http_request *request, struct text api_key);

#endif
