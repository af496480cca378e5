/*
 * ${NAME} and ${NAME:-default}.
 */
#include "config/expand.h"

static bool is_name_byte(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '_';
}

static bool is_name(struct text name)
{
    for (size_t i = 0; i < name.size; i++)
        if (!is_name_byte(name.at[i]))
            return false;
    return name.size > 0 && !(name.at[0] >= '0' && name.at[0] <= '9');
}

/* `inside` is what stands between the braces. */
static bool put_reference(struct arena *arena, config_env *env, struct text inside,
                          struct buffer *out, struct fault *fault)
{
    size_t cut = text_find(inside, TEXT(":-"), 0);
    struct text name = text_slice(inside, 0, cut);
    if (!is_name(name))
        return fault_set(fault,
                         "\"${%.*s}\" is no reference to a variable: write ${NAME} or "
                         "${NAME:-default}",
                         TEXT_ARG(name));
    const char *value = env(arena_copy(arena, name).at);
    bool has_default = cut != SIZE_MAX;
    if (value == NULL && !has_default)
        return fault_set(fault,
                         "the environment variable %.*s is not set: set it, or write a default as "
                         "in ${%.*s:-default}",
                         TEXT_ARG(name), TEXT_ARG(name));
    bool use_default = has_default && (value == NULL || value[0] == '\0');
    buffer_put(out, use_default ? text_from(inside, cut + 2) : text_of(value));
    return true;
}

static bool put_expanded(struct arena *arena, config_env *env, struct text rest, struct buffer *out,
                         struct fault *fault)
{
    for (;;) {
        size_t open = text_find(rest, TEXT("${"), 0);
        buffer_put(out, text_slice(rest, 0, open));
        if (open == SIZE_MAX)
            return true;
        rest = text_from(rest, open + 2);
        size_t close = text_find(rest, TEXT("}"), 0);
        if (close == SIZE_MAX)
            return fault_set(fault, "\"${\" without a \"}\" behind it");
        struct text inside = text_slice(rest, 0, close);
        if (text_find(inside, TEXT("${"), 0) != SIZE_MAX)
            return fault_set(fault, "a ${...} inside another one: write it apart");
        if (!put_reference(arena, env, inside, out, fault))
            return false;
        rest = text_from(rest, close + 1);
    }
}

bool expand_has_control(struct text value)
{
    for (size_t i = 0; i < value.size; i++)
        if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7f)
            return true;
    return false;
}

bool expand_text(struct arena *arena, config_env *env, struct text written, struct text *expanded,
                 struct fault *fault)
{
    struct buffer out = {0};
    bool good = put_expanded(arena, env, written, &out, fault);
    if (good && expand_has_control(buffer_text(&out)))
        good = fault_set(fault, "the value has a line break or another control character in it "
                                "(one read from a file often ends so): take it out");
    if (good)
        *expanded = arena_copy(arena, buffer_text(&out));
    buffer_close(&out);
    return good;
}
