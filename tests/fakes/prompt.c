/*
 * How many tokens a prompt is to the fake; see prompt.h.
 */
#include "prompt.h"

#include "json.h"

static int64_t string_words(struct text value)
{
    struct text raw;
    int64_t words = 0;
    bool within = false;
    if (!json_raw_string(value, &raw))
        return 0;
    for (size_t i = 0; i < raw.size; i++) {
        words += raw.at[i] != ' ' && !within ? 1 : 0;
        within = raw.at[i] != ' ';
    }
    return words;
}

/* The words of a message's content: a string, or parts of which the texts count. */
static int64_t content_words(struct text content)
{
    struct json_walk parts;
    struct json_walk part;
    struct text name;
    struct text value;
    int64_t words = string_words(content);
    if (words > 0 || !json_enter(&parts, content))
        return words;
    while (json_next(&parts, &name, &value) == JSON_ITEM) {
        if (!json_enter(&part, value))
            continue;
        while (json_next(&part, &name, &value) == JSON_ITEM)
            if (text_equal(name, TEXT("text")))
                words += string_words(value);
    }
    return words;
}

static int64_t messages_words(struct text messages)
{
    struct json_walk list;
    struct json_walk message;
    struct text name;
    struct text value;
    int64_t words = 0;
    if (!json_enter(&list, messages))
        return 0;
    while (json_next(&list, &name, &value) == JSON_ITEM) {
        if (!json_enter(&message, value))
            continue;
        while (json_next(&message, &name, &value) == JSON_ITEM)
            if (text_equal(name, TEXT("content")) || text_equal(name, TEXT("output")))
                words += content_words(value);
    }
    return words;
}

static int64_t count_items(struct text array)
{
    struct json_walk walk;
    struct text name;
    struct text value;
    int64_t count = 0;
    if (json_enter(&walk, array))
        while (json_next(&walk, &name, &value) == JSON_ITEM)
            count++;
    return count;
}

void prompt_texts(struct text value, int64_t *texts, int64_t *tokens)
{
    struct json_walk walk;
    struct text name;
    struct text item;
    int64_t ids = 0;
    *texts = 0;
    *tokens = string_words(value);
    if (json_enter(&walk, value)) {
        while (json_next(&walk, &name, &item) == JSON_ITEM) {
            bool is_id = item.at[0] != '"' && item.at[0] != '[';
            ids += is_id ? 1 : 0;
            *texts += is_id ? 0 : 1;
            *tokens += string_words(item) + count_items(item);
        }
    }
    *tokens += ids;
    *texts = *texts > 0 ? *texts : 1;
}

int64_t prompt_messages(struct text messages, struct text more)
{
    return string_words(messages) + messages_words(messages) + content_words(more);
}
