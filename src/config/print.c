/*
 * Printing the configuration in force, by the table of options.
 */
#include "config/config.h"
#include "config/option.h"

static void put_table(struct buffer *out, const struct option_table *table, const void *struct_at,
                      int depth);

static void put_indent(struct buffer *out, int depth)
{
    for (int i = 0; i < depth; i++)
        buffer_put(out, TEXT("  "));
}

/* Each item begins with "- " in the place of its first option's indent. */
static void put_list(struct buffer *out, const struct option *option, const struct config *config,
                     int depth)
{
    const char *items;
    size_t count;
    memcpy(&items, (const char *)config + option->offset, sizeof(items));
    memcpy(&count, (const char *)config + option->count_offset, sizeof(count));
    buffer_put(out, count == 0 ? TEXT(" []\n") : TEXT("\n"));
    for (size_t i = 0; i < count; i++) {
        size_t start = out->size;
        put_table(out, option->table, items + i * option->table->size, depth + 2);
        out->at[start + 2 * (size_t)depth + 2] = '-';
    }
}

static void put_value(struct buffer *out, const struct option *option, const void *struct_at)
{
    size_t start = out->size;
    buffer_printf(out, "%s: ", option->name);
    size_t named = out->size;
    option->kind->put(out, option, (const char *)struct_at + option->offset);
    if (out->size == named)
        out->size = start; /* unset: no line at all */
    else
        buffer_put_byte(out, '\n');
}

static void put_option(struct buffer *out, const struct option *option, const void *struct_at,
                       int depth)
{
    size_t start = out->size;
    put_indent(out, depth);
    size_t indented = out->size;
    if (option->kind->shape == SHAPE_SECTION) {
        buffer_printf(out, "%s:\n", option->name);
        put_table(out, option->table, struct_at, depth + 1);
    } else if (option->kind->shape == SHAPE_LIST) {
        buffer_printf(out, "%s:", option->name);
        put_list(out, option, struct_at, depth);
    } else {
        put_value(out, option, struct_at);
    }
    if (out->size == indented)
        out->size = start;
}

static void put_table(struct buffer *out, const struct option_table *table, const void *struct_at,
                      int depth)
{
    for (const struct option *option = table->options; option->name != NULL; option++)
        put_option(out, option, struct_at, depth);
}

void config_print(const struct config *config, struct buffer *out)
{
    put_table(out, &options_root, config, 0);
}
