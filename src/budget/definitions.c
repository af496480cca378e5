/*
 * Copies budgets deeply. A set of definitions goes as a whole; only names outlive it.
 */
#include "budget/definitions.h"

#include <stdlib.h>

static struct text keep_name(struct names *names, struct text name)
{
    char *kept = table_get(&names->kept, name);
    if (kept == NULL) {
        kept = memory_copy(name);
        table_put(&names->kept, name, kept);
    }
    return text_make(kept, name.size);
}

void names_close(struct names *names)
{
    size_t at = 0;
    void *kept = NULL;
    while (table_next(&names->kept, &at, NULL, &kept))
        free(kept);
    table_close(&names->kept);
}

static struct budget_match *copy_matches(struct arena *arena, const struct budget *budget)
{
    struct budget_match *copy = arena_new(arena, budget->match_count * sizeof(*copy));
    for (size_t at = 0; at < budget->match_count; at++) {
        copy[at] = budget->match[at];
        copy[at].pattern = arena_copy(arena, budget->match[at].pattern);
    }
    return copy;
}

static struct budget_override *copy_overrides(struct arena *arena, const struct budget *budget)
{
    struct budget_override *copy = arena_new(arena, budget->override_count * sizeof(*copy));
    for (size_t at = 0; at < budget->override_count; at++) {
        copy[at] = budget->overrides[at];
        copy[at].id = arena_copy(arena, budget->overrides[at].id);
    }
    return copy;
}

void definitions_open(struct definitions *definitions, const struct budget *budgets, size_t count,
                      struct names *names)
{
    *definitions = (struct definitions){.count = count};
    struct arena *arena = &definitions->arena;
    definitions->budgets = arena_new(arena, count * sizeof(struct budget));
    for (size_t at = 0; at < count; at++) {
        struct budget *copy = &definitions->budgets[at];
        ASSERT(budgets[at].zone != NULL);
        *copy = budgets[at];
        copy->name = keep_name(names, budgets[at].name);
        copy->timezone = arena_copy(arena, budgets[at].timezone);
        copy->zone = zone_copy(budgets[at].zone);
        copy->match = copy_matches(arena, &budgets[at]);
        copy->overrides = copy_overrides(arena, &budgets[at]);
    }
}

void definitions_close(struct definitions *definitions)
{
    for (size_t at = 0; at < definitions->count; at++)
        zone_close((struct zone *)definitions->budgets[at].zone);
    arena_close(&definitions->arena);
    *definitions = (struct definitions){0};
}
