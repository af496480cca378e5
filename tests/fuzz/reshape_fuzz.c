/*
 * Answers of either shape: none makes the reshaping step out of bounds; what was turned into one
 * shape can be turned back, and the whole answer that is read back from the events of a whole
 * answer is the same one every time.
 *
 * The first byte chooses endpoint and shape, the rest is the answer.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "wire/inputs.h"
#include "wire/reshape.h"

static void check_whole(enum endpoint endpoint, struct text whole, bool usage)
{
    struct buffer events = {0}, second = {0}, third = {0};
    struct json_value value;

    if (reshape_to_events(endpoint, whole, usage, &events)) {
        demand(reshape_to_whole(endpoint, buffer_text(&events), &second));
        demand(json_parse(buffer_text(&second), &value, NULL) == JSON_OK);
        demand(!reshape_whole_is_complete(endpoint, whole, 1) ||
               reshape_events_are_complete(endpoint, buffer_text(&events), 1));
        demand(reshape_whole_is_complete(endpoint, whole, 1) ==
               reshape_whole_is_complete(endpoint, buffer_text(&second), 1));
        buffer_clear(&events);
        demand(reshape_to_events(endpoint, buffer_text(&second), usage, &events));
        demand(reshape_to_whole(endpoint, buffer_text(&events), &third));
        demand(second.size == third.size);
    }
    buffer_close(&events);
    buffer_close(&second);
    buffer_close(&third);
}

static void check_events(enum endpoint endpoint, struct text events, bool usage)
{
    struct buffer whole = {0};

    (void)reshape_events_are_complete(endpoint, events, 1);
    if (reshape_to_whole(endpoint, events, &whole)) {
        struct buffer again = {0};
        demand(reshape_to_events(endpoint, buffer_text(&whole), usage, &again));
        buffer_close(&again);
        check_whole(endpoint, buffer_text(&whole), usage);
    }
    buffer_close(&whole);
}

static void check_embeddings(struct text answer)
{
    struct text embeddings[3];
    struct buffer out = {0};

    for (size_t count = 1; count <= 3; count++) {
        if (!inputs_read_answer(answer, embeddings, count))
            continue;
        demand(reshape_whole_is_complete(ENDPOINT_EMBEDDINGS, answer, (int64_t)count));
        buffer_clear(&out);
        inputs_put_answer(&out, embeddings, count, TEXT("\"m\""), 7);
        demand(inputs_read_answer(buffer_text(&out), embeddings, count));
    }
    buffer_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum endpoint endpoint = (enum endpoint)((data[0] & 3) % ENDPOINT_COUNT);
    if (!endpoint_facts(endpoint)->kept)
        return 0;
    bool usage = (data[0] & 4) != 0;
    /* a copy that ends where its memory ends */
    char *copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    struct text answer = text_make(copy, size - 1);
    if (endpoint == ENDPOINT_EMBEDDINGS)
        check_embeddings(answer);
    else if ((data[0] & 8) != 0)
        check_events(endpoint, answer, usage);
    else
        check_whole(endpoint, answer, usage);
    free(copy);
    return 0;
}
