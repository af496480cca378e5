/*
 * JSON against cJSON, on random documents and what random damage makes of them.
 *
 * cJSON is laxer than RFC 8259 in known places (numbers like 01, any control character as white
 * space, \u with bad digits, no look at UTF-8) and stricter in two (it refuses lone surrogates and
 * numbers above 63 characters). The oracle therefore checks the tokens one by one first, hands
 * cJSON a copy in which every good number is 1 and every good \u escape is \u0041, and so leaves
 * it to judge the structure. The oracle shares no code with what it judges.
 */
#include <cjson/cJSON.h>
#include <iconv.h>
#include <math.h>
#include <regex.h>

#include "../unit.h"
#include "base/json.h"

enum { ROUNDS = 60000 };

/* ---- chance ---- */

static uint64_t dice = 20261121;

static size_t roll(size_t sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (size_t)(dice >> 11) % sides;
}

static void put_one_of(struct buffer *out, const char *const *choices, size_t count)
{
    buffer_put(out, text_of(choices[roll(count)]));
}

/* ---- documents ---- */

static void put_white(struct buffer *out)
{
    static const char *const whites[] = {"", "", "", "", " ", "\n", "\r\n", "\t", "   "};
    put_one_of(out, whites, UNIT_COUNT(whites));
}

static void put_string(struct buffer *out)
{
    static const char *const pieces[] = {
        "a",
        "model",
        "0123456789abcdef",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u00e9",
        "\\uD83D\\uDE00",
        "\\ud800",
        "\\u0000",
        "\xC3\xA9",
        " ",
        "{",
        "]",
        ",",
        ":",
        "\xE2\x82\xAC",
        "\x7F",
        "\\b",
        "\\t",
        "\xF0\x9F\x98\x80",
        "'",
        "\xED\x9F\xBF",
    };
    buffer_put_byte(out, '"');
    for (size_t left = roll(6); left > 0; left--)
        put_one_of(out, pieces, UNIT_COUNT(pieces));
    buffer_put_byte(out, '"');
}

static void put_value(struct buffer *out, int levels)
{
    static const char *const plain[] = {
        "null", "true", "false", "0",     "-0",
        "1",    "-12",  "3.25",  "1e5",   "2E-3",
        "10.0", "1e+2", "0.5",   "1e400", "123456789012345678901234567890",
    };
    size_t kind = roll(levels > 0 ? 6 : 3);
    if (kind < 2) {
        put_one_of(out, plain, UNIT_COUNT(plain));
        return;
    }
    if (kind == 2) {
        put_string(out);
        return;
    }
    bool object = kind >= 4;
    buffer_put_byte(out, object ? '{' : '[');
    put_white(out);
    for (size_t left = roll(4), first = left; left > 0; left--) {
        if (left < first)
            buffer_put_byte(out, ',');
        put_white(out);
        if (object) {
            put_string(out);
            put_white(out);
            buffer_put_byte(out, ':');
            put_white(out);
        }
        put_value(out, levels - 1);
        put_white(out);
    }
    buffer_put_byte(out, object ? '}' : ']');
}

static void put_document(struct buffer *out)
{
    size_t wraps = roll(40) == 0 ? JSON_MAX_DEPTH - 4 + roll(6) : 0;
    for (size_t i = 0; i < wraps; i++)
        buffer_put_byte(out, '[');
    put_white(out);
    put_value(out, 5);
    put_white(out);
    for (size_t i = 0; i < wraps; i++)
        buffer_put_byte(out, ']');
}

/* ---- damage ---- */

/* Replaces [from, to) by `by`. */
static void replace(struct buffer *document, size_t from, size_t to, struct text by)
{
    struct buffer changed = {0};
    buffer_put(&changed, text_slice(buffer_text(document), 0, from));
    buffer_put(&changed, by);
    buffer_put(&changed, text_from(buffer_text(document), to));
    buffer_close(document);
    *document = changed;
}

static void damage(struct buffer *document)
{
    static const struct text bits[] = {
        TEXT("\""),      TEXT("\\"),
        TEXT("{"),       TEXT("}"),
        TEXT("["),       TEXT("]"),
        TEXT(","),       TEXT(":"),
        TEXT("0"),       TEXT("-"),
        TEXT("."),       TEXT("e"),
        TEXT("+"),       TEXT("\0"),
        TEXT("\x01"),    TEXT("\v"),
        TEXT(" "),       TEXT("\n"),
        TEXT("1"),       TEXT("null"),
        TEXT("\\u12g4"), TEXT("\\u"),
        TEXT("\\x"),     TEXT("\x80"),
        TEXT("u"),       TEXT("\xC3"),
        TEXT("\xFF"),    TEXT("\xC0\xAF"),
        TEXT("true"),    TEXT("\xED\xA0"),
        TEXT("/"),       TEXT("\x1F"),
        TEXT("\"a\":1"), TEXT("\xEF\xBB\xBF"),
    };
    size_t from = roll(document->size + 1);
    size_t to = from + roll(4);
    if (to > document->size)
        to = document->size;
    struct buffer copy = {0};
    switch (roll(5)) {
    case 0: /* insert */
        replace(document, from, from, bits[roll(UNIT_COUNT(bits))]);
        break;
    case 1: /* overwrite */
        replace(document, from, to, bits[roll(UNIT_COUNT(bits))]);
        break;
    case 2: /* lose a few bytes */
        replace(document, from, to, TEXT_NONE);
        break;
    case 3: /* say a part twice */
        buffer_put(&copy, text_slice(buffer_text(document), from, from + roll(20)));
        replace(document, roll(document->size + 1), SIZE_MAX, buffer_text(&copy));
        break;
    default: /* turn a bit over */
        if (from < document->size)
            document->at[from] ^= (char)(1 << roll(8));
    }
    buffer_close(&copy);
}

/* ---- the oracle ---- */

static struct {
    regex_t number;
    iconv_t utf8;
} tools;

static void open_tools(void)
{
    static const char grammar[] = "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$";
    ck_assert_int_eq(regcomp(&tools.number, grammar, REG_EXTENDED | REG_NOSUB), 0);
    tools.utf8 = iconv_open("UTF-32LE", "UTF-8");
    ck_assert_ptr_ne(tools.utf8, (iconv_t)-1);
}

static void close_tools(void)
{
    regfree(&tools.number);
    iconv_close(tools.utf8);
}

static bool is_utf8(struct text whole)
{
    struct buffer out = {0};
    buffer_reserve(&out, 4 * whole.size + 8);
    char *from = (char *)(uintptr_t)whole.at, *to = out.at;
    size_t from_left = whole.size, to_left = out.room;
    iconv(tools.utf8, NULL, NULL, NULL, NULL);
    bool good = iconv(tools.utf8, &from, &from_left, &to, &to_left) == 0 && from_left == 0;
    buffer_close(&out);
    return good;
}

/* Passes the string that `*rest` begins with and puts a tame one; false if it is none. */
static bool tame_string(struct text *rest, struct buffer *tame)
{
    buffer_put_byte(tame, '"');
    for (size_t i = 1; i < rest->size; i++) {
        char byte = rest->at[i];
        if ((unsigned char)byte < ' ')
            return false;
        if (byte == '\\' && i + 1 < rest->size && rest->at[i + 1] == 'u') {
            if (rest->size - i < 6 || strspn(rest->at + i + 2, "0123456789abcdefABCDEF") < 4)
                return false;
            buffer_put(tame, TEXT("\\u0041"));
            i += 5;
            continue;
        }
        buffer_put_byte(tame, byte);
        if (byte == '\\' && i + 1 < rest->size)
            buffer_put_byte(tame, rest->at[++i]);
        else if (byte == '"') {
            *rest = text_from(*rest, i + 1);
            return true;
        }
    }
    return false;
}

static bool tame_number(struct text *rest, struct buffer *tame)
{
    size_t size = strspn(rest->at, "+-.0123456789eE");
    char *number = memory_copy(text_slice(*rest, 0, size));
    bool good = regexec(&tools.number, number, 0, NULL, 0) == 0;
    free(number);
    buffer_put_byte(tame, '1');
    *rest = text_from(*rest, size);
    return good;
}

/* Checks the tokens (of a zero-terminated text) and puts a copy that cJSON judges rightly. */
static bool tame_tokens(struct text rest, struct buffer *tame)
{
    size_t depth = 0;
    while (rest.size > 0) {
        char byte = rest.at[0];
        if (byte == '"') {
            if (!tame_string(&rest, tame))
                return false;
            continue;
        }
        if (byte != '\0' && strchr("+-.0123456789", byte) != NULL) {
            if (!tame_number(&rest, tame))
                return false;
            continue;
        }
        if ((unsigned char)byte < ' ' && byte != '\t' && byte != '\n' && byte != '\r')
            return false;
        depth += byte == '[' || byte == '{' ? 1 : 0;
        if (depth > JSON_MAX_DEPTH)
            return false;
        depth -= byte == ']' || byte == '}' ? 1 : 0;
        /* a word is passed whole: its e is no exponent */
        do {
            buffer_put_byte(tame, rest.at[0]);
            rest = text_from(rest, 1);
        } while (rest.size > 0 && byte >= 'a' && byte <= 'z' && rest.at[0] >= 'a' &&
                 rest.at[0] <= 'z');
    }
    return true;
}

static bool oracle_accepts(struct buffer *document)
{
    (void)buffer_string(document);
    struct text whole = buffer_text(document);
    if (!is_utf8(whole) || text_starts(whole, TEXT("\xEF\xBB\xBF")))
        return false;
    struct buffer tame = {0};
    bool good = tame_tokens(whole, &tame);
    if (good) {
        cJSON *tree = cJSON_ParseWithOpts(buffer_string(&tame), NULL, true);
        good = tree != NULL;
        cJSON_Delete(tree);
    }
    buffer_close(&tame);
    return good;
}

/* ---- the comparison ---- */

static enum json_error parse_exact(struct text whole)
{
    char *copy = malloc(whole.size > 0 ? whole.size : 1);
    if (whole.size > 0)
        memcpy(copy, whole.at, whole.size);
    struct json_value value;
    enum json_error error = json_parse(text_make(copy, whole.size), &value, NULL);
    free(copy);
    return error;
}

START_TEST(accepts_exactly_what_the_oracle_accepts)
{
    open_tools();
    size_t accepted = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct buffer document = {0};
        put_document(&document);
        for (size_t left = roll(4); left > 0; left--)
            damage(&document);
        bool want = oracle_accepts(&document);
        bool have = parse_exact(buffer_text(&document)) == JSON_OK;
        if (have != want)
            ck_abort_msg("%s by json_parse only: %s", have ? "accepted" : "refused",
                         buffer_string(&document));
        accepted += have ? 1 : 0;
        buffer_close(&document);
    }
    /* both verdicts must be common, or the test says nothing */
    ck_assert_uint_gt(accepted, ROUNDS / 4);
    ck_assert_uint_lt(accepted, ROUNDS * 3 / 4);
    close_tools();
}
END_TEST

static bool same_scalar(struct arena *arena, struct json_value value, const cJSON *node)
{
    int64_t whole;
    switch (value.kind) {
    case JSON_NULL:
        return cJSON_IsNull(node);
    case JSON_FALSE:
        return cJSON_IsFalse(node);
    case JSON_TRUE:
        return cJSON_IsTrue(node);
    case JSON_STRING:
        return cJSON_IsString(node) &&
               text_equal(json_string(arena, value), text_of(node->valuestring));
    default:
        if (!cJSON_IsNumber(node))
            return false;
        if (json_int(value, &whole))
            return (double)whole == node->valuedouble;
        return fabs(node->valuedouble) >= 0x1p63 || node->valuedouble != rint(node->valuedouble);
    }
}

static bool same_tree(struct arena *arena, struct json_value value, const cJSON *node)
{
    if (value.kind != JSON_ARRAY && value.kind != JSON_OBJECT)
        return same_scalar(arena, value, node);
    if (cJSON_IsObject(node) != (value.kind == JSON_OBJECT))
        return false;
    struct json_walk walk = json_walk(value);
    struct text name;
    struct json_value inner;
    const cJSON *child = node->child;
    for (; json_next(&walk, &name, &inner); child = child->next) {
        if (child == NULL || !same_tree(arena, inner, child))
            return false;
        if (child->string != NULL && !json_name_equal(name, text_of(child->string)))
            return false;
    }
    return child == NULL;
}

START_TEST(walks_to_the_same_values_as_cjson)
{
    size_t compared = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct buffer document = {0};
        put_document(&document);
        struct json_value value;
        bool zero = text_find(buffer_text(&document), TEXT("\\u0000"), 0) != SIZE_MAX;
        cJSON *tree = zero ? NULL : cJSON_Parse(buffer_string(&document));
        if (tree != NULL && json_parse(buffer_text(&document), &value, NULL) == JSON_OK) {
            struct arena arena = {0};
            if (!same_tree(&arena, value, tree))
                ck_abort_msg("differs: %s", buffer_string(&document));
            arena_close(&arena);
            compared++;
        }
        cJSON_Delete(tree);
        buffer_close(&document);
    }
    ck_assert_uint_gt(compared, ROUNDS / 2);
}
END_TEST

static void put_random_plain(struct buffer *plain, bool utf8)
{
    static const char *const pieces[] = {
        "a",
        "\"",
        "\\",
        "/",
        "\x01",
        "\x1F",
        "\n",
        "\x7F",
        "\xC3\xA9",
        "\xE2\x80\xA8",
        "0123456789",
        "\xF0\x9F\x98\x80",
        "\xEF\xBF\xBF",
        "u0041",
        " ",
    };
    for (size_t left = roll(30); left > 0; left--)
        if (utf8)
            put_one_of(plain, pieces, UNIT_COUNT(pieces));
        else
            buffer_put_byte(plain, (char)roll(256));
}

START_TEST(what_is_written_reads_back_through_cjson)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct buffer plain = {0}, written = {0};
        put_random_plain(&plain, true);
        json_put_string(&written, buffer_text(&plain));
        cJSON *read = cJSON_Parse(buffer_string(&written));
        if (!cJSON_IsString(read) || strcmp(read->valuestring, buffer_string(&plain)) != 0)
            ck_abort_msg("not the same: %s", buffer_string(&written));
        cJSON_Delete(read);
        buffer_close(&plain);
        buffer_close(&written);
    }
}
END_TEST

START_TEST(any_bytes_become_a_valid_string)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct arena arena = {0};
        struct buffer plain = {0}, written = {0}, again = {0};
        put_random_plain(&plain, false);
        json_put_string(&written, buffer_text(&plain));
        struct json_value value;
        if (json_parse(buffer_text(&written), &value, NULL) != JSON_OK)
            ck_abort_msg("invalid: %s", buffer_string(&written));
        json_put_string(&again, json_string(&arena, value));
        if (!text_equal(buffer_text(&again), buffer_text(&written)))
            ck_abort_msg("reads differently: %s", buffer_string(&written));
        buffer_close(&plain);
        buffer_close(&written);
        buffer_close(&again);
        arena_close(&arena);
    }
}
END_TEST

UNIT_MAIN(accepts_exactly_what_the_oracle_accepts, walks_to_the_same_values_as_cjson,
          what_is_written_reads_back_through_cjson, any_bytes_become_a_valid_string)
