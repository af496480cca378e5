/*
 * The directives of a request; see wish.h.
 */
#include "wish.h"

#include <string.h>

#include "http.h"

#define NUMBER(field)                                                                              \
    {                                                                                              \
#field, offsetof(struct wish, field)                                                       \
    }

static const struct {
    const char *key;
    size_t offset;
} numbers[] = {
    NUMBER(prompt),      NUMBER(cache_write), NUMBER(cache_write_1h), NUMBER(searches),
    NUMBER(seconds),     NUMBER(bytes),       NUMBER(fail_after),     NUMBER(tail),
    NUMBER(cached),      NUMBER(output),      NUMBER(reasoning),      NUMBER(chunks),
    NUMBER(delay_ms),    NUMBER(gap_ms),      NUMBER(slow_head_ms),   NUMBER(status),
    NUMBER(retry_after), NUMBER(gzip),        NUMBER(die_after),      NUMBER(no_answer),
    NUMBER(html),        NUMBER(half_chunk),  NUMBER(big_mb),         NUMBER(ignore_max),
    NUMBER(events_crlf), NUMBER(cost),        NUMBER(dense),
};

static const size_t number_count = sizeof numbers / sizeof numbers[0];

static int64_t *number_at(struct wish *wish, size_t index)
{
    return (int64_t *)(void *)((char *)wish + numbers[index].offset);
}

static bool read_number(struct text value, int64_t *number)
{
    return text_number(value, number) && *number <= WISH_NUMBER_MAX;
}

static bool read_usage(struct wish *wish, struct text value)
{
    static const struct {
        const char *word;
        enum wish_usage usage;
    } words[] = {
        {"missing", USAGE_MISSING},
        {"every", USAGE_EVERY},
        {"with_choices", USAGE_WITH_CHOICES},
    };
    if (text_starts(value, TEXT("lie:")))
        return read_number(text_after(value, 4), &wish->lie);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!text_equal(value, text_of(words[i].word)))
            continue;
        wish->usage = words[i].usage;
        return true;
    }
    return false;
}

static bool add_header(struct wish *wish, struct text value)
{
    size_t used = strlen(wish->headers);
    size_t room = sizeof wish->headers - used;
    struct text name = text_cut(&value, ':');
    if (name.size == 0 || name.size + value.size + 5 > room)
        return false;
    char *at = wish->headers + used;
    memcpy(at, name.at, name.size);
    memcpy(at + name.size, ": ", 2);
    memcpy(at + name.size + 2, value.at, value.size);
    memcpy(at + name.size + 2 + value.size, "\r\n", 3);
    return true;
}

static bool read_pair(struct wish *wish, struct text pair)
{
    struct text value = pair;
    struct text key = text_cut(&value, '=');
    for (size_t i = 0; i < number_count; i++)
        if (text_equal(key, text_of(numbers[i].key)))
            return read_number(value, number_at(wish, i));
    if (text_equal(key, TEXT("usage")))
        return read_usage(wish, value);
    if (text_equal(key, TEXT("header")))
        return add_header(wish, value);
    if (text_equal(key, TEXT("tier"))) {
        text_copy(wish->tier, sizeof wish->tier, value);
        return value.size > 0;
    }
    if (text_equal(key, TEXT("name"))) {
        text_copy(wish->name, sizeof wish->name, value);
        return value.size > 0;
    }
    if (text_equal(key, TEXT("tool"))) {
        text_copy(wish->tool, sizeof wish->tool, value);
        return value.size > 0;
    }
    wish->cancel_ignored = text_equal(pair, TEXT("cancel=ignore"));
    return wish->cancel_ignored;
}

static bool read_pairs(struct wish *wish, struct text pairs, char mark, struct text *wrong)
{
    while (pairs.size > 0) {
        struct text pair = text_trim(text_cut(&pairs, mark));
        if (pair.size == 0 || read_pair(wish, pair))
            continue;
        *wrong = pair;
        return false;
    }
    return true;
}

/* What stands in the last "[fake …]" of the body; empty: there is none. */
static struct text last_directive(struct text body)
{
    struct text found = {"", 0};
    while (body.size > 0) {
        const char *at = memmem(body.at, body.size, "[fake ", 6);
        if (at == NULL)
            break;
        body = text_after(body, (size_t)(at - body.at) + 6);
        struct text rest = body;
        struct text inside = text_cut(&rest, ']');
        if (inside.size < body.size)
            found = inside;
    }
    return found;
}

bool wish_read(struct wish *wish, struct text headers, struct text body, struct text *wrong)
{
    struct text value = {"", 0};
    *wish = (struct wish){.lie = WISH_ABSENT};
    for (size_t i = 0; i < number_count; i++)
        *number_at(wish, i) = WISH_ABSENT;
    http_header(headers, TEXT("x-fake"), &value);
    return read_pairs(wish, value, ',', wrong) &&
           read_pairs(wish, last_directive(body), ' ', wrong);
}

int64_t wish_or(int64_t wished, int64_t otherwise)
{
    return wished == WISH_ABSENT ? otherwise : wished;
}

bool wish_on(int64_t wished)
{
    return wished > 0;
}
