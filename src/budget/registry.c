/* Two hashes of the store, read as they stand; store.lua says what is in them. */
#include "budget/registry.h"

#include <stdlib.h>

#define SHORTEST 4 /* letters of a journal's id that may stand for it */

static struct text field_of(const struct lessor_list *list, const char *name)
{
    for (size_t i = 0; i + 1 < list->count; i += 2)
        if (text_equal(list->at[i], text_of(name)))
            return list->at[i + 1];
    return TEXT_NONE;
}

static int64_t number_of(const struct lessor_list *list, const char *name)
{
    int64_t number = 0;
    return text_to_int(field_of(list, name), &number) ? number : 0;
}

static struct registry_member *member_of(struct registry *registry, struct text journal)
{
    for (size_t i = 0; i < registry->count; i++)
        if (text_equal(text_of(registry->members[i].journal), journal))
            return &registry->members[i];
    return NULL;
}

/* `last`: incarnation.sequence */
static void add_member(struct registry *registry, struct text journal, struct text last)
{
    if (journal.size >= STORE_JOURNAL_SIZE || member_of(registry, journal) != NULL)
        return;
    struct registry_member *member = &registry->members[registry->count++];
    memcpy(member->journal, journal.at, journal.size);
    struct text incarnation = text_split(&last, '.');
    if (!text_to_int(incarnation, &member->incarnation) || !text_to_int(last, &member->sequence))
        member->incarnation = member->sequence = 0;
}

static void take_fence(struct registry *registry, struct text fence)
{
    if (fence.size > 0 && fence.size < STORE_FENCE_SIZE)
        memcpy(registry->fence, fence.at, fence.size);
}

/* One field of the nodes: "l:", "f:" or "s:" and a journal. */
static void take_node(struct registry *registry, struct text name, struct text value)
{
    int64_t seconds = 0;
    struct registry_member *member = member_of(registry, text_from(name, 2));
    if (member == NULL)
        return;
    if (text_starts(name, TEXT("l:")))
        member->label = value;
    else if (text_to_int(value, &seconds) && text_starts(name, TEXT("f:")))
        member->first_s = seconds;
    else if (text_starts(name, TEXT("s:")))
        member->last_s = seconds;
}

static void take_presence(struct registry *registry, struct text name, struct text value)
{
    int64_t epoch = 0;
    struct registry_member *member = member_of(registry, text_from(name, 2));
    if (member == NULL || !text_starts(name, TEXT("p:")) || !text_to_int(value, &epoch))
        return;
    member->registered = true;
    member->stated = epoch > 0;
    member->present = registry->recovering && epoch == registry->epoch;
}

static void take_newness(struct registry *registry, struct text name, struct text value,
                         int64_t vouched)
{
    int64_t heard = 0;
    struct registry_member *member = member_of(registry, text_from(name, 2));
    if (member != NULL && text_starts(name, TEXT("v:")) && text_to_int(value, &heard))
        member->is_new = heard > vouched;
}

static int by_first_day(const void *a, const void *b)
{
    const struct registry_member *one = a, *other = b;
    if (one->first_s != other->first_s)
        return one->first_s < other->first_s ? -1 : 1;
    return strcmp(one->journal, other->journal);
}

static void count_absent(struct registry *registry, const struct lessor_list *meta)
{
    int64_t named = number_of(meta, "registered") - number_of(meta, "present");
    int64_t counted = number_of(meta, "awaited") - number_of(meta, "returned");
    registry->absent = named > counted ? named : counted;
    registry->nameless = registry->absent - named;
}

static bool is_named(const struct registry_member *member, struct text name)
{
    return (name.size > 0 && text_equal(member->label, name)) ||
           (name.size >= SHORTEST && text_starts(text_of(member->journal), name));
}

const struct registry_member *registry_find(const struct registry *registry, struct text name,
                                            bool registered, bool *several)
{
    const struct registry_member *found = NULL;
    *several = false;
    for (size_t i = 0; i < registry->count; i++) {
        const struct registry_member *member = &registry->members[i];
        if (member->registered != registered || !is_named(member, name))
            continue;
        *several = found != NULL;
        if (*several)
            return NULL;
        found = member;
    }
    return found;
}

bool registry_read(struct lessor *lessor, struct arena *arena, struct registry *registry,
                   struct fault *fault)
{
    const char *const read_meta[] = {"HGETALL", "{purser}:meta"};
    const char *const read_nodes[] = {"HGETALL", "{purser}:nodes"};
    struct lessor_list meta, nodes;
    if (!lessor_read(lessor, read_meta, 2, arena, &meta, fault) ||
        !lessor_read(lessor, read_nodes, 2, arena, &nodes, fault))
        return false;
    *registry = (struct registry){.there = meta.count > 0};
    registry->epoch = number_of(&meta, "epoch");
    registry->recovering = number_of(&meta, "recovering") == 1;
    if (registry->recovering)
        count_absent(registry, &meta);
    take_fence(registry, field_of(&meta, "fence"));
    registry->members = arena_new(arena, (meta.count + 1) * sizeof(*registry->members));
    for (size_t i = 0; i + 1 < meta.count; i += 2)
        if (text_starts(meta.at[i], TEXT("q:")))
            add_member(registry, text_from(meta.at[i], 2), meta.at[i + 1]);
    for (size_t i = 0; i + 1 < nodes.count; i += 2)
        take_node(registry, nodes.at[i], nodes.at[i + 1]);
    for (size_t i = 0; i + 1 < meta.count; i += 2)
        take_presence(registry, meta.at[i], meta.at[i + 1]);
    for (size_t i = 0; i + 1 < meta.count; i += 2)
        take_newness(registry, meta.at[i], meta.at[i + 1], number_of(&meta, "vouched"));
    qsort(registry->members, registry->count, sizeof(*registry->members), by_first_day);
    return true;
}
