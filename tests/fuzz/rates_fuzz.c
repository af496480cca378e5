/*
 * Answers of a Redis about rate limits: whatever it sends, rates_wire_read believes nothing above
 * what was asked, and with what it believes requests are let in, told to come again or to wait, and
 * leave, as if the store were honest: nothing overflows, nobody has to wait for ever.
 *
 * The input is steps, a byte each: somebody enters, leaves, time passes, the store is asked. What
 * it answers are the bytes that follow, and zeros behind the last one.
 */
#include <hiredis/hiredis.h>

#include "budget/rates_lessee.h"
#include "budget/rates_wire.h"
#include "fuzz.h"

#define PASSES       4
#define TOP          4 /* numbers of an answer before its rows */
#define PER_ROW      (1 + RATES_COUNTING)
#define ELEMENTS     (TOP + RATES_ROWS_MOST * PER_ROW + 1)
#define SECOND_US    INT64_C(1000000)
#define WAIT_MOST_US (RATES_COUNTING * RATES_SUBWINDOW_US)
#define ROUNDS       8 /* asks in a row: more to say than there are rows for */

struct scene {
    struct fuzz_input input;
    struct rates_core *core;
    struct rates_lessee *lessee;
    struct rates_pass *passes[PASSES];
    struct rate_limit limits[2];
    int64_t now_us;
};

/* ---- answers ---- */

static int64_t take_raw(struct scene *scene)
{
    uint64_t raw = 0;
    for (int i = 0; i < 8; i++)
        raw = raw << 8 | take_byte(&scene->input);
    return (int64_t)raw;
}

static long long take_number(struct scene *scene)
{
    switch (take_byte(&scene->input) % 8) {
    case 0:
    case 1:
        return 0;
    case 2:
        return take_byte(&scene->input);
    case 3:
        return RATES_MOST;
    case 4:
        return INT64_C(4000000000000000); /* the latest time that is believed */
    case 5:
        return take_raw(scene);
    case 6:
        return scene->now_us;
    default:
        return 1000000;
    }
}

/* Numbers, as many as there should be; now and then another count, or something else among them. */
static void make_answer(struct scene *scene, size_t row_count, redisReply *answer)
{
    static redisReply elements[ELEMENTS];
    static redisReply *pointers[ELEMENTS];
    uint8_t oddity = take_byte(&scene->input);
    size_t count = TOP + PER_ROW * row_count;
    if (oddity >= 0xf0)
        count = oddity == 0xf0 ? TOP : count + 1;
    for (size_t i = 0; i < count; i++) {
        elements[i] = (redisReply){.type = REDIS_REPLY_INTEGER, .integer = take_number(scene)};
        pointers[i] = &elements[i];
    }
    if (oddity == 0xff)
        elements[take_byte(&scene->input) % count].type = REDIS_REPLY_NIL;
    *answer = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = count, .element = pointers};
    if (oddity == 0xfe)
        *answer = (redisReply){.type = REDIS_REPLY_INTEGER, .integer = 1};
}

static void check_reply(const struct rates_request *request, const struct rates_reply *reply)
{
    demand(reply->verdict == RATES_STORE_OK || reply->verdict == RATES_STORE_STALE);
    demand(reply->row_count == (reply->verdict == RATES_STORE_OK ? request->row_count : 0));
    demand(reply->now_us >= 0 && reply->born_us >= 0 && reply->instances >= 0);
    for (size_t i = 0; i < reply->row_count; i++) {
        const struct rates_row *asked = &request->rows[i];
        int64_t moved = reply->rows[i].moved;
        demand(moved == 0 || (moved > 0 && moved + asked->have <= asked->limit));
        demand(moved <= asked->wanted || moved <= asked->ahead);
        for (int slot = 0; slot < RATES_COUNTING; slot++)
            demand(reply->rows[i].others[slot] >= 0);
    }
}

/* Sent at once; answered some time later, or not at all. */
static void talk(struct scene *scene)
{
    static struct rates_reply reply;
    struct rates_request request;
    int64_t until_us;
    for (int i = 0; i < ROUNDS; i++) {
        if (!rates_lessee_next(scene->lessee, scene->now_us, &request, &until_us))
            return;
        struct redisReply answer;
        struct fault fault;
        int64_t sent_us = scene->now_us;
        make_answer(scene, request.row_count, &answer);
        bool believed = rates_wire_read(&answer, &request, &reply, &fault);
        if (believed)
            check_reply(&request, &reply);
        scene->now_us += take_byte(&scene->input) * INT64_C(1000);
        rates_lessee_take(scene->lessee, sent_us, scene->now_us, believed ? &reply : NULL);
    }
}

/* ---- requests ---- */

static void leave(struct scene *scene, size_t at, uint8_t how)
{
    enum rates_end end = (enum rates_end)(how % (RATES_UNDONE + 1));
    rates_leave(scene->core, scene->passes[at], end, end == RATES_KNOWN ? 50 * how : 0);
    scene->passes[at] = NULL;
}

static void enter(struct scene *scene, size_t at, uint8_t who)
{
    static const char *const names[] = {"alice", "bob", "carol", "dave"};
    struct subject subject = {.id = {[SCOPE_GLOBAL] = TEXT("all")}};
    subject.id[SCOPE_KEY] = text_of(names[who % 4]);
    const struct rates_ask ask = {
        .limits = scene->limits,
        .limit_count = 2,
        .subject = &subject,
        .scopes = 1u << SCOPE_GLOBAL | 1u << SCOPE_KEY,
        .tokens = who >= 128 ? RATES_MOST : who,
        .now_us = scene->now_us,
        .patient = (who & 4) != 0,
    };
    struct rates_answer answer;
    if (scene->passes[at] != NULL)
        leave(scene, at, who);
    rates_enter(scene->core, &scene->passes[at], &ask, &answer);
    if (answer.verdict == RATES_LIMITED)
        demand(answer.wait_us > 0 && answer.wait_us <= WAIT_MOST_US);
    demand(answer.verdict != RATES_WAIT || ask.patient);
    for (int rated = 0; rated < RATED_BY_MINUTE; rated++)
        demand(answer.level[rated].remaining >= 0 && answer.level[rated].reset_us >= 0);
}

static void step(struct scene *scene)
{
    uint8_t choice = take_byte(&scene->input);
    size_t at = choice / 4 % PASSES;
    switch (choice % 4) {
    case 0:
        enter(scene, at, take_byte(&scene->input));
        break;
    case 1:
        leave(scene, at, take_byte(&scene->input));
        break;
    case 2:
        scene->now_us += choice >= 128 ? 7 * SECOND_US : choice * INT64_C(5000);
        break;
    default:
        talk(scene);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char id[RATES_ID_SIZE] = "me";
    struct scene scene = {
        .input = {data, data + size},
        .core = rates_open(3),
        .limits = {{.who = {.scope = SCOPE_GLOBAL}, .limit = {100, RATES_MOST, 3}},
                   {.who = {.scope = SCOPE_KEY}, .limit = {5, 1000, LIMIT_NONE}}},
        .now_us = 1000 * SECOND_US,
    };
    rates_seal(&scene.limits[0]);
    rates_seal(&scene.limits[1]);
    rates_lease(scene.core, 0);
    scene.lessee = rates_lessee_open(scene.core, id, 0);
    while (scene.input.at < scene.input.end)
        step(&scene);
    for (size_t at = 0; at < PASSES; at++)
        leave(&scene, at, 0);
    rates_lessee_retire(scene.lessee);
    talk(&scene);
    rates_lessee_close(scene.lessee);
    demand(rates_passes(scene.core) == 0);
    rates_close(scene.core);
    return 0;
}
