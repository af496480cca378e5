/* The names of records in somebody else's file: see money/catalog_foreign.h. */
#include "money/catalog_foreign.h"

/* Theirs, '*' for anything, and ours; one that is not here keeps its name. */
static const struct {
    struct text theirs, ours;
} PROVIDERS[] = {
    {TEXT("text-completion-openai"), TEXT("openai")},
    {TEXT("azure_*"), TEXT("azure")},
    {TEXT("bedrock_*"), TEXT("bedrock")},
    {TEXT("gemini"), TEXT("google")},
    {TEXT("vertex_ai*"), TEXT("google")},
    {TEXT("codestral"), TEXT("mistral")},
    {TEXT("text-completion-codestral"), TEXT("mistral")},
    {TEXT("cohere_chat"), TEXT("cohere")},
    {TEXT("together_ai*"), TEXT("together")},
    {TEXT("fireworks_ai*"), TEXT("fireworks")},
};
#define PROVIDER_COUNT (sizeof(PROVIDERS) / sizeof(PROVIDERS[0]))

/* The list has room up to the next power of two. */
void catalog_foreign_alias(struct catalog_record *record, struct text alias, struct arena *arena)
{
    size_t count = record->alias_count;
    struct text *aliases = (struct text *)record->aliases;
    if ((count & (count - 1)) == 0) {
        aliases = arena_new(arena, (2 * count + 1) * sizeof(*aliases));
        if (count > 0)
            memcpy(aliases, record->aliases, count * sizeof(*aliases));
    }
    aliases[count] = alias;
    record->aliases = aliases;
    record->alias_count++;
}

void catalog_foreign_name(struct catalog_record *record, struct text key, struct text theirs,
                          struct arena *arena)
{
    struct model *model = &record->model;
    struct text prefix = theirs;
    if (text_starts(theirs, TEXT("vertex_ai")))
        prefix = TEXT("vertex_ai");
    const struct text parts[] = {prefix, TEXT("/"), key};
    struct text joined = arena_join(arena, parts, 3);
    bool prefixed = prefix.size > 0 && text_starts(key, text_slice(joined, 0, prefix.size + 1)) &&
                    key.size > prefix.size + 1;
    model->name = prefixed ? text_from(key, prefix.size + 1) : key;
    if (prefix.size > 0)
        catalog_foreign_alias(record, prefixed ? key : joined, arena);
    model->provider = theirs;
    for (size_t at = 0; at < PROVIDER_COUNT; at++) {
        if (text_matches(theirs, PROVIDERS[at].theirs))
            model->provider = PROVIDERS[at].ours;
    }
}
