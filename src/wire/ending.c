/* Ending streams before their time: what is the same in all dialects; see wire/ending.h. */
#include "wire/ending.h"

static const struct {
    void (*note)(struct ending *ending, struct json_value whole);
    void (*put)(const struct ending *ending, const struct ending_facts *facts, struct buffer *out);
    void (*note_text)(struct ending *ending, const struct delta_reader *reader); /* NULL: no need */
} dialects[ENDPOINT_COUNT] = {
    [ENDPOINT_CHAT] = {ending_note_chat, ending_put_chat, NULL},
    [ENDPOINT_COMPLETIONS] = {ending_note_chat, ending_put_chat, NULL},
    [ENDPOINT_MESSAGES] = {ending_note_messages, ending_put_messages, NULL},
    [ENDPOINT_RESPONSES] = {ending_note_responses, ending_put_responses,
                            ending_note_responses_text},
};

bool ending_knows(enum endpoint endpoint)
{
    ASSERT((unsigned)endpoint < ENDPOINT_COUNT);
    return dialects[endpoint].put != NULL;
}

void ending_open(struct ending *ending, enum endpoint endpoint, int64_t choices)
{
    ASSERT(ending_knows(endpoint));
    ASSERT(choices >= 0);
    ASSERT(choices <= ENDING_MOST_CHOICES);
    *ending = (struct ending){.endpoint = endpoint, .choices = choices};
}

void ending_close(struct ending *ending)
{
    buffer_close(&ending->id);
    buffer_close(&ending->created);
    buffer_close(&ending->model);
    buffer_close(&ending->response);
    buffer_close(&ending->items);
    buffer_close(&ending->item_id);
    buffer_close(&ending->parts);
    buffer_close(&ending->text);
}

void ending_keep(struct buffer *kept, struct text value)
{
    size_t begin = kept->size;

    buffer_put(kept, value);
    for (size_t i = begin; i < kept->size; i++) {
        if (kept->at[i] == '\n' || kept->at[i] == '\r') {
            kept->at[i] = ' ';
        }
    }
}

void ending_note(struct ending *ending, struct text data, const struct delta_reader *reader)
{
    void (*note_text)(struct ending * ending, const struct delta_reader *reader) =
        dialects[ending->endpoint].note_text;

    if (reader->usual) {
        if (note_text != NULL) {
            note_text(ending, reader);
        }
        return;
    }
    if (text_equal(text_trim(data), TEXT("[DONE]"))) {
        ending->over = true;
    } else if (reader->whole.kind == JSON_OBJECT) {
        dialects[ending->endpoint].note(ending, reader->whole);
    }
}

void ending_put(const struct ending *ending, const struct ending_facts *facts, struct buffer *out)
{
    if (!ending->over) {
        dialects[ending->endpoint].put(ending, facts, out);
    }
}
