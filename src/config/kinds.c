/*
 * The kinds of options that any program has: texts, numbers, choices, lists of them.
 */
#include "config/address.h"
#include "config/option.h"
#include "config/reader.h"
#include "config/suggest.h"
#include "config/yaml_text.h"
#include "wire/redis_url.h"

#define MEBIBYTE ((int64_t)1024 * 1024)
#define ID_MOST  64

const struct option_kind kind_section = {.shape = SHAPE_SECTION};
const struct option_kind kind_list = {.shape = SHAPE_LIST};

static struct text keep(struct reader *reader, struct text value)
{
    return arena_copy(&reader->config->arena, value);
}

static void put_text(struct buffer *out, const struct option *option, const void *target)
{
    const struct text *value = target;
    if (value->size > 0 && (option->flags & OPTION_SECRET))
        buffer_put(out, TEXT("(hidden)"));
    else
        yaml_put_text(out, *value);
}

/* ---- texts ---- */

static bool is_short_enough(struct reader *reader, const struct option *option,
                            const struct scalar *scalar)
{
    if (scalar->value.size <= (size_t)option->most)
        return true;
    reader_refuse(reader, option, scalar, "must have at most %lld bytes, not %zu",
                  (long long)option->most, scalar->value.size);
    return false;
}

static void read_text(struct reader *reader, const struct option *option,
                      const struct scalar *scalar, void *target)
{
    if (is_short_enough(reader, option, scalar))
        *(struct text *)target = keep(reader, scalar->value);
}
const struct option_kind kind_text = {SHAPE_ONE, NULL, read_text, put_text};

static bool is_id(struct text value)
{
    for (size_t i = 0; i < value.size; i++) {
        char byte = value.at[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool digit = byte >= '0' && byte <= '9';
        if (!letter && !digit && strchr("._-@+:", byte) == NULL)
            return false;
    }
    return true;
}

static bool check_id(struct reader *reader, const struct option *option,
                     const struct scalar *scalar)
{
    if (!is_id(scalar->value)) {
        reader_refuse(reader, option, scalar,
                      "must consist of letters, digits and . _ - @ + : alone");
        return false;
    }
    if (scalar->value.size == 0 && (option->flags & OPTION_REQUIRED)) {
        reader_refuse(reader, option, scalar, "must not be empty: write %s: %s", option->name,
                      option->example);
        return false;
    }
    return true;
}

static void read_id(struct reader *reader, const struct option *option, const struct scalar *scalar,
                    void *target)
{
    if (check_id(reader, option, scalar))
        read_text(reader, option, scalar, target);
}
const struct option_kind kind_id = {SHAPE_ONE, NULL, read_id, put_text};

static void read_listen(struct reader *reader, const struct option *option,
                        const struct scalar *scalar, void *target)
{
    struct address address;
    struct fault fault;
    if (text_equal(scalar->value, TEXT("unix:")))
        reader_refuse(reader, option, scalar, "must name a path: write unix:/run/purser.sock");
    else if (!text_starts(scalar->value, TEXT("unix:")) &&
             !address_from_listen(scalar->value, &address, &fault))
        reader_refuse(reader, option, scalar, "%s", fault.message);
    else
        read_text(reader, option, scalar, target);
}
const struct option_kind kind_listen = {SHAPE_ONE, NULL, read_listen, put_text};

static void read_base_url(struct reader *reader, const struct option *option,
                          const struct scalar *scalar, void *target)
{
    struct address address;
    struct fault fault;
    struct scalar trimmed = *scalar;
    if (!address_from_url(scalar->value, &address, &fault)) {
        /* a URL with a password in it is not shown */
        struct option shown = *option;
        if (text_find(scalar->value, TEXT("@"), 0) != SIZE_MAX)
            shown.flags |= OPTION_SECRET;
        reader_refuse(reader, &shown, scalar, "%s", fault.message);
        return;
    }
    while (text_ends(trimmed.value, TEXT("/")))
        trimmed.value.size--;
    read_text(reader, option, &trimmed, target);
}
const struct option_kind kind_base_url = {SHAPE_ONE, NULL, read_base_url, put_text};

static void read_proxy_url(struct reader *reader, const struct option *option,
                           const struct scalar *scalar, void *target)
{
    static const char *const SCHEMES[] = {"http://", "https://", "socks5://", "socks5h://"};
    bool known = scalar->value.size == 0;
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++)
        known = known || text_starts_nocase(scalar->value, text_of(SCHEMES[i]));
    if (known)
        read_text(reader, option, scalar, target);
    else
        reader_refuse(reader, option, scalar,
                      "must begin with http://, https://, socks5:// or socks5h://");
}

/* Its host is worth showing; its user and password are not. */
static void put_proxy_url(struct buffer *out, const struct option *option, const void *target)
{
    const struct text *value = target;
    bool secret = text_find(*value, TEXT("@"), 0) != SIZE_MAX;
    struct option shown = *option;
    shown.flags = secret ? option->flags : 0;
    put_text(out, &shown, target);
}
const struct option_kind kind_proxy_url = {SHAPE_ONE, NULL, read_proxy_url, put_proxy_url};

static void read_redis_url(struct reader *reader, const struct option *option,
                           const struct scalar *scalar, void *target)
{
    struct redis_url url;
    struct fault fault;
    if (scalar->value.size > 0 && !redis_url_parse(scalar->value, &url, &fault))
        reader_refuse(reader, option, scalar, "%s", fault.message);
    else
        read_text(reader, option, scalar, target);
}
const struct option_kind kind_redis_url = {SHAPE_ONE, NULL, read_redis_url, put_proxy_url};

/* ---- choices ---- */

static struct text list_choices(struct arena *arena, const struct option_choice *choices)
{
    struct text list = TEXT_NONE;
    for (; choices->name != NULL; choices++)
        list = list.size == 0
                   ? text_of(choices->name)
                   : arena_printf(arena, "%.*s%s%s", TEXT_ARG(list),
                                  choices[1].name == NULL ? " or " : ", ", choices->name);
    return list;
}

/* The choice of that name; NULL, and reported, if there is none. */
static const struct option_choice *choose(struct reader *reader, const struct option *option,
                                          const struct scalar *scalar)
{
    struct suggest suggest = {.wrong = scalar->value, .left = &reader->comparisons};
    for (const struct option_choice *at = option->choices; at->name != NULL; at++)
        if (text_equal(scalar->value, text_of(at->name)))
            return at;
    for (const struct option_choice *at = option->choices; at->name != NULL; at++)
        suggest_offer(&suggest, text_of(at->name));
    struct text list = list_choices(&reader->config->arena, option->choices);
    if (suggest.best.at != NULL)
        reader_refuse(reader, option, scalar, "must be %.*s; did you mean \"%.*s\"?",
                      TEXT_ARG(list), TEXT_ARG(suggest.best));
    else
        reader_refuse(reader, option, scalar, "must be %.*s", TEXT_ARG(list));
    return NULL;
}

static void read_word(struct reader *reader, const struct option *option,
                      const struct scalar *scalar, void *target)
{
    const struct option_choice *choice = choose(reader, option, scalar);
    if (choice != NULL)
        *(struct text *)target = text_of(choice->name);
}
const struct option_kind kind_word = {SHAPE_ONE, NULL, read_word, put_text};

/* The enums of config.h have no negative member, so they are unsigned to the compiler. */
static void read_choice(struct reader *reader, const struct option *option,
                        const struct scalar *scalar, void *target)
{
    const struct option_choice *choice = choose(reader, option, scalar);
    if (choice != NULL)
        *(unsigned *)target = choice->value;
}

static void put_choice(struct buffer *out, const struct option *option, const void *target)
{
    for (const struct option_choice *at = option->choices; at->name != NULL; at++)
        if (at->value == *(const unsigned *)target)
            buffer_put(out, text_of(at->name));
}
const struct option_kind kind_choice = {SHAPE_ONE, NULL, read_choice, put_choice};

/* YAML 1.1 has many words for true and false; two are enough. */
static const struct {
    const char *word;
    bool value;
} FLAG_WORDS[] = {{"yes", true}, {"on", true},   {"y", true},  {"1", true},  {"true", true},
                  {"no", false}, {"off", false}, {"n", false}, {"0", false}, {"false", false}};

static void read_flag(struct reader *reader, const struct option *option,
                      const struct scalar *scalar, void *target)
{
    if (text_equal(scalar->value, TEXT("true")) || text_equal(scalar->value, TEXT("false"))) {
        *(bool *)target = scalar->value.size == 4;
        return;
    }
    const char *remedy = "true or false";
    for (size_t i = 0; i < sizeof(FLAG_WORDS) / sizeof(FLAG_WORDS[0]); i++)
        if (text_equal_nocase(scalar->value, text_of(FLAG_WORDS[i].word)))
            remedy = FLAG_WORDS[i].value ? "true" : "false";
    reader_refuse(reader, option, scalar, "must be true or false: write %s", remedy);
}

static void put_flag(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    buffer_put(out, *(const bool *)target ? TEXT("true") : TEXT("false"));
}
const struct option_kind kind_flag = {SHAPE_ONE, NULL, read_flag, put_flag};

/* ---- numbers ---- */

/* A leading zero would mean octal to other readers of YAML. */
static bool is_whole(struct text value, int64_t *number)
{
    bool octal = value.size > 1 && value.at[0] == '0';
    return !octal && text_to_int(value, number);
}

static void read_whole(struct reader *reader, const struct option *option,
                       const struct scalar *scalar, void *target)
{
    int64_t number;
    if (is_whole(scalar->value, &number) && number >= option->least && number <= option->most)
        *(int64_t *)target = number;
    else
        reader_refuse(reader, option, scalar,
                      "must be a whole number from %lld to %lld, in plain digits",
                      (long long)option->least, (long long)option->most);
}

static void put_whole(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    buffer_put_int(out, *(const int64_t *)target);
}
const struct option_kind kind_whole = {SHAPE_ONE, NULL, read_whole, put_whole};

static void read_mebibytes(struct reader *reader, const struct option *option,
                           const struct scalar *scalar, void *target)
{
    int64_t mebibytes = 0;
    read_whole(reader, option, scalar, &mebibytes);
    *(int64_t *)target = mebibytes * MEBIBYTE;
}

static void put_mebibytes(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    buffer_put_int(out, *(const int64_t *)target / MEBIBYTE);
}
const struct option_kind kind_mebibytes = {SHAPE_ONE, NULL, read_mebibytes, put_mebibytes};

static void read_status(struct reader *reader, const struct option *option,
                        const struct scalar *scalar, void *target)
{
    const struct option_choice *choice = choose(reader, option, scalar);
    if (choice != NULL)
        *(int64_t *)target = choice->value;
}
const struct option_kind kind_status = {SHAPE_ONE, NULL, read_status, put_whole};

/* ---- lists and mappings of texts ---- */

static void begin_texts(struct reader *reader, size_t count, void *target)
{
    struct config_texts *texts = target;
    texts->count = 0;
    texts->at = arena_new(&reader->config->arena, count * sizeof(struct text));
}

static void read_texts(struct reader *reader, const struct option *option,
                       const struct scalar *scalar, void *target)
{
    struct config_texts *texts = target;
    if (scalar->value.size == 0)
        reader_refuse(reader, option, scalar, "an entry must not be empty: take it out");
    else
        texts->at[texts->count++] = keep(reader, scalar->value);
}

static void put_texts(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    const struct config_texts *texts = target;
    buffer_put_byte(out, '[');
    for (size_t i = 0; i < texts->count; i++) {
        buffer_put(out, i == 0 ? TEXT("") : TEXT(", "));
        yaml_put_text(out, texts->at[i]);
    }
    buffer_put_byte(out, ']');
}
const struct option_kind kind_texts = {SHAPE_MANY, begin_texts, read_texts, put_texts};

static void read_ids(struct reader *reader, const struct option *option,
                     const struct scalar *scalar, void *target)
{
    if (scalar->value.size > ID_MOST)
        reader_refuse(reader, option, scalar, "an entry must have at most %d bytes", ID_MOST);
    else if (check_id(reader, option, scalar))
        read_texts(reader, option, scalar, target);
}
const struct option_kind kind_ids = {SHAPE_MANY, begin_texts, read_ids, put_texts};

static void begin_pairs(struct reader *reader, size_t count, void *target)
{
    struct config_pairs *pairs = target;
    pairs->count = 0;
    pairs->at = arena_new(&reader->config->arena, count * sizeof(struct config_pair));
}

static void read_pair(struct reader *reader, const struct option *option,
                      const struct scalar *scalar, void *target)
{
    struct config_pairs *pairs = target;
    if (scalar->name.size == 0)
        reader_refuse(reader, option, scalar, "a name must not be empty");
    else
        pairs->at[pairs->count++] = (struct config_pair){scalar->name, keep(reader, scalar->value)};
}

static void put_pairs(struct buffer *out, const struct option *option, const void *target)
{
    const struct config_pairs *pairs = target;
    buffer_put_byte(out, '{');
    for (size_t i = 0; i < pairs->count; i++) {
        buffer_put(out, i == 0 ? TEXT("") : TEXT(", "));
        yaml_put_text(out, pairs->at[i].name);
        buffer_put(out, TEXT(": "));
        put_text(out, option, &pairs->at[i].value);
    }
    buffer_put_byte(out, '}');
}
const struct option_kind kind_pairs = {SHAPE_PAIRS, begin_pairs, read_pair, put_pairs};

/* A token of RFC 9110, section 5.6.2. */
static bool is_header_name(struct text name)
{
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.at[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool digit = byte >= '0' && byte <= '9';
        if (byte == '\0' || !(letter || digit || strchr("!#$%&'*+-.^_`|~", byte) != NULL))
            return false;
    }
    return name.size > 0;
}

/* These frame a message or belong to one connection; the transport writes them itself. */
static bool is_framing(struct text name)
{
    static const char *const FRAMING[] = {"connection", "content-length",    "expect",
                                          "host",       "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof(FRAMING) / sizeof(FRAMING[0]); i++)
        if (text_equal_nocase(name, text_of(FRAMING[i])))
            return true;
    return false;
}

static void read_header(struct reader *reader, const struct option *option,
                        const struct scalar *scalar, void *target)
{
    if (!is_header_name(scalar->name))
        reader_refuse(reader, option, scalar, "this cannot be the name of an HTTP header");
    else if (is_framing(scalar->name))
        reader_refuse(reader, option, scalar, "purser sets this header itself: take it out");
    else
        read_pair(reader, option, scalar, target);
}
const struct option_kind kind_headers = {SHAPE_PAIRS, begin_pairs, read_header, put_pairs};
