/*
 * The names of groups, and cursors: the values of a row, each with its length, in hex.
 */
#include "books/query.h"

#include <stdlib.h>

#include "base/hash.h"

struct text books_group_name(enum books_group group)
{
    static const struct text names[GROUP_COUNT] = {
        [GROUP_HOUR] = {"hour", 4},         [GROUP_DAY] = {"day", 3},
        [GROUP_MONTH] = {"month", 5},       [GROUP_MODEL] = {"model", 5},
        [GROUP_UPSTREAM] = {"upstream", 8}, [GROUP_SERVICE] = {"service", 7},
        [GROUP_KEY] = {"key", 3},           [GROUP_USER] = {"user", 4},
        [GROUP_TEAM] = {"team", 4},         [GROUP_SESSION] = {"session", 7},
        [GROUP_TAG] = {"tag", 3},           [GROUP_ENDPOINT] = {"endpoint", 8},
    };
    ASSERT(group < GROUP_COUNT);
    return names[group];
}

void books_answer_free(void *body)
{
    struct books_answer *answer = body;
    if (answer == NULL)
        return;
    buffer_close(&answer->body);
    buffer_close(&answer->next);
    buffer_close(&answer->ticket);
    free(answer);
}

/* ---- cursors ---- */

#define CURSOR_MOST 16384

static void put_plain(struct buffer *out, unsigned groups, const struct text values[GROUP_COUNT])
{
    for (int i = 0; i < GROUP_COUNT; i++) {
        if (!(groups & GROUP_BIT(i)))
            continue;
        buffer_put_int(out, (int64_t)values[i].size);
        buffer_put_byte(out, ':');
        buffer_put(out, values[i]);
    }
}

void cursor_put(struct buffer *out, unsigned groups, const struct text values[GROUP_COUNT])
{
    struct buffer plain = {0};
    put_plain(&plain, groups, values);
    buffer_reserve(out, 2 * plain.size + 1);
    hash_hex((const uint8_t *)plain.at, plain.size, out->at + out->size);
    out->size += 2 * plain.size;
    buffer_close(&plain);
}

static bool read_value(struct text *rest, struct text *value)
{
    int64_t size = 0;
    struct text behind = *rest;
    if (!text_to_int(text_split(&behind, ':'), &size) || size < 0 || (uint64_t)size > behind.size ||
        behind.at == NULL)
        return false;
    *value = text_slice(behind, 0, (size_t)size);
    *rest = text_from(behind, (size_t)size);
    return true;
}

bool cursor_read(struct text word, unsigned groups, struct arena *arena,
                 struct text values[GROUP_COUNT])
{
    size_t size = word.size / 2;
    if (word.size == 0 || word.size > CURSOR_MOST || word.size % 2 != 0)
        return false;
    char *plain = arena_new(arena, size);
    if (!hash_from_hex(word, (uint8_t *)plain, size))
        return false;
    struct text rest = text_make(plain, size);
    struct text read[GROUP_COUNT] = {{0}};
    for (int i = 0; i < GROUP_COUNT; i++)
        if ((groups & GROUP_BIT(i)) && !read_value(&rest, &read[i]))
            return false;
    if (rest.size > 0)
        return false;
    memcpy(values, read, sizeof(read));
    return true;
}
