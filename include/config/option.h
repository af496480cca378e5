/*
 * What an option is: one row of the table in src/config/options.c.
 *
 * A row says the option's name, its kind (what may stand there and where it is kept), its default,
 * its range and its help. The reader (config/reader.h) loads a file by the rows, config_print and
 * config_print_reference write one by them; nothing else knows the names.
 */
#ifndef PURSER_CONFIG_OPTION_H
#define PURSER_CONFIG_OPTION_H

#include "base/text.h"

struct option;
struct option_table;
struct reader;

/* One value as it stands in the file. */
struct scalar {
    struct text written; /* as in the file; what findings may show */
    struct text value;   /* the same with ${NAME} replaced; may be secret */
    struct text name;    /* of a pair: its name; else TEXT_NONE */
    struct text member;  /* of a pair inside a pair: its name; else TEXT_NONE */
    int line;
};

enum option_shape {
    SHAPE_ONE,     /* a single value */
    SHAPE_MANY,    /* a list of values */
    SHAPE_PAIRS,   /* a mapping from names to values */
    SHAPE_EITHER,  /* a single value, or a mapping from one name to a value */
    SHAPE_NESTED,  /* the same, and a value may be a mapping from names to values itself */
    SHAPE_SECTION, /* a mapping with options of its own, kept in the same struct */
    SHAPE_LIST,    /* a list of mappings with options of their own, each kept in an item */
};

struct option_kind {
    enum option_shape shape;
    /* MANY, PAIRS, NESTED: makes the target empty, with room for so many values. */
    void (*begin)(struct reader *reader, size_t count, void *target);
    /* Checks a value and keeps it (appends it) in the target; reports to the reader what is
     * wrong. */
    void (*read)(struct reader *reader, const struct option *option, const struct scalar *scalar,
                 void *target);
    /* Appends the target's value as YAML that can stand behind "name: "; nothing if it is unset. */
    void (*put)(struct buffer *out, const struct option *option, const void *target);
};

struct option_choice {
    const char *name; /* NULL ends the list */
    unsigned value;
};

enum option_flags {
    OPTION_REQUIRED = 1,
    OPTION_SECRET = 2,    /* its value is shown nowhere */
    OPTION_COMMENTED = 4, /* config/purser.yaml shows it as a comment */
    OPTION_FIXED = 8,     /* keeps its value until a restart: a reload does not apply it */
};

struct option {
    const char *name; /* NULL ends a table */
    const struct option_kind *kind;
    size_t offset;        /* of the target in the struct of its table */
    size_t count_offset;  /* LIST: of the number of items */
    const char *fallback; /* the default, as YAML; NULL: as in the table's `blank` */
    const char *example;  /* what config/purser.yaml shows; NULL: the default */
    const char *help;     /* half a sentence for whoever reads config/purser.yaml */
    int64_t least, most;  /* numbers: the range; text, lists: `most` bytes or entries */
    const struct option_choice *choices;
    const struct option_table *table; /* SECTION, LIST */
    unsigned flags;
};

struct option_table {
    const struct option *options;
    const char *const *later; /* names whose feature is still to come, NULL-ended; may be NULL */
    size_t size;              /* LIST: of an item */
    const void *blank;        /* LIST: what an item is before it is read; NULL: zeros */
    size_t line_offset;       /* LIST: where an item keeps its line (int, never first); 0:
                            nowhere */
};

/* The options of a whole file, kept in a struct config. */
extern const struct option_table options_root;

/* The row of that name; NULL if there is none. */
const struct option *option_find(const struct option_table *table, struct text name);

/* ---- the kinds ---- */

extern const struct option_kind kind_section, kind_list;
extern const struct option_kind kind_text;      /* struct text, at most `most` bytes */
extern const struct option_kind kind_id;        /* struct text: letters, digits and . _ - @ + : */
extern const struct option_kind kind_word;      /* struct text, one of the choices */
extern const struct option_kind kind_choice;    /* an enum, one of the choices */
extern const struct option_kind kind_flag;      /* bool */
extern const struct option_kind kind_whole;     /* int64_t, `least` to `most` */
extern const struct option_kind kind_status;    /* int64_t, one of the choices */
extern const struct option_kind kind_mebibytes; /* int64_t in bytes, written in MiB */
extern const struct option_kind kind_listen;    /* struct text, "host:port" or "unix:/path" */
extern const struct option_kind kind_base_url;  /* struct text, without the trailing slash */
extern const struct option_kind kind_proxy_url; /* struct text */
extern const struct option_kind
    kind_redis_url;                           /* struct text, empty or what redis_url_parse reads */
extern const struct option_kind kind_texts;   /* struct config_texts, none of them empty */
extern const struct option_kind kind_ids;     /* struct config_texts, each as kind_id */
extern const struct option_kind kind_pairs;   /* struct config_pairs */
extern const struct option_kind kind_headers; /* struct config_pairs that may be HTTP headers */

extern const struct option_kind kind_key;       /* uint8_t[32]: the digest of what is written */
extern const struct option_kind kind_hash;      /* uint8_t[32], written as "sha256:<hex>" */
extern const struct option_kind kind_may_set;   /* unsigned, the choices' bits */
extern const struct option_kind kind_fee;       /* int64_t: pico-dollars; -1 is unset */
extern const struct option_kind kind_price;     /* int64_t: pico-dollars per token; -1 is unset */
extern const struct option_kind kind_usd;       /* int64_t: nano-dollars; LIMIT_NONE is unset */
extern const struct option_kind kind_count;     /* int64_t; LIMIT_NONE is unset */
extern const struct option_kind kind_percent;   /* int: hundredths of a percent, "10%" */
extern const struct option_kind kind_decimal;   /* int64_t: billionths, 0 to `most` */
extern const struct option_kind kind_duration;  /* int64_t: seconds, "90m"; -1 is unset */
extern const struct option_kind kind_away;      /* int64_t: nano-dollars; 0: closed */
extern const struct option_kind kind_window;    /* struct budget: window */
extern const struct option_kind kind_match;     /* struct budget: match, match_count */
extern const struct option_kind kind_rate;      /* int64_t, 1 or more; LIMIT_NONE is unset */
extern const struct option_kind kind_overrides; /* struct budget: overrides, override_count */
extern const struct option_kind
    kind_rate_overrides; /* struct rate_limit: overrides, override_count */

#endif
