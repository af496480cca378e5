/*
 * One operation, one command: its numbers in decimal, because Lua's are doubles and everything here
 * is exact in them.
 */
#include "budget/store_wire.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "budget/redis_words.h"
#include "money/charge.h"

#define HEAD     15 /* words of ARGV before the rows */
#define COLUMNS  11 /* words of ARGV per row */
#define SIBLINGS (2 * WINDOW_ROLLING_BUCKETS)
#define TOP      12 /* words of an answer before its rows */
#define ANSWERS  7  /* numbers per row */

__asm__(".section .rodata\n"
        ".global purser_store_lua_begin\n"
        ".global purser_store_lua_end\n"
        "purser_store_lua_begin:\n"
        ".incbin \"src/budget/store.lua\"\n"
        "purser_store_lua_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char purser_store_lua_begin[], purser_store_lua_end[];

static const char *const KINDS[] = {
    [STORE_INIT] = "init", [STORE_JOIN] = "join",   [STORE_MOVE] = "move",
    [STORE_SYNC] = "sync", [STORE_EPOCH] = "epoch", [STORE_READY] = "ready",
    [STORE_BEAT] = "beat", [STORE_LEAVE] = "leave", [STORE_RECONCILE] = "reconcile",
};

struct text store_script(void)
{
    return text_make(purser_store_lua_begin,
                     (size_t)(purser_store_lua_end - purser_store_lua_begin));
}

/* ---- requests ---- */

static void put_account(struct buffer *out, uint64_t account)
{
    char key[32];
    snprintf(key, sizeof(key), "{purser}:a:%016" PRIx64, account);
    redis_words_put(out, text_of(key));
}

/* Of the sub-buckets before and after those that roll. */
static size_t siblings_of(const struct store_request *request)
{
    size_t count = 0;
    for (size_t i = 0; i < request->row_count; i++)
        count += request->rows[i].rolling ? SIBLINGS : 0;
    return count;
}

static void put_siblings(struct buffer *out, uint64_t account)
{
    for (int later = -WINDOW_ROLLING_BUCKETS; later <= WINDOW_ROLLING_BUCKETS; later++) {
        if (later != 0)
            put_account(out, charge_sibling(account, later));
    }
}

static void put_keys(struct buffer *out, const struct store_request *request)
{
    redis_words_put_number(out, (int64_t)(request->row_count + siblings_of(request) + 2));
    redis_words_put(out, TEXT("{purser}:meta"));
    redis_words_put(out, TEXT("{purser}:nodes"));
    for (size_t i = 0; i < request->row_count; i++)
        put_account(out, request->rows[i].account);
    for (size_t i = 0; i < request->row_count; i++) {
        if (request->rows[i].rolling)
            put_siblings(out, request->rows[i].account);
    }
}

/* For people: registry.h reads it. Numbers of accounts mean nothing to them. */
static void put_what(struct buffer *out, const struct charge *what)
{
    struct buffer object = {0};
    if (what == NULL) {
        redis_words_put(out, TEXT(""));
        return;
    }
    buffer_put_byte(&object, '{');
    json_put_text_member(&object, TEXT("budget"), what->budget);
    json_put_text_member(&object, TEXT("scope"), text_of(scope_name(what->scope)));
    json_put_text_member(&object, TEXT("id"), what->id);
    json_put_text_member(&object, TEXT("unit"), text_of(unit_name(what->unit)));
    json_put_text_member(&object, TEXT("window"), text_of(what->window));
    buffer_put_byte(&object, '}');
    redis_words_put(out, buffer_text(&object));
    buffer_close(&object);
}

/* `siblings`: the place of its first one among the keys, if it rolls. */
static void put_row(struct buffer *out, const struct store_row *row, size_t siblings)
{
    int64_t until_s = row->until_s < STORE_MOST ? row->until_s : 0;
    const int64_t numbers[COLUMNS - 1] = {row->limit,
                                          until_s,
                                          row->least,
                                          row->most,
                                          row->give,
                                          row->charge,
                                          row->value,
                                          row->spent,
                                          row->rolling ? (int64_t)siblings : 0,
                                          row->anew ? row->beginning + 1 : 0};
    for (size_t i = 0; i < COLUMNS - 1; i++)
        redis_words_put_number(out, numbers[i]);
    put_what(out, row->what);
}

static void put_roster(struct buffer *out, const struct store_roster *roster)
{
    struct buffer names = {0};
    for (size_t i = 0; roster != NULL && i < roster->count; i++) {
        const struct store_seat *seat = &roster->at[i];
        buffer_printf(&names, "%s%s:%" PRId64 ".%" PRId64, i == 0 ? "" : " ", seat->journal,
                      seat->incarnation, seat->sequence);
    }
    redis_words_put(out, buffer_text(&names));
    buffer_close(&names);
}

void store_wire_put(struct buffer *out, const char *sha, const struct store_request *request)
{
    ASSERT(request->row_count <= STORE_ROWS_MOST);
    size_t words =
        3 + 2 + request->row_count + siblings_of(request) + HEAD + COLUMNS * request->row_count;
    redis_words_begin(out, words);
    redis_words_put(out, TEXT("EVALSHA"));
    redis_words_put(out, text_of(sha));
    put_keys(out, request);
    redis_words_put(out, text_of(KINDS[request->kind]));
    redis_words_put(out, text_of(request->journal));
    redis_words_put(out, text_of(request->fence));
    redis_words_put_number(out, request->epoch);
    redis_words_put_number(out, request->incarnation);
    redis_words_put_number(out, request->sequence);
    redis_words_put_number(out, request->now_s);
    redis_words_put_number(out, request->complete);
    redis_words_put_number(out, request->lost);
    redis_words_put_number(out, request->instances);
    redis_words_put(out, text_of(request->whose));
    redis_words_put(out, request->label);
    redis_words_put_number(out, request->known);
    redis_words_put_number(out, request->vouches);
    put_roster(out, request->roster);
    size_t siblings = 2 + request->row_count + 1;
    for (size_t i = 0; i < request->row_count; i++) {
        put_row(out, &request->rows[i], siblings);
        siblings += request->rows[i].rolling ? SIBLINGS : 0;
    }
}

/* ---- replies ---- */

static bool number_at(const redisReply *answer, size_t at, int64_t most, int64_t *number)
{
    const redisReply *element = answer->element[at];
    if (element->type != REDIS_REPLY_INTEGER || element->integer < 0 || element->integer > most)
        return false;
    *number = element->integer;
    return true;
}

static bool read_row(const redisReply *answer, size_t at, struct store_answer *row)
{
    int64_t wanted = 0;
    if (!number_at(answer, at, STORE_MOST, &row->moved) ||
        !number_at(answer, at + 1, STORE_MOST, &row->granted) ||
        !number_at(answer, at + 2, STORE_MOST, &row->total) ||
        !number_at(answer, at + 3, STORE_MOST, &row->elsewhere) ||
        !number_at(answer, at + 4, 1, &wanted) ||
        !number_at(answer, at + 5, STORE_MOST, &row->beside_granted) ||
        !number_at(answer, at + 6, STORE_MOST, &row->beside_spent))
        return false;
    row->wanted = wanted == 1;
    return true;
}

/* What an honest store never answers. */
static bool is_possible(const struct store_request *request, const struct store_row *asked,
                        const struct store_reply *reply, const struct store_answer *row)
{
    int64_t most = asked->most > asked->least ? asked->most : asked->least;
    bool moves = request->kind == STORE_MOVE && !reply->recovering;
    if (row->moved > (moves ? most : 0) || row->moved > row->granted || row->granted > row->total)
        return false;
    if (row->moved > 0 && row->total > asked->limit)
        return false;
    return request->kind != STORE_SYNC || row->granted <= asked->value;
}

static bool read_rows(const redisReply *answer, const struct store_request *request,
                      struct store_reply *reply)
{
    bool applied = reply->verdict == STORE_OK || reply->verdict == STORE_RECOVERING;
    size_t count = applied ? request->row_count : 0;
    if (answer->elements != TOP + ANSWERS * count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_row(answer, TOP + ANSWERS * i, &reply->rows[i]) ||
            !is_possible(request, &request->rows[i], reply, &reply->rows[i]))
            return false;
    reply->row_count = count;
    return true;
}

static bool read_fence(const redisReply *element, char fence[STORE_FENCE_SIZE])
{
    size_t size = (size_t)element->len;
    if (element->type != REDIS_REPLY_STRING || size == 0 || size >= STORE_FENCE_SIZE ||
        memchr(element->str, '\0', size) != NULL)
        return false;
    memset(fence, 0, STORE_FENCE_SIZE);
    memcpy(fence, element->str, size);
    return true;
}

static bool is_word(struct text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~')
            return false;
    return true;
}

/* journal:incarnation.sequence */
static bool read_seat(struct text said, struct store_seat *seat)
{
    struct text journal = text_split(&said, ':');
    struct text incarnation = text_split(&said, '.');
    *seat = (struct store_seat){0};
    if (journal.size == 0 || journal.size >= sizeof(seat->journal) || !is_word(journal) ||
        !text_to_int(incarnation, &seat->incarnation) || !text_to_int(said, &seat->sequence))
        return false;
    memcpy(seat->journal, journal.at, journal.size);
    return seat->incarnation >= 0 && seat->incarnation < STORE_MOST && seat->sequence >= 0 &&
           seat->sequence < STORE_MOST;
}

static bool read_roster(const redisReply *element, struct store_roster *roster)
{
    if (element->type != REDIS_REPLY_STRING)
        return false;
    struct text said = text_make(element->str, (size_t)element->len);
    for (roster->count = 0; said.size > 0; roster->count++) {
        if (roster->count == STORE_MEMBERS_MOST ||
            !read_seat(text_split(&said, ' '), &roster->at[roster->count]))
            return false;
    }
    return true;
}

static bool read_top(const redisReply *answer, struct store_reply *reply)
{
    int64_t verdict = 0, recovering = 0, unfenced = 0, vouched = 0, alone = 0;
    if (!number_at(answer, 0, STORE_EMPTY, &verdict) ||
        !read_fence(answer->element[1], reply->fence) ||
        !number_at(answer, 2, STORE_MOST - 1, &reply->epoch) ||
        !number_at(answer, 3, 1, &recovering) || !number_at(answer, 4, 1, &unfenced) ||
        !number_at(answer, 5, STORE_MOST, &reply->gseq) ||
        !number_at(answer, 6, STORE_MOST - 1, &reply->instances) ||
        !number_at(answer, 7, STORE_MOST, &reply->absent) || !number_at(answer, 8, 1, &vouched) ||
        !number_at(answer, 9, 1, &alone) || !number_at(answer, 10, STORE_MOST, &reply->changed) ||
        !read_roster(answer->element[11], &reply->roster))
        return false;
    reply->verdict = (enum store_verdict)verdict;
    reply->recovering = recovering == 1;
    reply->unfenced = unfenced == 1;
    reply->vouched = vouched == 1;
    reply->alone = alone == 1;
    return true;
}

/* An operation that names fence and epoch is not applied under others. */
static bool is_of_epoch(const struct store_request *request, const struct store_reply *reply)
{
    switch (request->kind) {
    case STORE_MOVE:
    case STORE_SYNC:
    case STORE_READY:
    case STORE_BEAT:
        break;
    case STORE_INIT:
    case STORE_JOIN:
    case STORE_EPOCH:
    case STORE_LEAVE:
    case STORE_RECONCILE:
        return reply->verdict != STORE_RECOVERING;
    }
    if (reply->verdict == STORE_RECOVERING)
        return request->kind == STORE_MOVE && reply->recovering;
    if (reply->verdict != STORE_OK)
        return true;
    return reply->epoch == request->epoch && strcmp(reply->fence, request->fence) == 0 &&
           !reply->unfenced && !(request->kind == STORE_MOVE && reply->recovering);
}

bool store_wire_read(const struct redisReply *answer, const struct store_request *request,
                     struct store_reply *reply, struct fault *fault)
{
    struct store_reply *read = memory_new(sizeof(*read));
    bool good = answer->type == REDIS_REPLY_ARRAY && answer->elements >= TOP &&
                read_top(answer, read) && is_of_epoch(request, read) &&
                read_rows(answer, request, read);
    if (good)
        *reply = *read;
    else
        fault_set(fault, "Redis answered what the store never says");
    free(read);
    return good;
}
