/*
 * Entries that own what they point to: one block of memory, used again for the next entry, so that
 * keeping an entry allocates nothing once a few have been kept.
 */
#include "books/entry_members.h"

static size_t copy_size(const struct entry *entry)
{
    size_t size = entry->charge_count * sizeof(*entry->charges);
    size += entry->tag_count * sizeof(*entry->tags);
    for (size_t i = 0; i < ENTRY_MEMBER_COUNT; i++)
        if (entry_is_text(&entry_members[i]))
            size += ((const struct text *)entry_field_of(entry, &entry_members[i]))->size;
    for (size_t i = 0; i < entry->tag_count; i++)
        size += entry->tags[i].size;
    for (size_t i = 0; i < entry->charge_count; i++)
        size += entry->charges[i].budget.size + entry->charges[i].id.size;
    return size;
}

/* Appends bytes whose room was reserved before, so that what points there stays valid. */
static char *keep(struct buffer *bytes, const void *at, size_t size)
{
    ASSERT(size <= bytes->room - bytes->size);
    char *place = bytes->at + bytes->size;
    if (size > 0)
        memcpy(place, at, size);
    bytes->size += size;
    return place;
}

static void keep_text(struct buffer *bytes, struct text *text)
{
    *text = text_make(keep(bytes, text->at, text->size), text->size);
}

/* The arrays come first: the buffer's beginning is aligned for them. */
static void keep_lists(struct buffer *bytes, struct entry *entry)
{
    struct charge *charges =
        (void *)keep(bytes, entry->charges, entry->charge_count * sizeof(*charges));
    struct text *tags = (void *)keep(bytes, entry->tags, entry->tag_count * sizeof(*tags));
    for (size_t i = 0; i < entry->charge_count; i++) {
        keep_text(bytes, &charges[i].budget);
        keep_text(bytes, &charges[i].id);
    }
    for (size_t i = 0; i < entry->tag_count; i++)
        keep_text(bytes, &tags[i]);
    entry->charges = charges;
    entry->tags = tags;
}

void entry_copy_take(struct entry_copy *copy, const struct entry *entry)
{
    buffer_clear(&copy->bytes);
    buffer_reserve(&copy->bytes, copy_size(entry) + 1);
    copy->entry = *entry;
    keep_lists(&copy->bytes, &copy->entry);
    for (size_t i = 0; i < ENTRY_MEMBER_COUNT; i++)
        if (entry_is_text(&entry_members[i]))
            keep_text(&copy->bytes, entry_field_in(&copy->entry, &entry_members[i]));
}

void entry_copy_close(struct entry_copy *copy)
{
    buffer_close(&copy->bytes);
    *copy = (struct entry_copy){0};
}
