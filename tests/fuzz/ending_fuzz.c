/*
 * Ending streams: whatever events an upstream sent, the end that is put behind them is events of
 * JSON, and nothing follows a stream's own end.
 *
 * The first byte chooses the endpoint, the second how the stream ends. Lines are events.
 */
#include "fuzz.h"
#include "wire/ending.h"
#include "wire/sse.h"

/* How many events there are, each of which has data of its own. */
static size_t count_events(struct text stream)
{
    struct sse sse = {0};
    struct sse_event event;
    struct json_value value;
    enum sse_result result;
    size_t count = 0;

    sse_feed(&sse, stream);
    while ((result = sse_next(&sse, &event)) == SSE_EVENT) {
        bool done = text_equal(event.data, TEXT("[DONE]"));
        demand(done || json_parse(event.data, &value, NULL) == JSON_OK);
        count++;
    }
    demand(result == SSE_MORE);
    demand(!sse_last(&sse, &event));
    sse_close(&sse);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || !ending_knows((enum endpoint)(data[0] % ENDPOINT_COUNT)))
        return 0;
    enum endpoint endpoint = (enum endpoint)(data[0] % ENDPOINT_COUNT);
    struct delta_reader reader = {.endpoint = endpoint};
    struct text rest = text_make((const char *)data + 2, size - 2);
    struct buffer out = {0};
    struct ending ending;
    const struct ending_facts facts = {
        .manner = (data[1] & 1) != 0 ? ENDING_ERROR : ENDING_LENGTH,
        .usage = (data[1] & 2) != 0,
        .id = TEXT("req_1"),
        .model = TEXT("m\"m"),
        .cost = (data[1] & 4) != 0 ? TEXT("0.1") : TEXT_NONE,
        .message = TEXT("\"why\""),
        .code = TEXT("c"),
        .type = TEXT("t"),
    };

    ending_open(&ending, endpoint, 1 + (data[1] >> 4));
    while (rest.at != NULL) {
        struct text line = text_split(&rest, '\n');
        delta_read(&reader, line);
        ending_note(&ending, line, &reader);
    }
    ending_put(&ending, &facts, &out);
    demand((count_events(buffer_text(&out)) == 0) == ending.over);
    ending_close(&ending);
    delta_reader_close(&reader);
    buffer_close(&out);
    return 0;
}
