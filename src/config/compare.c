/* Comparing configurations. */
#include "config/compare.h"

#include "base/hash.h"
#include "config/option.h"

#define NAMES_MOST 64

/* Two structs of one table. */
struct pair {
    const void *a, *b;
};

/* As it would be printed, were nothing secret. */
static bool value_differs(const struct option *option, const void *a, const void *b)
{
    if (option->kind == &kind_key || option->kind == &kind_hash)
        return memcmp(a, b, HASH_SIZE) != 0;
    struct option shown = *option;
    struct buffer text[2] = {0};
    shown.flags &= ~(unsigned)OPTION_SECRET;
    option->kind->put(&text[0], &shown, a);
    option->kind->put(&text[1], &shown, b);
    bool differs = !text_equal(buffer_text(&text[0]), buffer_text(&text[1]));
    buffer_close(&text[0]);
    buffer_close(&text[1]);
    return differs;
}

static const void *member(const void *of, size_t offset)
{
    return (const char *)of + offset;
}

static bool option_differs(const struct option *option, struct pair pair, unsigned without);

static bool table_differs(const struct option_table *table, struct pair pair, unsigned without)
{
    for (const struct option *option = table->options; option->name != NULL; option++)
        if (option_differs(option, pair, without))
            return true;
    return false;
}

static bool list_differs(const struct option *option, struct pair pair, unsigned without)
{
    const char *a, *b;
    size_t count_a, count_b;
    memcpy(&a, member(pair.a, option->offset), sizeof(a));
    memcpy(&b, member(pair.b, option->offset), sizeof(b));
    memcpy(&count_a, member(pair.a, option->count_offset), sizeof(count_a));
    memcpy(&count_b, member(pair.b, option->count_offset), sizeof(count_b));
    bool differs = count_a != count_b;
    for (size_t i = 0; !differs && i < count_a; i++) {
        size_t at = i * option->table->size;
        differs = table_differs(option->table, (struct pair){a + at, b + at}, without);
    }
    return differs;
}

/* Options with one of the flags of `without` are passed over. */
static bool option_differs(const struct option *option, struct pair pair, unsigned without)
{
    if ((option->flags & without) != 0)
        return false;
    if (option->kind->shape == SHAPE_SECTION)
        return table_differs(option->table, pair, without);
    if (option->kind->shape == SHAPE_LIST)
        return list_differs(option, pair, without);
    return value_differs(option, member(pair.a, option->offset), member(pair.b, option->offset));
}

static struct config_texts names_open(struct arena *arena)
{
    return (struct config_texts){.at = arena_new(arena, NAMES_MOST * sizeof(struct text))};
}

static void names_add(struct config_texts *names, struct text name)
{
    ASSERT(names->count < NAMES_MOST);
    names->at[names->count++] = name;
}

struct config_texts config_changed(const struct config *before, const struct config *after,
                                   struct arena *arena)
{
    struct config_texts names = names_open(arena);
    struct pair pair = {before, after};
    for (const struct option *option = options_root.options; option->name != NULL; option++)
        if (option_differs(option, pair, OPTION_FIXED))
            names_add(&names, text_of(option->name));
    return names;
}

/* `path` stands before the names: "" or "store.". */
static void add_fixed(struct config_texts *names, const struct option_table *table,
                      struct pair pair, struct arena *arena, struct text path)
{
    for (const struct option *option = table->options; option->name != NULL; option++) {
        struct text name = arena_printf(arena, "%.*s%s", TEXT_ARG(path), option->name);
        if (option->kind->shape == SHAPE_SECTION)
            add_fixed(names, option->table, pair, arena,
                      arena_printf(arena, "%.*s.", TEXT_ARG(name)));
        else if ((option->flags & OPTION_FIXED) != 0 && option_differs(option, pair, 0))
            names_add(names, name);
    }
}

struct config_texts config_not_applied(const struct config *in_force, const struct config *after,
                                       struct arena *arena)
{
    struct config_texts names = names_open(arena);
    add_fixed(&names, &options_root, (struct pair){in_force, after}, arena, TEXT_NONE);
    return names;
}
