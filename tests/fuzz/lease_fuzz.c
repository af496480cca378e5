/*
 * Budgets that lease from a Redis whose answers are not what the store would say: whatever numbers
 * stand there, they are refused (store_wire.h), or nothing overflows, no assertion fails and no
 * ceiling is above its limit.
 *
 * The input is steps, a byte each: somebody asks, ends, gives up, time passes, the lease goes on.
 * What a step needs are the bytes that follow. Answers are the store's own; some have other numbers
 * in a few places.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>

#include "budget/lease.h"
#include "budget/store_wire.h"
#include "fuzz.h"

#define CALLS    4
#define TOP      12 /* words of an answer before its rows; the last one is the roster */
#define PER_ROW  7
#define ELEMENTS (TOP + PER_ROW * STORE_ROWS_MOST)
#define STEPS    12 /* of the lease, in a row */
#define NOON_S   INT64_C(1795262400)
#define LIMIT    INT64_C(3000000) /* nano-dollars */

struct call {
    uint64_t hold, waiter;
    struct spend held;
};

struct scene {
    struct fuzz_input input;
    struct zone *zone;
    struct core *core;
    struct lease *lease;
    struct store *store;
    struct call calls[CALLS];
    int64_t now_ms, now_s;
};

static struct store_reply reply;
static redisReply elements[ELEMENTS];
static redisReply *pointers[ELEMENTS];
static char roster[STORE_MEMBERS_MOST * 80 + 40];

/* ---- answers ---- */

static long long take_number(struct scene *scene)
{
    uint64_t raw = 0;
    uint8_t choice = take_byte(&scene->input);
    for (int i = 0; choice < 32 && i < 7; i++)
        raw = raw << 8 | take_byte(&scene->input);
    if (choice < 32)
        return (long long)raw;
    return choice < 128 ? choice - 32 : choice < 192 ? STORE_MOST : STORE_MOST - 1;
}

static void put_row(const struct store_answer *row, redisReply *at)
{
    const int64_t numbers[PER_ROW] = {row->moved,       row->granted, row->total,
                                      row->elsewhere,   row->wanted,  row->beside_granted,
                                      row->beside_spent};
    for (size_t i = 0; i < PER_ROW; i++)
        at[i] = (redisReply){.type = REDIS_REPLY_INTEGER, .integer = numbers[i]};
}

static void put_roster(redisReply *at)
{
    size_t size = 0;
    roster[0] = '\0';
    for (size_t i = 0; i < reply.roster.count; i++) {
        const struct store_seat *seat = &reply.roster.at[i];
        size +=
            (size_t)snprintf(roster + size, sizeof(roster) - size, "%s%s:%" PRId64 ".%" PRId64,
                             i == 0 ? "" : " ", seat->journal, seat->incarnation, seat->sequence);
    }
    *at = (redisReply){.type = REDIS_REPLY_STRING, .str = roster, .len = size};
}

/* The reply as Redis would send it. */
static redisReply answer_of(void)
{
    const int64_t numbers[TOP] = {
        (int64_t)reply.verdict, 0,           reply.epoch,     reply.recovering,
        reply.unfenced,         reply.gseq,  reply.instances, reply.absent,
        reply.vouched,          reply.alone, reply.changed};
    size_t count = TOP + PER_ROW * reply.row_count;
    for (size_t i = 0; i < TOP; i++)
        elements[i] = (redisReply){.type = REDIS_REPLY_INTEGER, .integer = numbers[i]};
    elements[1] =
        (redisReply){.type = REDIS_REPLY_STRING, .str = reply.fence, .len = strlen(reply.fence)};
    put_roster(&elements[TOP - 1]);
    for (size_t i = 0; i < reply.row_count; i++)
        put_row(&reply.rows[i], &elements[TOP + PER_ROW * i]);
    for (size_t i = 0; i < count; i++)
        pointers[i] = &elements[i];
    return (redisReply){.type = REDIS_REPLY_ARRAY, .elements = count, .element = pointers};
}

/* Somebody else is named, or more than one. */
static void falsify_roster(redisReply *element, uint8_t choice)
{
    static const char *const names[] = {"another:3.7", "", "a:0.0 b:3999999999999999.1 c:2.2"};
    const char *said = names[choice % 3];
    size_t size = strlen(said);
    memcpy(roster, said, size + 1);
    element->len = size;
}

/* Half of the answers stay honest, and it returns false. Epochs and the like stay so small that the
 * store, which is told them again, does not refuse them. */
static bool falsify(struct scene *scene, const redisReply *answer)
{
    int lies = take_byte(&scene->input) % 8 - 4;
    for (int i = 0; i < lies; i++) {
        size_t at = take_byte(&scene->input) % answer->elements;
        long long number = take_number(scene);
        if (at == TOP - 1)
            falsify_roster(answer->element[at], (uint8_t)number);
        else if (at != 1)
            answer->element[at]->integer = at < TOP ? number % 1000000 : number;
    }
    return lies > 0;
}

static void ask_store(struct scene *scene, const struct store_request *request)
{
    static struct store_reply read;
    static const struct store_reply away = {.verdict = STORE_AWAY};
    struct fault fault;
    store_apply(scene->store, request, &reply);
    redisReply answer = answer_of();
    bool falsified = falsify(scene, &answer);
    scene->now_ms += take_byte(&scene->input);
    bool believed = store_wire_read(&answer, request, &read, &fault);
    demand(believed || falsified);
    lease_replied(scene->lease, scene->now_ms, believed ? &read : &away);
}

/* ---- calls ---- */

static void take_grant(struct call *call, const struct grant *grant)
{
    call->waiter = grant->verdict == VERDICT_WAIT ? grant->waiter : 0;
    call->hold = grant->verdict == VERDICT_GRANTED ? grant->hold : 0;
    call->held = (struct spend){.amount = {grant->amount.nano, grant->tokens, 1}};
}

static void take_wakes(struct scene *scene)
{
    struct cookie cookie;
    struct grant grant;
    while (core_next_wake(scene->core, &cookie, &grant))
        take_grant(&scene->calls[cookie.number], &grant);
}

/* `how`: what was used is what was held, nothing, or more than that. */
static void end(struct scene *scene, struct call *call, uint8_t how)
{
    struct spend used = {.amount = {0}};
    if (how % 3 > 0)
        used = call->held;
    if (how % 3 == 2)
        used.amount[UNIT_USD] += 1000 * how;
    if (call->waiter != 0)
        (void)core_leave(scene->core, call->waiter);
    if (call->hold != 0)
        core_settle(scene->core, call->hold, &used, NULL);
    *call = (struct call){0};
}

static void begin(struct scene *scene, size_t at, uint8_t output)
{
    static struct price price = {.tier_count = 1};
    struct subject subject = {.id = {[SCOPE_GLOBAL] = TEXT("all"), [SCOPE_KEY] = TEXT("alice")}};
    struct grant grant;
    price.tiers[0].above_input_tokens = -1;
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++)
        price.tiers[0].rates.pico[bucket] = 1000000;
    const struct ask ask = {.subject = &subject,
                            .price = &price,
                            .bound = {.input_tokens = 10, .choices = 1},
                            .wanted_output = 10 + 4 * output,
                            .named = true,
                            .slice_tokens = (output & 1) != 0 ? 20 : 0,
                            .slack_tokens = (output & 1) != 0 ? 5 : 0,
                            .now_s = scene->now_s,
                            .cookie = {.number = at}};
    end(scene, &scene->calls[at], output);
    take_wakes(scene);
    core_reserve(scene->core, &ask, &grant);
    take_grant(&scene->calls[at], &grant);
}

static void lengthen(struct scene *scene, const struct call *call, uint8_t output)
{
    struct grant grant;
    if (call->hold != 0)
        core_extend(scene->core, call->hold, 10 + 4 * output, &grant);
}

/* ---- steps ---- */

static void go_on(struct scene *scene)
{
    struct lease_action action;
    for (int i = 0; i < STEPS; i++) {
        lease_next(scene->lease, scene->now_ms, scene->now_s, &action);
        if (action.step == LEASE_REST)
            break;
        if (action.step == LEASE_ASK)
            ask_store(scene, action.request);
        else
            lease_committed(scene->lease, scene->now_ms, take_byte(&scene->input) < 250);
        take_wakes(scene);
    }
}

static void pass_time(struct scene *scene, uint8_t by)
{
    int64_t ms = by < 200 ? by * INT64_C(100) : (by - 199) * INT64_C(3600000);
    scene->now_ms += ms;
    scene->now_s += ms / 1000;
    store_set_time(scene->store, scene->now_s);
    core_turn(scene->core, scene->now_s);
    take_wakes(scene);
}

static void step(struct scene *scene)
{
    uint8_t choice = take_byte(&scene->input);
    size_t at = choice / 8 % CALLS;
    switch (choice % 8) {
    case 0:
        begin(scene, at, take_byte(&scene->input));
        break;
    case 1:
        end(scene, &scene->calls[at], take_byte(&scene->input));
        break;
    case 2:
        lengthen(scene, &scene->calls[at], take_byte(&scene->input));
        break;
    case 3:
        pass_time(scene, take_byte(&scene->input));
        break;
    case 4:
        store_set_fence(scene->store, choice < 128 ? "one" : "other");
        break;
    default:
        go_on(scene);
        break;
    }
    take_wakes(scene);
}

static void check_views(const struct scene *scene)
{
    struct account_view views[32];
    size_t count = core_view(scene->core, NULL, true, scene->now_s, views, 32);
    for (size_t i = 0; i < count; i++) {
        demand(views[i].spent >= 0 && views[i].held >= 0 && views[i].elsewhere >= 0);
        demand(views[i].ceiling >= 0 && views[i].overdraft >= 0);
    }
}

static struct core *open_core(const struct zone *zone)
{
    const struct budget budgets[] = {
        {.name = TEXT("day"),
         .scope = SCOPE_GLOBAL,
         .window = WINDOW_DAY,
         .zone = zone,
         .timezone = TEXT("UTC"),
         .limit = {LIMIT, LIMIT_NONE, 50},
         .away_open = 0},
        {.name = TEXT("rolls"),
         .scope = SCOPE_KEY,
         .window = WINDOW_ROLLING,
         .rolling_s = 86400,
         .zone = zone,
         .timezone = TEXT("UTC"),
         .limit = {2 * LIMIT, LIMIT_NONE, LIMIT_NONE}},
        {.name = TEXT("open"),
         .scope = SCOPE_KEY,
         .window = WINDOW_TOTAL,
         .zone = zone,
         .timezone = TEXT("UTC"),
         .limit = {LIMIT, LIMIT_NONE, LIMIT_NONE},
         .away_open = LIMIT / 4},
    };
    const struct core_options options = {.budgets = budgets,
                                         .budget_count = sizeof budgets / sizeof *budgets,
                                         .clamp = CLAMP_ALWAYS,
                                         .min_output_tokens = 10,
                                         .max_waiting = 8,
                                         .max_accounts = 100,
                                         .lease_s = 2,
                                         .leased = true,
                                         .usd_step = 1000};
    return core_open(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene scene = {.input = {data, data + size},
                          .zone = zone_open(NULL, TEXT("UTC"), NULL),
                          .store = store_open(),
                          .now_ms = 1000000,
                          .now_s = NOON_S};
    scene.core = open_core(scene.zone);
    const struct lease_options options = {.core = scene.core,
                                          .shared = true,
                                          .journal = "0123456789abcdef0123456789abcdef",
                                          .incarnation = 3,
                                          .label = TEXT("here")};
    scene.lease = lease_open(&options, NULL, 0);
    store_init(scene.store, "one");
    store_set_time(scene.store, scene.now_s);
    while (scene.input.at < scene.input.end)
        step(&scene);
    for (size_t at = 0; at < CALLS; at++)
        end(&scene, &scene.calls[at], 0);
    lease_retire(scene.lease);
    go_on(&scene);
    check_views(&scene);
    lease_close(scene.lease);
    core_close(scene.core);
    store_close(scene.store);
    zone_close(scene.zone);
    return 0;
}
