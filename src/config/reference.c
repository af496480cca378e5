/*
 * config/purser.yaml: every option with its default or an example and its help, by the table.
 */
#include "config/config.h"
#include "config/option.h"

#define HELP_COLUMN 44
#define LINE_MOST   100

static void put_table(struct buffer *out, const struct option_table *table, int depth);

static void pad_to(struct buffer *out, size_t line, size_t column)
{
    do {
        buffer_put_byte(out, ' ');
    } while (out->size - line < column);
}

static void put_choices(struct buffer *out, const struct option_choice *choices)
{
    for (const struct option_choice *at = choices; at->name != NULL; at++)
        buffer_printf(out, "%s%s", at == choices ? "" : " | ", at->name);
}

static void put_help_text(struct buffer *out, const struct option *option)
{
    if (option->choices != NULL &&
        (option->kind->shape == SHAPE_ONE || option->kind->shape == SHAPE_EITHER)) {
        put_choices(out, option->choices);
        buffer_put(out, TEXT("; "));
    }
    buffer_put(out, text_of(option->help));
    if (option->kind == &kind_whole || option->kind == &kind_mebibytes)
        buffer_printf(out, " (%lld to %lld)", (long long)option->least, (long long)option->most);
    if ((option->flags & OPTION_FIXED) != 0)
        buffer_put(out, TEXT(" [restart]"));
}

/* Behind what stands on the line, in as many lines as it takes. */
static void put_help(struct buffer *out, const struct option *option, size_t line)
{
    struct buffer help = {0};
    put_help_text(&help, option);
    struct text rest = buffer_text(&help);
    bool begun = false;
    while (rest.size > 0) {
        struct text word = text_split(&rest, ' ');
        if (!begun || out->size - line + 1 + word.size > LINE_MOST) {
            if (begun)
                buffer_put_byte(out, '\n');
            line = begun ? out->size : line;
            pad_to(out, line, HELP_COLUMN);
            buffer_put_byte(out, '#');
            begun = true;
        }
        buffer_put_byte(out, ' ');
        buffer_put(out, word);
    }
    buffer_close(&help);
    buffer_put_byte(out, '\n');
}

/* References to variables stand in quotes, so that they may be copied into {..}. */
static void put_sample(struct buffer *out, const struct option *option)
{
    struct text sample = text_of(option->example != NULL ? option->example : option->fallback);
    bool quotes = text_starts(sample, TEXT("${"));
    buffer_printf(out, "%s%.*s%s", quotes ? "\"" : "", TEXT_ARG(sample), quotes ? "\"" : "");
}

static void put_single(struct buffer *out, const struct option *option, size_t line)
{
    buffer_printf(out, "%s%s: ", option->flags & OPTION_COMMENTED ? "# " : "", option->name);
    put_sample(out, option);
    put_help(out, option, line);
}

static void put_group(struct buffer *out, const struct option *option, int depth, size_t line)
{
    bool list = option->kind->shape == SHAPE_LIST;
    buffer_printf(out, "%s:", option->name);
    put_help(out, option, line);
    size_t start = out->size;
    put_table(out, option->table, depth + (list ? 2 : 1));
    if (list)
        out->at[start + 2 * (size_t)depth + 2] = '-';
}

/* At the top, sections and lists stand apart. */
static void put_table(struct buffer *out, const struct option_table *table, int depth)
{
    bool was_group = false;
    for (const struct option *option = table->options; option->name != NULL; option++) {
        bool group = option->table != NULL;
        if (depth == 0 && (group || was_group))
            buffer_put_byte(out, '\n');
        was_group = group;
        size_t line = out->size;
        for (int i = 0; i < depth; i++)
            buffer_put(out, TEXT("  "));
        if (group)
            put_group(out, option, depth, line);
        else
            put_single(out, option, line);
    }
}

void config_print_reference(struct buffer *out)
{
    buffer_put(
        out,
        TEXT("# Every option of purser, with its default; the entries of lists are "
             "examples.\n"
             "# Made from the table of options by `purser check --reference`: change it "
             "there.\n"
             "#\n"
             "# ${NAME} and ${NAME:-default} are taken from the environment. Check a file "
             "with\n"
             "# `purser check FILE`; config/minimal.yaml is a short one to begin with.\n"
             "#\n"
             "# SIGHUP or POST /admin/reload applies a changed file while purser runs, but for "
             "what is\n"
             "# marked [restart].\n"
             "\n"));
    put_table(out, &options_root, 0);
}
