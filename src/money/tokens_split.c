/*
 * Splitting a text into pieces, as the regular expressions of the encodings do, by hand.
 *
 * o200k_base:                                              U: Lu Lt Lm Lo M   L: Ll Lm Lo M
 *     [^\r\n\p{L}\p{N}]? U* L+ (?i:'s|'t|'re|'ve|'m|'ll|'d)?
 *   | [^\r\n\p{L}\p{N}]? U+ L* (?i:'s|'t|'re|'ve|'m|'ll|'d)?
 *   | \p{N}{1,3} |  ?[^\s\p{L}\p{N}]+[\r\n/]* | \s*[\r\n]+ | \s+(?!\S) | \s+
 *
 * cl100k_base:
 *     (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+
 *   | \p{N}{1,3} |  ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
 *
 * The first alternative that matches counts, not the longest, and it backtracks: U* gives back what
 * L+ needs, down to the last character that is both, and the optional character in front is given
 * back if it is a mark that begins a word itself.
 */
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "money/tokens_parts.h"

/* In the order of config/generate/tokens.mjs. */
enum token_class {
    UPPER = 1 << 0,  /* Lu Lt */
    LOWER = 1 << 1,  /* Ll */
    EITHER = 1 << 2, /* Lm Lo */
    MARK = 1 << 3,
    NUMBER = 1 << 4,
    SPACE = 1 << 5, /* White_Space but for: */
    NEWLINE = 1 << 6,
    OTHER = 1 << 7,

    LETTER = UPPER | LOWER | EITHER,
    UPPER_RUN = UPPER | EITHER | MARK,
    LOWER_RUN = LOWER | EITHER | MARK,
    SIGN = OTHER | MARK, /* [^\s\p{L}\p{N}] */
    BLANK = SPACE | NEWLINE,
    IN_FRONT = SPACE | OTHER | MARK, /* [^\r\n\p{L}\p{N}] */
};

static const uint8_t ascii[128] = {
    [0x00 ... 0x08] = OTHER, ['\t'] = SPACE,         ['\n'] = NEWLINE,
    [0x0B ... 0x0C] = SPACE, ['\r'] = NEWLINE,       [0x0E ... 0x1F] = OTHER,
    [' '] = SPACE,           ['!' ... '/'] = OTHER,  ['0' ... '9'] = NUMBER,
    [':' ... '@'] = OTHER,   ['A' ... 'Z'] = UPPER,  ['[' ... '`'] = OTHER,
    ['a' ... 'z'] = LOWER,   ['{' ... 0x7F] = OTHER,
};

struct reader {
    const struct token_classes *classes;
    const char *end;
    bool open; /* it looked at the end */
};

struct seen {
    unsigned class; /* one of the bits; 0 at the end */
    unsigned size;  /* bytes */
};

static inline unsigned class_of(const struct reader *reader, uint32_t code)
{
    const uint8_t *row = reader->classes->rows[reader->classes->row_of_block[code / 256]];
    return 1u << (row[code % 256 / 2] >> 4 * (code & 1) & 0xF);
}

static struct seen look_beyond_ascii(const struct reader *reader, const unsigned char *at)
{
    if (at[0] < 0xE0)
        return (struct seen){class_of(reader, (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu)), 2};
    if (at[0] < 0xF0) {
        uint32_t code = (at[0] & 0xFu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
        return (struct seen){class_of(reader, code), 3};
    }
    uint32_t code = (at[0] & 0x7u) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6;
    return (struct seen){class_of(reader, code | (at[3] & 0x3Fu)), 4};
}

static inline struct seen look(struct reader *reader, const char *at)
{
    if (at == reader->end) {
        reader->open = true;
        return (struct seen){0, 0};
    }
    const unsigned char *bytes = (const unsigned char *)at;
    if (bytes[0] < 0x80)
        return (struct seen){ascii[bytes[0]], 1};
    return look_beyond_ascii(reader, bytes);
}

#ifdef __SSE2__
#define AT_ONCE 16

/* How many of the AT_ONCE bytes at `at` are letters a to z, up to the first that is none. Most
 * words end within these: a loop's end at another place each time is what the processor guesses
 * worst. */
static inline unsigned small_letters(const char *at)
{
    const __m128i first = _mm_set1_epi8('a'), most = _mm_set1_epi8('z' - 'a');
    __m128i from_a = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)at), first);
    __m128i small = _mm_cmpeq_epi8(_mm_min_epu8(from_a, most), from_a);
    unsigned others = ~(unsigned)_mm_movemask_epi8(small);
    return (unsigned)__builtin_ctz(others); /* above the 16 bits all are set */
}
#else
#define AT_ONCE 8

static inline unsigned small_letters(const char *at)
{
    unsigned count = 0;
    while (count < AT_ONCE && at[count] >= 'a' && at[count] <= 'z')
        count++;
    return count;
}
#endif

/* Behind the letters a to z at `at`, or behind some of them. */
static inline const char *pass_small_letters(const char *at, const char *end)
{
    unsigned count = AT_ONCE;
    for (; count == AT_ONCE && end - at >= AT_ONCE; at += count)
        count = small_letters(at);
    return at;
}

/* Behind the run of characters of these classes. */
static inline const char *run(struct reader *reader, const char *at, unsigned classes)
{
    if (classes & LOWER)
        at = pass_small_letters(at, reader->end);
    for (struct seen seen; (seen = look(reader, at)).class & classes;)
        at += seen.size;
    return at;
}

static inline char byte_at(struct reader *reader, const char *at)
{
    if (at < reader->end)
        return *at;
    reader->open = true;
    return '\0';
}

/* The bytes of (?i:'s|'t|'re|'ve|'m|'ll|'d), or 0. Without case, s is also U+017F. */
static size_t contraction(struct reader *reader, const char *at)
{
    if (byte_at(reader, at) != '\'')
        return 0;
    switch (byte_at(reader, at + 1)) {
    case 's':
    case 'S':
    case 't':
    case 'T':
    case 'm':
    case 'M':
    case 'd':
    case 'D':
        return 2;
    case 'r':
    case 'R':
    case 'v':
    case 'V':
        return (byte_at(reader, at + 2) | 0x20) == 'e' ? 3 : 0;
    case 'l':
    case 'L':
        return (byte_at(reader, at + 2) | 0x20) == 'l' ? 3 : 0;
    case '\xC5':
        return at[2] == '\xBF' ? 3 : 0;
    default:
        return 0;
    }
}

/* [UPPER_RUN]* [LOWER_RUN]+, else [UPPER_RUN]+ [LOWER_RUN]*: where the match ends; `at` if there is
 * none. Sets *second if it is the second that matched. */
static inline const char *cased_word(struct reader *reader, const char *at, bool *second)
{
    const char *shared_end = NULL;
    struct seen seen;
    while ((seen = look(reader, at)).class & UPPER_RUN) {
        at += seen.size;
        if (seen.class != UPPER)
            shared_end = at;
    }
    *second = false;
    if (seen.class == LOWER)
        return run(reader, at + seen.size, LOWER_RUN);
    if (shared_end != NULL)
        return shared_end;
    *second = true;
    return at;
}

/* The words of o200k_base, contraction included; NULL if no word begins with `first` at `at`. */
static inline const char *o200k_word(struct reader *reader, const char *at, struct seen first)
{
    if (!(first.class & (LETTER | IN_FRONT)))
        return NULL;
    const char *begin = first.class & LETTER ? at : at + first.size;
    bool second;
    const char *end = cased_word(reader, begin, &second);
    if (second && first.class == MARK)
        end = cased_word(reader, at, &second);
    else if (end == begin)
        return NULL;
    return end + contraction(reader, end);
}

static inline const char *cl100k_word(struct reader *reader, const char *at, struct seen first)
{
    size_t short_form = contraction(reader, at);
    if (short_form > 0)
        return at + short_form;
    if (!(first.class & (LETTER | IN_FRONT)))
        return NULL;
    const char *begin = first.class & LETTER ? at : at + first.size;
    const char *end = run(reader, begin, LETTER);
    return end == begin ? NULL : end;
}

static const char *number(struct reader *reader, const char *at)
{
    struct seen seen;
    for (int digits = 0; digits < 3 && (seen = look(reader, at)).class == NUMBER; digits++)
        at += seen.size;
    return at;
}

/*  ?[^\s\p{L}\p{N}]+[\r\n]*, and slashes among the last if the encoding has them there. */
static const char *signs(struct reader *reader, const char *at, bool slashes)
{
    const char *begin = *at == ' ' ? at + 1 : at;
    const char *end = run(reader, begin, SIGN);
    if (end == begin)
        return NULL;
    for (char byte;
         (byte = byte_at(reader, end)) == '\r' || byte == '\n' || (slashes && byte == '/');)
        end++;
    return end;
}

/* \s*[\r\n]+ | \s+(?!\S) | \s+ */
static const char *blanks(struct reader *reader, const char *at)
{
    const char *last = at, *after_newline = NULL, *end = at;
    for (struct seen seen; (seen = look(reader, end)).class & BLANK;) {
        last = end;
        end += seen.size;
        if (seen.class == NEWLINE)
            after_newline = end;
    }
    if (after_newline != NULL)
        return after_newline;
    return end == reader->end || last == at ? end : last;
}

/* Three pieces of four: small letters behind a space, or behind a letter that may be a capital;
 * both encodings end them alike where neither a letter nor an apostrophe follows. Their bytes, or
 * 0: it is none, or takes a closer look. */
static inline size_t plain_word(struct text rest)
{
    if (rest.size < 1 + AT_ONCE + 1)
        return 0;
    size_t size = 1 + small_letters(rest.at + 1);
    unsigned char first = (unsigned char)rest.at[0], next = (unsigned char)rest.at[size];
    bool begins = first == ' ' ? size > 1 : first < 0x80 && (ascii[first] & LETTER) != 0;
    bool ends = next < 0x80 && (ascii[next] & LETTER) == 0 && next != '\'';
    return begins && ends ? size : 0;
}

size_t token_split(enum tokens_encoding encoding, struct text rest, bool *open)
{
    size_t plain = plain_word(rest);
    if (plain > 0)
        return plain;
    struct reader reader = {.classes = token_classes(), .end = rest.at + rest.size};
    bool newer = encoding == TOKENS_O200K_BASE;
    struct seen first = look(&reader, rest.at);
    const char *end =
        newer ? o200k_word(&reader, rest.at, first) : cl100k_word(&reader, rest.at, first);
    if (end == NULL && first.class == NUMBER)
        end = number(&reader, rest.at);
    if (end == NULL)
        end = signs(&reader, rest.at, newer);
    if (end == NULL)
        end = blanks(&reader, rest.at);
    *open = *open || reader.open;
    ASSERT(end > rest.at);
    return (size_t)(end - rest.at);
}
