/*
 * Random request bodies as trees, written out in many ways: for the property tests of
 * fingerprints. A tree says what a body means; everything else is left to chance when it is
 * written.
 */
#ifndef PURSER_TESTS_SAMPLE_BODY_H
#define PURSER_TESTS_SAMPLE_BODY_H

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

#define NODE_MOST  8  /* children */
#define NODE_CHARS 12 /* characters of a text */

struct node {
    enum json_kind kind;
    char name[24];             /* as a member; plain ASCII */
    uint32_t text[NODE_CHARS]; /* the characters of a string */
    size_t size;               /* of the text, or of the children */
    int digits;                /* of a number: a whole one, or ... */
    int tenths;                /* ... with this many tenths */
    struct node *children[NODE_MOST];
};

struct chance {
    uint64_t state;
};

/* xorshift64* (Vigna 2016): the same run every time. */
static inline uint32_t chance(struct chance *chance, uint32_t below)
{
    chance->state ^= chance->state >> 12;
    chance->state ^= chance->state << 25;
    chance->state ^= chance->state >> 27;
    return (uint32_t)((chance->state * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* ---- trees ---- */

static inline void random_text(struct chance *dice, struct node *node)
{
    static const uint32_t odd[] = {'"', '\\', '/',  '\n',   '\t',    1,      0x1F,
                                   ' ', 0x7F, 0xE9, 0x20AC, 0x1F600, 0xFFFD, 0xD800,
                                   'u', 'n',  '{',  ']',    ',',     ':'};
    node->size = chance(dice, NODE_CHARS);
    for (size_t i = 0; i < node->size; i++)
        node->text[i] = chance(dice, 3) == 0 ? odd[chance(dice, sizeof(odd) / sizeof(odd[0]))]
                                             : 'a' + chance(dice, 26);
}

static inline struct node *random_node(struct chance *dice, struct arena *arena, int depth)
{
    static const enum json_kind kinds[] = {JSON_STRING, JSON_NUMBER, JSON_TRUE,  JSON_FALSE,
                                           JSON_NULL,   JSON_STRING, JSON_ARRAY, JSON_OBJECT};
    struct node *node = arena_new(arena, sizeof(*node));
    node->kind = kinds[chance(dice, depth > 0 ? 8 : 6)];
    node->digits = (int)chance(dice, 2000) - 500;
    node->tenths = chance(dice, 2) == 0 ? 0 : (int)chance(dice, 10);
    if (node->kind == JSON_STRING)
        random_text(dice, node);
    if (node->kind < JSON_ARRAY)
        return node;
    node->size = chance(dice, 5);
    for (size_t i = 0; i < node->size; i++) {
        node->children[i] = random_node(dice, arena, depth - 1);
        (void)snprintf(node->children[i]->name, sizeof(node->children[i]->name), "n%u",
                       chance(dice, 20));
    }
    return node;
}

/* ---- writing ---- */

static inline void put_space(struct chance *dice, struct buffer *out)
{
    while (chance(dice, 4) == 0)
        buffer_put_byte(out, " \n\r\t"[chance(dice, 4)]);
}

static inline void put_unit(struct chance *dice, struct buffer *out, uint32_t unit)
{
    buffer_printf(out, chance(dice, 2) == 0 ? "\\u%04x" : "\\u%04X", unit);
}

static inline void put_plain(struct buffer *out, uint32_t code)
{
    if (code >= 0x10000)
        buffer_put_byte(out, (char)(0xF0 | code >> 18));
    if (code >= 0x10000)
        buffer_put_byte(out, (char)(0x80 | (code >> 12 & 63)));
    else if (code >= 0x800)
        buffer_put_byte(out, (char)(0xE0 | code >> 12));
    if (code >= 0x800)
        buffer_put_byte(out, (char)(0x80 | (code >> 6 & 63)));
    else
        buffer_put_byte(out, (char)(0xC0 | code >> 6));
    buffer_put_byte(out, (char)(0x80 | (code & 63)));
}

/* A character in one of its spellings. */
static inline void put_character(struct chance *dice, struct buffer *out, uint32_t code)
{
    static const char shorts[] = "\"\"\\\\//\bb\ff\nn\rr\tt";
    bool lone = code >= 0xD800 && code < 0xE000;
    for (size_t i = 0; i + 1 < sizeof(shorts); i += 2) {
        if ((uint32_t)shorts[i] == code && chance(dice, 3) > 0) {
            buffer_put_byte(out, '\\');
            buffer_put_byte(out, shorts[i + 1]);
            return;
        }
    }
    if (lone || code < 0x20 || code == '"' || code == '\\' || chance(dice, 4) == 0) {
        if (code >= 0x10000)
            put_unit(dice, out, 0xD800 + ((code - 0x10000) >> 10));
        put_unit(dice, out, code < 0x10000 ? code : 0xDC00 + ((code - 0x10000) & 0x3FF));
    } else if (code < 0x80) {
        buffer_put_byte(out, (char)code);
    } else {
        put_plain(out, code);
    }
}

static inline void put_name(struct chance *dice, struct buffer *out, const char *name)
{
    buffer_put_byte(out, '"');
    for (; *name != '\0'; name++)
        put_character(dice, out, (uint32_t)*name);
    buffer_put_byte(out, '"');
    put_space(dice, out);
    buffer_put_byte(out, ':');
}

/* At the top level in one of the spellings of its value. */
static inline void put_number(struct chance *dice, struct buffer *out, const struct node *node,
                              bool top)
{
    static const char *const zeros[] = {"", ".0", "e0", ".00E+0"};
    const char *sign = node->digits < 0 ? "-" : "";
    int whole = abs(node->digits);
    bool zero = whole == 0 && node->tenths == 0;
    if (!top || node->tenths == 0)
        buffer_printf(out, "%s%d", zero && top && chance(dice, 2) == 0 ? "-" : sign, whole);
    if (!top && node->tenths != 0)
        buffer_printf(out, ".%d", node->tenths);
    if (top && node->tenths == 0)
        buffer_put(out, text_of(zeros[chance(dice, 4)]));
    if (top && node->tenths != 0 && whole != 0 && chance(dice, 3) == 0)
        buffer_printf(out, "%s%d%de-1", sign, whole, node->tenths);
    else if (top && node->tenths != 0)
        buffer_printf(out, "%s%d.%d%s", sign, whole, node->tenths, chance(dice, 2) ? "0" : "");
}

static inline void put_node(struct chance *dice, struct buffer *out, const struct node *node,
                            bool top)
{
    static const char *const words[] = {"null", "false", "true"};
    put_space(dice, out);
    if (node->kind < JSON_NUMBER)
        buffer_put(out, text_of(words[node->kind]));
    if (node->kind == JSON_NUMBER)
        put_number(dice, out, node, top);
    if (node->kind == JSON_STRING) {
        buffer_put_byte(out, '"');
        for (size_t i = 0; i < node->size; i++)
            put_character(dice, out, node->text[i]);
        buffer_put_byte(out, '"');
    }
    if (node->kind >= JSON_ARRAY) {
        buffer_put_byte(out, node->kind == JSON_ARRAY ? '[' : '{');
        for (size_t i = 0; i < node->size; i++) {
            buffer_put(out, i > 0 ? TEXT(",") : TEXT(""));
            put_space(dice, out);
            if (node->kind == JSON_OBJECT)
                put_name(dice, out, node->children[i]->name);
            put_node(dice, out, node->children[i], false);
        }
        put_space(dice, out);
        buffer_put_byte(out, node->kind == JSON_ARRAY ? ']' : '}');
    }
    put_space(dice, out);
}

#endif
