/*
 * A worker's batch: lines are rendered when they are noted, without any lock; the commit only adds
 * what depends on the order (sequence numbers and hashes), writes, and folds into the balances.
 */
#include <stdlib.h>

#include "base/log.h"
#include "books/ledger_state.h"

struct note {
    struct entry_copy copy;
    size_t start, end; /* of its line in the batch's text */
    bool withdrawn;
};

struct ledger_batch {
    struct ledger *ledger;
    struct buffer text;
    struct note *notes; /* those beyond `count` keep their memory for later ones */
    size_t count;
    size_t room;
    uint64_t written;
};

struct ledger_batch *ledger_batch_open(struct ledger *ledger)
{
    struct ledger_batch *batch = memory_new(sizeof(*batch));
    batch->ledger = ledger;
    return batch;
}

void ledger_batch_close(struct ledger_batch *batch)
{
    if (batch == NULL)
        return;
    for (size_t i = 0; i < batch->room; i++)
        entry_copy_close(&batch->notes[i].copy);
    free(batch->notes);
    buffer_close(&batch->text);
    free(batch);
}

static struct note *note_add(struct ledger_batch *batch)
{
    if (batch->count == batch->room) {
        size_t room = batch->room == 0 ? 16 : 2 * batch->room;
        batch->notes = memory_resize(batch->notes, room * sizeof(*batch->notes));
        memset(batch->notes + batch->room, 0, (room - batch->room) * sizeof(*batch->notes));
        batch->room = room;
    }
    return &batch->notes[batch->count++];
}

void ledger_note(struct ledger_batch *batch, const struct entry *entry)
{
    if (entry->kind == ENTRY_REFUSE && ledger_failing(batch->ledger))
        return;
    struct note *note = note_add(batch);
    note->start = batch->text.size;
    entry_put(&batch->text, entry, text_of(batch->ledger->node));
    note->end = batch->text.size;
    note->withdrawn = false;
    entry_copy_take(&note->copy, entry);
}

bool ledger_batch_empty(const struct ledger_batch *batch)
{
    return batch->count == 0;
}

uint64_t ledger_batch_written(const struct ledger_batch *batch)
{
    return batch->written;
}

/* So that a batch of which nothing is left is empty. */
static void drop_withdrawn_end(struct ledger_batch *batch)
{
    while (batch->count > 0 && batch->notes[batch->count - 1].withdrawn)
        batch->text.size = batch->notes[--batch->count].start;
}

bool ledger_withdraw(struct ledger_batch *batch, struct text call)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct note *note = &batch->notes[i];
        if (note->withdrawn || note->copy.entry.kind != ENTRY_RESERVE ||
            !text_equal(note->copy.entry.call, call))
            continue;
        note->withdrawn = true;
        drop_withdrawn_end(batch);
        return true;
    }
    return false;
}

/* Copies the lines into the ledger's write and seals them. */
static void seal_all(struct ledger *ledger, const struct ledger_batch *batch)
{
    buffer_clear(&ledger->out);
    for (size_t i = 0; i < batch->count; i++) {
        const struct note *note = &batch->notes[i];
        if (note->withdrawn)
            continue;
        size_t start = ledger->out.size;
        buffer_put(&ledger->out, text_slice(buffer_text(&batch->text), note->start, note->end));
        chain_seal(&ledger->chain, &ledger->out, start);
    }
}

static void fold_all(struct ledger *ledger, const struct ledger_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct note *note = &batch->notes[i];
        if (!note->withdrawn && !balances_apply(ledger->balances, &note->copy.entry))
            log_error("ledger: the %s of call %.*s fits no open hold and was not counted",
                      entry_kind_name(note->copy.entry.kind), TEXT_ARG(note->copy.entry.call));
    }
}

/* With the lock held. */
static bool commit_locked(struct ledger *ledger, const struct ledger_batch *batch,
                          struct fault *fault)
{
    if (!ledger_rotate_if_due(ledger, fault))
        return false;
    struct chain_place before = ledger->chain.place;
    seal_all(ledger, batch);
    if (!ledger_append(ledger, before, fault))
        return false;
    fold_all(ledger, batch);
    return true;
}

bool ledger_commit(struct ledger_batch *batch, struct fault *fault)
{
    if (batch->count == 0)
        return true;
    pthread_mutex_lock(&batch->ledger->lock);
    bool good = commit_locked(batch->ledger, batch, fault);
    pthread_mutex_unlock(&batch->ledger->lock);
    if (!good)
        return false;
    batch->count = 0;
    batch->written++;
    buffer_clear(&batch->text);
    return true;
}
