/*
 * The digest of what a request's answer depends on: see cache/fingerprint.h.
 *
 * The canonical form of a value is itself JSON: without white space, every character as it is but
 * for quotes, backslashes and control characters, which have their shortest escape. So most bytes
 * of a body are hashed as they stand, in long runs.
 */
#include "cache/fingerprint.h"

#include "base/utf8.h"
#include "wire/find.h"
#include "wire/skim.h"

#define MOST_SORTED   64      /* more are told apart by their order, too; cache/fingerprint.h */
#define MOST_DIGITS   40      /* a longer number counts as it is written */
#define MOST_EXPONENT 1000000 /* as well as one beyond */
#define BATCH         8192    /* bytes hashed at once: libcrypto has a price per call */

struct canon {
    struct keyed_hasher *hasher;
    struct arena *arena;
    size_t used;
    char bytes[BATCH];
};

/* What is sorted: members of the body, or headers. */
struct entry {
    struct text key;  /* the plain name */
    struct text name; /* as it stands, with its quotes */
    struct json_value value;
};

struct entries {
    struct entry list[MOST_SORTED];
    size_t count;
};

/* ---- bytes ---- */

static void flush(struct canon *canon)
{
    keyed_hasher_put(canon->hasher, text_make(canon->bytes, canon->used));
    canon->used = 0;
}

static void put(struct canon *canon, struct text bytes)
{
    if (bytes.size > BATCH - canon->used) {
        flush(canon);
        if (bytes.size >= BATCH / 2) {
            keyed_hasher_put(canon->hasher, bytes);
            return;
        }
    }
    if (bytes.size > 0) {
        memcpy(canon->bytes + canon->used, bytes.at, bytes.size);
        canon->used += bytes.size;
    }
}

enum part {
    PART_WHOLE = 'W', /* a request, or one input of one */
    PART_INPUT = 'I',
    PART_COMMON = 'c',
    PART_NORMALIZED = 'n',
    PART_NAME_SPACE = 'k',
    PART_ROUTES = 'r',
    PART_ENDPOINT = 'e',
    PART_HEADER = 'h',
    PART_VALUE = 'v',
    PART_BODY = 'b',
};

static void put_part(struct canon *canon, enum part part, struct text bytes)
{
    char head[1 + sizeof(uint64_t)];
    uint64_t size = bytes.size;

    head[0] = (char)part;
    memcpy(head + 1, &size, sizeof(size));
    put(canon, text_make(head, sizeof(head)));
    put(canon, bytes);
}

/* ---- JSON ---- */

static uint32_t hex4(const char *at)
{
    uint32_t code = 0;

    for (int i = 0; i < 4; i++) {
        code = code << 4 | ((uint32_t)(at[i] & 0x0F) + (at[i] > '9' ? 9 : 0));
    }
    return code;
}

static void put_unit(struct canon *canon, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    const char escape[] = {'\\',
                           'u',
                           digits[unit >> 12 & 15],
                           digits[unit >> 8 & 15],
                           digits[unit >> 4 & 15],
                           digits[unit & 15]};

    put(canon, text_make(escape, sizeof(escape)));
}

/* A character below U+0080 that was written as \uXXXX. */
static void put_ascii(struct canon *canon, char plain)
{
    static const char letters[128] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
                                      ['\t'] = 't', ['"'] = '"',  ['\\'] = '\\'};
    char letter = letters[(unsigned char)plain];
    const char escape[] = {'\\', letter};

    if (letter != '\0') {
        put(canon, text_make(escape, 2));
    } else if (plain < 0x20) {
        put_unit(canon, (uint32_t)plain);
    } else {
        put(canon, text_make(&plain, 1));
    }
}

static bool is_surrogate(uint32_t unit, uint32_t first)
{
    return (unit & 0xFC00) == first;
}

/* Puts the character of the \u at `at` and returns the size of its escape. Surrogates that stand
 * alone stay what they are: providers take them for different things. */
static size_t put_unicode(struct canon *canon, const char *at, const char *end)
{
    uint32_t code = hex4(at + 2);
    size_t taken = 6;

    if (code < 0x80) {
        put_ascii(canon, (char)code);
        return taken;
    }
    if (is_surrogate(code, 0xD800) && end - at >= 12 && at[6] == '\\' && at[7] == 'u' &&
        is_surrogate(hex4(at + 8), 0xDC00)) {
        code = 0x10000 + ((code & 0x3FF) << 10) + (hex4(at + 8) & 0x3FF);
        taken = 12;
    }
    if ((code & 0x1FF800) == 0xD800) {
        put_unit(canon, code);
        return taken;
    }
    if (BATCH - canon->used < 4) {
        flush(canon);
    }
    canon->used += utf8_encode(code, canon->bytes + canon->used);
    return taken;
}

/* From the opening quote at `at` to behind the closing one. `*run` is where what was not put yet
 * begins. */
static const char *put_string(struct canon *canon, const char *at, const char *end,
                              const char **run)
{
    struct text rest = text_make(at, (size_t)(end - at));
    size_t next = 1;

    for (;;) {
        next = find_either(rest, next, '"', '\\');
        ASSERT(next < rest.size);
        const char *here = at + next;
        if (*here == '"') {
            return here + 1;
        }
        if (here[1] != 'u' && here[1] != '/') {
            next += 2;
            continue;
        }
        put(canon, text_make(*run, (size_t)(here - *run)));
        if (here[1] == 'u') {
            do { /* few texts that need one need only one */
                next += put_unicode(canon, at + next, end);
            } while (at[next] == '\\' && at[next + 1] == 'u');
            *run = at + next;
        } else {
            *run = here + 1;
            next += 2;
        }
    }
}

static bool is_white(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* Any run of tokens. */
static void put_json(struct canon *canon, struct text raw)
{
    const char *at = raw.at;
    const char *end = raw.at + raw.size;
    const char *run = at;

    while (at < end) {
        if (*at == '"') {
            at = put_string(canon, at, end, &run);
            continue;
        }
        if (!is_white(*at)) {
            at++;
            continue;
        }
        put(canon, text_make(run, (size_t)(at - run)));
        while (at < end && is_white(*at)) {
            at++;
        }
        run = at;
    }
    put(canon, text_make(run, (size_t)(end - run)));
}

/* Decimal digits at the end of `room`. */
static struct text write_digits(uint64_t value, char room[24])
{
    size_t at = 24;

    do {
        room[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return text_make(room + at, 24 - at);
}

/* Every number of the same value gives the same bytes: digits without zeros at their ends, and
 * the exponent. */
static void put_number(struct canon *canon, struct json_value number)
{
    struct json_decimal decimal = json_decimal(number);
    struct text after = decimal.digits;
    int64_t exponent = decimal.exponent;
    char room[24];

    if (decimal.digits.size == 0) {
        put(canon, TEXT("0"));
        return;
    }
    if (decimal.digits.size > MOST_DIGITS || exponent > MOST_EXPONENT ||
        exponent < -MOST_EXPONENT) {
        put(canon, number.raw);
        return;
    }
    put(canon, decimal.negative ? TEXT("-") : TEXT(""));
    put(canon, text_split(&after, '.'));
    put(canon, after);
    if (exponent != 0) {
        put(canon, exponent < 0 ? TEXT("e-") : TEXT("e"));
        put(canon, write_digits((uint64_t)(exponent < 0 ? -exponent : exponent), room));
    }
}

/* ---- the last user message ---- */

/* True if exactly one member has that name. */
static bool only_member(struct json_value object, struct text name, struct json_value *value)
{
    struct json_walk walk = json_walk(object);
    struct json_value candidate;
    struct text raw_name;
    size_t found = 0;

    while (object.kind == JSON_OBJECT && json_next(&walk, &raw_name, &candidate)) {
        if (json_name_equal(raw_name, name)) {
            *value = candidate;
            found++;
        }
    }
    return found == 1;
}

static bool last_user_message(struct json_value messages, struct json_value *last)
{
    struct skim skim = skim_begin(messages);
    bool found = false;

    skim_enter(&skim);
    while (skim_element(&skim)) {
        struct json_value message = skim_value(&skim);
        if (json_member_is(message, TEXT("role"), TEXT("user"))) {
            *last = message;
            found = true;
        }
    }
    return found;
}

/* The one text of the last user message; false if there is none, or not certainly one. */
static bool find_last_text(struct json_value messages, struct json_value *text)
{
    struct json_value message, role, content, part, type;

    if (!last_user_message(messages, &message) || !only_member(message, TEXT("role"), &role) ||
        !only_member(message, TEXT("content"), &content)) {
        return false;
    }
    struct json_walk parts = json_walk(content);
    if (content.kind == JSON_ARRAY) {
        return json_next(&parts, NULL, &part) && only_member(part, TEXT("type"), &type) &&
               json_is(type, TEXT("text")) && only_member(part, TEXT("text"), text) &&
               text->kind == JSON_STRING && !json_next(&parts, NULL, &content);
    }
    *text = content;
    return content.kind == JSON_STRING;
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* In place; returns the size left. */
static size_t fold(char *plain, size_t size)
{
    size_t to = 0;

    for (size_t i = 0; i < size; i++) {
        char byte = plain[i];
        if (!is_space(byte)) {
            plain[to++] = (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
        } else if (to > 0 && plain[to - 1] != ' ') {
            plain[to++] = ' ';
        }
    }
    while (to > 0 && strchr(" .!?", plain[to - 1]) != NULL && plain[to - 1] != '\0') {
        to--;
    }
    return to;
}

/* What nothing would be left of counts as it stands, and what may have had lone surrogates. */
static void put_folded(struct canon *canon, struct json_value string)
{
    struct text plain = json_string(canon->arena, string);
    struct text copy = arena_copy(canon->arena, plain);
    size_t size = fold((char *)copy.at, copy.size);
    struct buffer quoted = {0};

    if (size == 0 || text_find(plain, TEXT("\xEF\xBF\xBD"), 0) != SIZE_MAX) {
        put_json(canon, string.raw);
        return;
    }
    json_put_string(&quoted, text_slice(copy, 0, size));
    put_json(canon, buffer_text(&quoted));
    buffer_close(&quoted);
}

static void put_messages(struct canon *canon, struct json_value messages)
{
    struct json_value last;

    if (!find_last_text(messages, &last)) {
        put_json(canon, messages.raw);
        return;
    }
    size_t start = (size_t)(last.raw.at - messages.raw.at);
    put_json(canon, text_slice(messages.raw, 0, start));
    put_folded(canon, last);
    put_json(canon, text_from(messages.raw, start + last.raw.size));
}

/* ---- sorting ---- */

static int compare(struct text a, struct text b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.at, b.at, size);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Equal names keep their order. */
static void add_sorted(struct entries *entries, const struct entry *entry)
{
    size_t at = entries->count++;

    for (; at > 0 && compare(entries->list[at - 1].key, entry->key) > 0; at--) {
        entries->list[at] = entries->list[at - 1];
    }
    entries->list[at] = *entry;
}

/* ---- the body ---- */

/* Members that say who asks, or in which shape the answer is wanted. */
static bool is_left_out(struct text name)
{
    static const struct text names[] = {
        TEXT("stream"),
        TEXT("stream_options"),
        TEXT("user"),
        TEXT("metadata"),
        TEXT("safety_identifier"),
        TEXT("prompt_cache_key"),
        TEXT("prompt_cache_retention"),
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (text_equal(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* The next member that counts. */
static bool next_member(struct canon *canon, struct skim *skim, struct entry *entry)
{
    struct text raw;

    while (skim_member(skim, &raw)) {
        entry->name = text_make(raw.at - 1, raw.size + 2);
        entry->key = json_string(canon->arena, (struct json_value){JSON_STRING, entry->name});
        entry->value = skim_value(skim);
        if (!is_left_out(entry->key)) {
            return true;
        }
    }
    return false;
}

/* Sorts the members, unless there are too many. */
static bool sort_members(struct canon *canon, struct skim skim, struct entries *entries)
{
    struct entry entry;

    entries->count = 0;
    skim_enter(&skim);
    while (next_member(canon, &skim, &entry)) {
        if (entries->count == MOST_SORTED) {
            return false;
        }
        add_sorted(entries, &entry);
    }
    return true;
}

/* With `input`, that stands in place of the member of this name. */
static void put_member(struct canon *canon, const struct fingerprint_ask *ask,
                       const struct entry *entry, const struct text *input)
{
    put_json(canon, entry->name);
    put(canon, TEXT(":"));
    if (input != NULL && text_equal(entry->key, TEXT("input"))) {
        put_json(canon, *input);
    } else if (entry->value.kind == JSON_NUMBER) {
        put_number(canon, entry->value);
    } else if (ask->normalized && entry->value.kind == JSON_ARRAY &&
               text_equal(entry->key, TEXT("messages"))) {
        put_messages(canon, entry->value);
    } else {
        put_json(canon, entry->value.raw);
    }
    put(canon, TEXT(","));
}

static void put_body(struct canon *canon, const struct fingerprint_ask *ask,
                     const struct text *input)
{
    struct json_value whole = {JSON_OBJECT, text_trim(ask->body->raw)};
    struct skim skim = skim_begin(whole);
    struct entries entries;
    struct entry entry;

    if (sort_members(canon, skim, &entries)) {
        for (size_t i = 0; i < entries.count; i++) {
            put_member(canon, ask, &entries.list[i], input);
        }
        return;
    }
    skim_enter(&skim);
    while (next_member(canon, &skim, &entry)) {
        put_member(canon, ask, &entry, input);
    }
}

/* ---- headers ---- */

static struct text lower_case(struct arena *arena, struct text name)
{
    struct text copy = arena_copy(arena, name);
    char *at = (char *)copy.at;

    for (size_t i = 0; i < copy.size; i++) {
        at[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 0x20 : at[i]);
    }
    return copy;
}

static void put_headers(struct canon *canon, const struct fingerprint_ask *ask)
{
    struct entries entries;

    entries.count = 0;
    for (size_t i = 0; i < ask->header_count; i++) {
        const struct fingerprint_header *header = &ask->headers[i];
        struct entry entry = {.key = lower_case(canon->arena, header->name),
                              .value = {JSON_STRING, header->value}};
        if (ask->header_count <= MOST_SORTED) {
            add_sorted(&entries, &entry);
            continue;
        }
        put_part(canon, PART_HEADER, entry.key);
        put_part(canon, PART_VALUE, header->value);
    }
    for (size_t i = 0; i < entries.count; i++) {
        put_part(canon, PART_HEADER, entries.list[i].key);
        put_part(canon, PART_VALUE, entries.list[i].value.raw);
    }
}

/* ---- all of it ---- */

static void begin(struct canon *canon, struct keyed_hasher *hasher, enum part kind)
{
    canon->hasher = hasher;
    canon->used = 0;
    keyed_hasher_begin(hasher);
    put_part(canon, kind, TEXT_NONE);
}

static void end(struct canon *canon, uint8_t digest[FINGERPRINT_SIZE])
{
    flush(canon);
    keyed_hasher_end(canon->hasher, digest);
}

/* With `input`, that stands in place of the member of this name. */
static void put_all(struct canon *canon, const struct fingerprint_ask *ask,
                    const struct text *input)
{
    struct arena arena = {0};

    canon->arena = &arena;
    put_part(canon, PART_NORMALIZED, ask->normalized ? TEXT("1") : TEXT("0"));
    put_part(canon, PART_NAME_SPACE, ask->name_space);
    put_part(canon, PART_ROUTES, ask->routes);
    put_part(canon, PART_ENDPOINT, text_of(endpoint_facts(ask->body->endpoint)->name));
    put_headers(canon, ask);
    put_part(canon, PART_BODY, TEXT_NONE);
    put_body(canon, ask, input);
    arena_close(&arena);
}

void fingerprint_request(const struct fingerprint_ask *ask, struct keyed_hasher *hasher,
                         uint8_t digest[FINGERPRINT_SIZE])
{
    struct canon canon;

    begin(&canon, hasher, PART_WHOLE);
    put_all(&canon, ask, NULL);
    end(&canon, digest);
}

void fingerprint_inputs(const struct fingerprint_ask *ask, const struct text *inputs, size_t count,
                        struct keyed_hasher *hasher, uint8_t (*digests)[FINGERPRINT_SIZE])
{
    uint8_t common[FINGERPRINT_SIZE];
    struct canon canon;

    begin(&canon, hasher, PART_COMMON);
    put_all(&canon, ask, &TEXT("null"));
    end(&canon, common);
    for (size_t i = 0; i < count; i++) {
        begin(&canon, hasher, PART_INPUT);
        put(&canon, text_make((const char *)common, sizeof(common)));
        put_json(&canon, inputs[i]);
        end(&canon, digests[i]);
    }
}
