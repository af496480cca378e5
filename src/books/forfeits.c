/* Forfeits by name, in the order in which they came. */
#include "books/forfeits.h"

#include <stdlib.h>

static struct text name_of(const struct entry *entry)
{
    return entry->call.size > 0 ? entry->call : entry->request_id;
}

static void let_go(struct forfeits *forfeits, struct forfeit *forfeit)
{
    if (forfeit->older != NULL)
        forfeit->older->newer = forfeit->newer;
    else
        forfeits->oldest = forfeit->newer;
    if (forfeit->newer != NULL)
        forfeit->newer->older = forfeit->older;
    else
        forfeits->newest = forfeit->older;
    table_remove(&forfeits->by_name, name_of(&forfeit->copy.entry));
    entry_copy_close(&forfeit->copy);
    free(forfeit);
}

void forfeits_close(struct forfeits *forfeits)
{
    while (forfeits->oldest != NULL)
        let_go(forfeits, forfeits->oldest);
    table_close(&forfeits->by_name);
}

void forfeits_add(struct forfeits *forfeits, const struct entry *entry)
{
    struct text name = name_of(entry);
    if (name.size == 0 || table_get(&forfeits->by_name, name) != NULL)
        return;
    if (forfeits->by_name.count == FORFEITS_MOST)
        let_go(forfeits, forfeits->oldest);
    struct forfeit *forfeit = memory_new(sizeof(*forfeit));
    entry_copy_take(&forfeit->copy, entry);
    table_put(&forfeits->by_name, name, forfeit);
    forfeit->older = forfeits->newest;
    if (forfeits->newest != NULL)
        forfeits->newest->newer = forfeit;
    else
        forfeits->oldest = forfeit;
    forfeits->newest = forfeit;
}

static struct forfeit *find(const struct forfeits *forfeits, const struct entry *entry)
{
    struct text name = name_of(entry);
    return name.size > 0 ? table_get(&forfeits->by_name, name) : NULL;
}

const struct entry *forfeits_find(const struct forfeits *forfeits, const struct entry *entry)
{
    const struct forfeit *forfeit = find(forfeits, entry);
    return forfeit == NULL ? NULL : &forfeit->copy.entry;
}

void forfeits_forget(struct forfeits *forfeits, const struct entry *entry)
{
    struct forfeit *forfeit = find(forfeits, entry);
    ASSERT(forfeit != NULL);
    let_go(forfeits, forfeit);
}
