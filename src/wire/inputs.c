/* Embeddings in parts: see wire/inputs.h. */
#include "wire/inputs.h"

/* False for what is one input itself: a text, or a list of token ids. */
static bool holds_inputs(struct json_value input)
{
    struct json_walk walk = json_walk(input);
    struct json_value first;

    return json_next(&walk, NULL, &first) && first.kind != JSON_NUMBER;
}

size_t inputs_of(const struct body *body, struct text *inputs, size_t most)
{
    struct json_value input = {JSON_STRING, body->input_raw};
    struct json_value element;
    size_t count = 0;

    ASSERT(body->input_raw.size > 0);
    input.kind = input.raw.at[0] == '[' ? JSON_ARRAY : JSON_STRING;
    if (most > 0 && !holds_inputs(input)) {
        inputs[0] = input.raw;
        return 1;
    }
    struct json_walk walk = json_walk(input);
    while (json_next(&walk, NULL, &element)) {
        if (count == most) {
            return 0;
        }
        inputs[count++] = element.raw;
    }
    return count;
}

struct text inputs_join(const struct text *inputs, size_t count, struct arena *arena)
{
    struct text *parts = arena_new(arena, 2 * (count + 1) * sizeof(*parts));
    size_t put = 0;

    parts[put++] = TEXT("[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            parts[put++] = TEXT(",");
        }
        parts[put++] = inputs[i];
    }
    parts[put++] = TEXT("]");
    ASSERT(put <= 2 * (count + 1));
    return arena_join(arena, parts, put);
}

static bool read_embedding(struct json_value element, struct text *embeddings, size_t count)
{
    struct json_value member;
    int64_t index;

    if (!json_member(element, TEXT("index"), &member) || !json_int(member, &index) || index < 0 ||
        (uint64_t)index >= count || embeddings[index].at != NULL) {
        return false;
    }
    if (!json_member(element, TEXT("embedding"), &member) ||
        (member.kind != JSON_ARRAY && member.kind != JSON_STRING)) { /* a string: base64 */
        return false;
    }
    embeddings[index] = member.raw;
    return true;
}

bool inputs_read_answer(struct text answer, struct text *embeddings, size_t count)
{
    struct json_value whole, member, element;
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        embeddings[i] = TEXT_NONE;
    }
    if (json_parse(answer, &whole, NULL) != JSON_OK || whole.kind != JSON_OBJECT ||
        (json_member(whole, TEXT("error"), &member) && member.kind != JSON_NULL) ||
        !json_member(whole, TEXT("data"), &member) || member.kind != JSON_ARRAY) {
        return false;
    }
    struct json_walk walk = json_walk(member);
    for (; json_next(&walk, NULL, &element); found++) {
        if (!read_embedding(element, embeddings, count)) {
            return false;
        }
    }
    return found == count;
}

void inputs_put_answer(struct buffer *out, const struct text *embeddings, size_t count,
                       struct text model, int64_t prompt_tokens)
{
    buffer_put(out, TEXT("{\"object\":\"list\",\"data\":["));
    for (size_t i = 0; i < count; i++) {
        buffer_put(out, i > 0 ? TEXT(",{") : TEXT("{"));
        json_put_text_member(out, TEXT("object"), TEXT("embedding"));
        json_put_int_member(out, TEXT("index"), (int64_t)i);
        json_put_raw_member(out, TEXT("embedding"), embeddings[i]);
        buffer_put_byte(out, '}');
    }
    buffer_put_byte(out, ']');
    json_put_raw_member(out, TEXT("model"), model);
    json_put_name(out, TEXT("usage"));
    buffer_put_byte(out, '{');
    json_put_int_member(out, TEXT("prompt_tokens"), prompt_tokens);
    json_put_int_member(out, TEXT("total_tokens"), prompt_tokens);
    buffer_put(out, TEXT("}}"));
}
