/*
 * One request, one command: its numbers in decimal.
 */
#include "budget/rates_wire.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "budget/redis_words.h"

#define HEAD           5                    /* words of ARGV before the rows */
#define COLUMNS        6                    /* words of ARGV per row */
#define TOP            4                    /* numbers of an answer before its rows */
#define ANSWERS        (1 + RATES_COUNTING) /* numbers per row */
#define TIME_MOST      INT64_C(4000000000000000)
#define INSTANCES_MOST 1000000

__asm__(".section .rodata\n"
        ".global purser_rates_lua_begin\n"
        ".global purser_rates_lua_end\n"
        "purser_rates_lua_begin:\n"
        ".incbin \"src/budget/rates.lua\"\n"
        "purser_rates_lua_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char purser_rates_lua_begin[], purser_rates_lua_end[];

struct text rates_script(void)
{
    return text_make(purser_rates_lua_begin,
                     (size_t)(purser_rates_lua_end - purser_rates_lua_begin));
}

/* ---- requests ---- */

static void put_key(struct buffer *out, const struct rates_row *row)
{
    char key[40];
    snprintf(key, sizeof key, "{purser}:r:%016" PRIx64 ":%d", row->account, (int)row->rated);
    redis_words_put(out, text_of(key));
}

static void put_row(struct buffer *out, const struct rates_row *row)
{
    bool parallel = row->rated == RATED_PARALLEL;
    const int64_t columns[COLUMNS] = {parallel ? -1 : row->subwindow,
                                      row->limit,
                                      row->have,
                                      row->useful,
                                      row->wanted,
                                      row->ahead};
    for (size_t i = 0; i < COLUMNS; i++)
        redis_words_put_number(out, columns[i]);
}

size_t rates_wire_put(struct buffer *out, const struct rates_request *request)
{
    ASSERT(request->row_count <= RATES_ROWS_MOST);
    redis_words_put_number(out, (int64_t)request->row_count + 1);
    redis_words_put(out, TEXT("{purser}:rates"));
    for (size_t i = 0; i < request->row_count; i++)
        put_key(out, &request->rows[i]);
    redis_words_put(out, text_of(request->id));
    redis_words_put_number(out, request->sequence);
    redis_words_put_number(out, request->life_us);
    redis_words_put_number(out, request->subwindow_us);
    redis_words_put_number(out, request->leaving);
    for (size_t i = 0; i < request->row_count; i++)
        put_row(out, &request->rows[i]);
    return 2 + request->row_count + HEAD + COLUMNS * request->row_count;
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

/* What others have may be more than a limit: theirs may be another, and facts are facts. */
static bool read_row(const redisReply *answer, size_t at, const struct rates_row *asked,
                     struct rates_row_answer *row)
{
    int64_t most = asked->wanted > asked->ahead ? asked->wanted : asked->ahead;
    if (!number_at(answer, at, most, &row->moved) ||
        (row->moved > 0 && row->moved > asked->limit - asked->have))
        return false;
    for (size_t i = 0; i < RATES_COUNTING; i++)
        if (!number_at(answer, at + 1 + i, TIME_MOST, &row->others[i]))
            return false;
    return true;
}

static bool read_all(const redisReply *answer, const struct rates_request *request,
                     struct rates_reply *reply)
{
    int64_t verdict = 0;
    if (answer->type != REDIS_REPLY_ARRAY || answer->elements < TOP ||
        !number_at(answer, 0, RATES_STORE_STALE, &verdict) ||
        !number_at(answer, 1, TIME_MOST, &reply->now_us) ||
        !number_at(answer, 2, TIME_MOST, &reply->born_us) ||
        !number_at(answer, 3, INSTANCES_MOST, &reply->instances))
        return false;
    reply->verdict = (enum rates_store_verdict)verdict;
    reply->row_count = reply->verdict == RATES_STORE_OK ? request->row_count : 0;
    if (answer->elements != TOP + ANSWERS * reply->row_count)
        return false;
    for (size_t i = 0; i < reply->row_count; i++)
        if (!read_row(answer, TOP + ANSWERS * i, &request->rows[i], &reply->rows[i]))
            return false;
    return true;
}

bool rates_wire_read(const struct redisReply *answer, const struct rates_request *request,
                     struct rates_reply *reply, struct fault *fault)
{
    struct rates_reply *read = memory_new(sizeof *read);
    bool good = read_all(answer, request, read);
    if (good)
        *reply = *read;
    else
        fault_set(fault, "Redis answered what the store of rate limits never says");
    free(read);
    return good;
}
