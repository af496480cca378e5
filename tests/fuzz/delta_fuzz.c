/*
 * Deltas: whatever an upstream sends, an event is read the same by a reader that has seen others as
 * by one that has not; and a whole text as the parts it comes in.
 *
 * The first byte chooses the endpoint. Lines are events; the last line also takes the place of each
 * text of the first one, and another number that of its number.
 */
#include "fuzz.h"
#include "wire/delta.h"

/* `fresh` closes and begins anew. */
static void check_event(struct delta_reader *used, struct delta_reader *fresh, struct text data)
{
    delta_reader_close(fresh);
    delta_read(fresh, data);
    delta_read(used, data);
    demand(!fresh->usual);
    demand(used->count == fresh->count && used->opaque == fresh->opaque);
    demand(!used->usual || (fresh->plain && used->count <= 1 && used->whole.kind == JSON_NULL));
    for (size_t i = 0; i < used->count; i++) {
        demand(used->at[i].choice == fresh->at[i].choice && used->at[i].part == fresh->at[i].part);
        demand(used->at[i].kind == fresh->at[i].kind && used->at[i].text.size > 0);
        demand(text_equal(used->at[i].text, fresh->at[i].text));
    }
}

/* The event with another text in the place where its only one stands. */
static bool exchange(struct delta_reader *reader, struct text event, struct text other,
                     struct buffer *out)
{
    delta_read(reader, event);
    if (reader->form.data.size == 0)
        return false;
    struct text form = buffer_text(&reader->form.data);
    size_t rest = 0;
    for (size_t i = 0; i < reader->form.hole_count; i++) {
        const struct delta_hole *hole = &reader->form.holes[i];
        buffer_put(out, text_slice(form, rest, hole->from));
        buffer_put(out, hole->kind == DELTA_HOLE_NUMBER ? TEXT("90") : other);
        rest = hole->to;
    }
    buffer_put(out, text_from(form, rest));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || !delta_knows(data[0] % ENDPOINT_COUNT))
        return 0;
    struct delta_reader used = {.endpoint = data[0] % ENDPOINT_COUNT}, fresh = used;
    struct text rest = text_make((const char *)data + 1, size - 1);
    struct text first = text_slice(rest, 0, text_find(rest, TEXT("\n"), 0)), line = first;
    struct buffer other = {0};

    while (rest.at != NULL) {
        line = text_split(&rest, '\n');
        check_event(&used, &fresh, line);
    }
    delta_reader_close(&used);
    if (exchange(&used, first, line, &other))
        check_event(&used, &fresh, buffer_text(&other));
    buffer_close(&other);
    delta_reader_close(&used);
    delta_reader_close(&fresh);
    return 0;
}
