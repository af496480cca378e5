/*
 * recall: is the answer known, or on its way to somebody who asked the same?
 *
 * A request that finds neither may lead: then others can follow its call. Who follows waits here
 * until there is a head to pass on, holding nothing; if the leader makes no call, one of those who
 * follow goes on in its place.
 */
#include "pipeline/recall.h"

#include <stddef.h>
#include <stdio.h>

#include "pipeline/pipeline.h"
#include "pipeline/refusal.h"
#include "wire/reshape.h"

/* ---- what the client wishes ---- */

struct wish {
    struct text word;
    size_t flag; /* in struct recall */
};

static const struct wish wishes[] = {
    {{"no-cache", 8}, offsetof(struct recall, no_cache)},
    {{"no-store", 8}, offsetof(struct recall, no_store)},
    {{"only-if-cached", 14}, offsetof(struct recall, only_if_cached)},
};

/* Sets `stranger` to the first word that is no wish of ours, unless it is one already. */
static void read_list(struct recall *recall, struct text list, struct text *stranger)
{
    while (list.at != NULL) {
        struct text word = text_trim(text_split(&list, ','));
        bool known = word.size == 0;
        for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
            if (!text_equal_nocase(word, wishes[i].word))
                continue;
            *(bool *)((char *)recall + wishes[i].flag) = true;
            known = true;
        }
        if (!known && stranger->at == NULL)
            *stranger = word;
    }
}

/* Lines of one name are one list (RFC 9110, 5.3). False if there is none. */
static bool read_lines(struct request *request, struct text name, struct text *stranger)
{
    bool found = false;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!text_equal_nocase(request->headers[i].name, name))
            continue;
        read_list(&request->recall, request->headers[i].value, stranger);
        found = true;
    }
    return found;
}

/* Our own header must be understood; of Cache-Control (RFC 9111) what is not is passed over. */
static bool read_wishes(struct request *request)
{
    struct text stranger = TEXT_NONE, passed_over = TEXT_NONE;
    if (!read_lines(request, TEXT("x-purser-cache"), &stranger))
        read_lines(request, TEXT("Cache-Control"), &passed_over);
    if (stranger.at == NULL)
        return true;
    struct body_error error = {
        .status = 400, .code = "invalid_header", .param = TEXT("x-purser-cache")};
    snprintf(error.message, sizeof error.message,
             "x-purser-cache: '%.*s' is not known; there are no-cache, no-store and "
             "only-if-cached.",
             TEXT_ARG(text_slice(stranger, 0, 60)));
    refuse_body(request, &error);
    return false;
}

/* ---- what may be shared, and with whom ---- */

/* In passthrough nobody gets anything for a key that no upstream has accepted. */
static bool is_stranger(const struct request *request)
{
    return request->terms->admission.mode == ADMISSION_PASSTHROUGH &&
           !house_knows_guest(request->worker->house, request->key->id);
}

static bool may_be_shared(const struct request *request)
{
    return fingerprint_fits(&request->body, &request->terms->recall.fits) == FINGERPRINT_FITS &&
           !is_stranger(request);
}

static struct text name_space(struct request *request)
{
    enum recall_space space = request->terms->recall.space;
    struct text team = request->key->team;
    if (request->terms->admission.mode == ADMISSION_PASSTHROUGH)
        return arena_join(&request->arena, (struct text[]){TEXT("guest "), request->credential}, 2);
    if (space == RECALL_FOR_ALL)
        return TEXT("all");
    if (space == RECALL_PER_TEAM && team.size > 0)
        return arena_join(&request->arena, (struct text[]){TEXT("team "), team}, 2);
    return arena_join(&request->arena, (struct text[]){TEXT("key "), request->key->id}, 2);
}

static void fill_fingerprint_ask(struct request *request, struct fingerprint_ask *ask)
{
    struct fingerprint_header *headers =
        arena_new(&request->arena, request->header_count * sizeof *headers);
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct request_header *header = &request->headers[i];
        if (fingerprint_header_matters(header->name))
            headers[count++] = (struct fingerprint_header){header->name, header->value};
    }
    *ask = (struct fingerprint_ask){
        .name_space = name_space(request),
        .routes = request->terms->routes,
        .body = &request->body,
        .headers = headers,
        .header_count = count,
        .normalized = request->terms->recall.normalized,
    };
}

/* ---- a hit ---- */

/* False if it has the other shape and cannot be brought into the one asked for. */
static bool take_hit(struct request *request, struct recording *recording)
{
    struct recall *recall = &request->recall;
    const struct body *body = &request->body;
    bool events = recording_head(recording)->shape == RECORDING_EVENTS;
    bool fits = events == body->stream;
    if (!fits) {
        struct buffer joined = {0};
        struct text all = recording_all(recording, &joined);
        fits = body->stream
                   ? reshape_to_events(body->endpoint, all, body->usage_asked, &recall->reshaped)
                   : reshape_to_whole(body->endpoint, all, &recall->reshaped);
        buffer_close(&joined);
    }
    if (!fits) {
        recording_drop(recording);
        return false;
    }
    recall->recording = recording;
    recall->state = RECALL_HIT;
    return true;
}

/* ---- the step ---- */

static enum next refuse_miss(struct request *request)
{
    refuse(request, REFUSAL_CACHE_MISS, "x-purser-cache",
           "No answer to this request is cached, and only-if-cached allows no call.");
    return GO_BOOKS;
}

static void ask_cache(struct request *request, const struct fingerprint_ask *ask)
{
    struct recall *recall = &request->recall;
    struct worker *worker = request->worker;
    uint8_t digest[FINGERPRINT_SIZE];
    fingerprint_request(ask, worker->keyed_hasher, digest);
    recall->follower.mailbox = worker->mailbox;
    recall->follower.request = request->id;
    bool alone = recall->no_cache || recall->only_if_cached;
    const struct cache_question question = {
        .digest = digest,
        .shape = request->body.stream ? RECORDING_EVENTS : RECORDING_WHOLE,
        .look = !recall->no_cache,
        .lead = !recall->no_store && !recall->only_if_cached,
        .follower = alone ? NULL : &recall->follower,
        .now_us = loop_steady_us(worker->loop),
    };
    struct cache_found found;
    cache_ask(worker->house->cache, &question, &found);
    recall->state = RECALL_MISS;
    if (found.answer == CACHE_HIT)
        take_hit(request, found.recording);
    else if (found.answer == CACHE_FOLLOW)
        recall->state = RECALL_FOLLOW;
    else if (found.answer == CACHE_LEAD)
        recall->flight = found.flight;
}

/* Nobody else's call answers it; but its parts may be known. */
static enum next go_on_missing(struct request *request)
{
    struct recall *recall = &request->recall;
    struct fingerprint_ask ask;
    ASSERT(recall->state == RECALL_MISS);
    fill_fingerprint_ask(request, &ask);
    if (parts_look(request, &ask))
        recall->state = RECALL_HIT;
    if (recall->only_if_cached && recall->state != RECALL_HIT)
        return refuse_miss(request);
    if (recall->state == RECALL_HIT)
        recall_refused(request, false);
    return GO_ON;
}

static const char *why_not(const struct request *request)
{
    const struct recall_rules *rules = &request->terms->recall;
    if (!rules->on)
        return "the cache is off";
    if (is_stranger(request))
        return "no upstream has accepted this key yet";
    return fingerprint_why(fingerprint_fits(&request->body, &rules->fits));
}

static enum next bypass(struct request *request)
{
    if (!request->recall.only_if_cached)
        return GO_ON;
    refuse(request, REFUSAL_CACHE_MISS, "x-purser-cache",
           "No answer to this request is cached, nor would it be (%s), and only-if-cached allows "
           "no call.",
           why_not(request));
    return GO_BOOKS;
}

/* What its flight has for it by now. A whole answer is passed on as a whole; news will come of its
 * end, which is on another thread. */
static enum next look_at_flight(struct request *request)
{
    struct recall *recall = &request->recall;
    flight_heard(&recall->follower);
    struct recording *recording = flight_recording(recall->follower.flight);
    enum recording_state state = recording_state(recording);
    if (state == RECORDING_RUNNING && recording_head(recording)->shape == RECORDING_WHOLE)
        return GO_WAIT;
    switch (state) {
    case RECORDING_EMPTY:
        return GO_WAIT;
    case RECORDING_RUNNING:
    case RECORDING_COMPLETE:
        recall->recording = recording_take(recording);
        return GO_ON;
    case RECORDING_BROKEN:
        flight_leave(&recall->follower);
        refuse(request, REFUSAL_UPSTREAM_UNANSWERED, NULL,
               "An equal request was under way, this one shared its call, and the call came to no "
               "answer. Nothing is charged for this request; it may be tried again.");
        return GO_BOOKS;
    case RECORDING_GIVEN_UP:
        break;
    }
    flight_leave(&recall->follower);
    recall->state = RECALL_MISS;
    return go_on_missing(request);
}

static enum next begin(struct request *request)
{
    struct recall *recall = &request->recall;
    struct fingerprint_ask ask;
    if (!read_wishes(request))
        return GO_BOOKS;
    if (!request->terms->recall.on)
        return bypass(request);
    recall->state = RECALL_BYPASS;
    if (!may_be_shared(request))
        return bypass(request);
    fill_fingerprint_ask(request, &ask);
    ask_cache(request, &ask);
    if (recall->state == RECALL_MISS)
        return go_on_missing(request);
    if (recall->state != RECALL_FOLLOW)
        return GO_ON;
    share_prepare(request);
    return look_at_flight(request);
}

/* What came of it is certain once it waits no more. */
static enum next count(struct request *request, enum next next)
{
    if (next != GO_WAIT)
        atomic_fetch_add(&request->worker->house->recalled[request->recall.state], 1);
    return next;
}

enum next recall_request(struct request *request)
{
    return count(request, begin(request));
}

enum next recall_awake(struct request *request)
{
    if (request->recall.state == RECALL_MISS) /* it was told to lead, or to go alone */
        return count(request, go_on_missing(request));
    return count(request, look_at_flight(request));
}

/* ---- for the other steps ---- */

bool recall_serves(const struct request *request)
{
    return request->recall.state == RECALL_HIT || request->recall.state == RECALL_FOLLOW;
}

const char *recall_word(const struct request *request)
{
    static const char *const words[] = {
        [RECALL_OFF] = NULL,     [RECALL_BYPASS] = "bypass", [RECALL_MISS] = "miss",
        [RECALL_FOLLOW] = "hit", [RECALL_HIT] = "hit",
    };
    return words[request->recall.state];
}

void recall_refused(struct request *request, bool all_go_alone)
{
    struct flight *flight = request->recall.flight;
    request->recall.flight = NULL;
    if (flight == NULL)
        return;
    if (all_go_alone)
        flight_dissolve(flight);
    else
        flight_resign(flight);
}

void recall_close(struct request *request)
{
    struct recall *recall = &request->recall;
    recall_refused(request, false);
    flight_leave(&recall->follower);
    recording_drop(recall->recording);
    recall->recording = NULL;
    parts_close(recall->parts);
    recall->parts = NULL;
    buffer_close(&recall->reshaped);
}
