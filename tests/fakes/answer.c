/*
 * What all dialects say alike; see answer.h.
 */
#include "answer.h"

#include <inttypes.h>

/* Common words: each of them is one token in o200k_base and cl100k_base, bare at the start of a
 * text and with its leading space elsewhere. */
static const char *const words[] = {
    "the",  "of",   "and",   "to",     "in",   "is",   "for",   "that", "with",  "as",   "at",
    "by",   "from", "this",  "be",     "an",   "or",   "are",   "not",  "can",   "all",  "will",
    "one",  "has",  "more",  "new",    "time", "if",   "out",   "up",   "about", "them", "then",
    "some", "her",  "would", "make",   "like", "him",  "into",  "look", "two",   "go",   "see",
    "no",   "way",  "could", "people", "my",   "than", "first", "been", "call",  "who",  "now",
    "find", "long", "down",  "day",    "did",  "get",  "come",  "made", "may",
};

static const int64_t word_count = sizeof words / sizeof words[0];

bool answer_by_tokens(const char *model)
{
    return text_starts(text_of(model), TEXT("gpt-"));
}

int64_t answer_tokens(const struct answer *answer)
{
    return (answer->visible + answer->reasoning) * answer->tries;
}

void answer_words(struct bytes *out, int64_t from, int64_t count)
{
    for (int64_t i = from; i < from + count; i++) {
        if (i > 0)
            bytes_add(out, " ", 1);
        bytes_add_text(out, text_of(words[i % word_count]));
    }
}

/* A digit and a comma in turn: each is one token, whatever stands beside it. */
static void add_dense(struct bytes *out, int64_t from, int64_t count)
{
    for (int64_t i = from; i < from + count; i++)
        bytes_add(out, i % 2 == 0 ? "7" : ",", 1);
}

void answer_text(struct bytes *out, const struct answer *answer, int64_t from, int64_t count)
{
    if (answer->dense)
        add_dense(out, from, count);
    else
        answer_words(out, from, count);
}

void answer_part(struct bytes *out, const struct answer *answer, int64_t from, int64_t to)
{
    bool tool = answer->tool[0] != 0;
    if (tool && from == 0 && to > 0)
        bytes_print(out, WORDS_OPEN);
    answer_text(out, answer, from, to - from);
    if (tool && to == answer->visible && from < to)
        bytes_print(out, WORDS_CLOSE);
}

void answer_whole(struct bytes *out, const struct answer *answer)
{
    answer_part(out, answer, 0, answer->visible);
}

int64_t answer_reported(const struct answer *answer)
{
    return answer->lie != WISH_ABSENT ? answer->lie : answer_tokens(answer);
}

void answer_cost(struct bytes *out, const struct answer *answer)
{
    if (answer->cost != WISH_ABSENT)
        bytes_print(out, ",\"cost\":%" PRId64 ".%09" PRId64, answer->cost / 1000000000,
                    answer->cost % 1000000000);
}

void answer_page(struct bytes *out)
{
    bytes_print(out, "<!DOCTYPE html>\n<html><head><title>A gateway</title></head>\n"
                     "<body><h1>A page where JSON was expected</h1></body></html>\n");
}
