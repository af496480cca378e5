/*
 * Tokens: from a text to their number and their ids.
 */
#include "money/tokens.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "money/tokens_parts.h"

static const char *const names[TOKENS_ENCODING_COUNT] = {
    [TOKENS_O200K_BASE] = "o200k_base",
    [TOKENS_CL100K_BASE] = "cl100k_base",
};

struct text tokens_name(enum tokens_encoding encoding)
{
    return text_of(names[encoding]);
}

bool tokens_by_name(struct text name, enum tokens_encoding *encoding)
{
    for (enum tokens_encoding i = 0; i < TOKENS_ENCODING_COUNT; i++) {
        if (text_equal(name, tokens_name(i))) {
            *encoding = i;
            return true;
        }
    }
    return false;
}

/* OpenAI's models by their families, the first that fits counts; as the npm packages
 * tiktoken 1.0.22 and gpt-tokenizer 4.0.0 list them (its o200k_harmony has the tokens of
 * o200k_base). */
struct family {
    const char *pattern;
    enum tokens_encoding encoding;
};

static const struct family families[] = {
    {"gpt-4o*", TOKENS_O200K_BASE},
    {"gpt-4.1*", TOKENS_O200K_BASE},
    {"gpt-4.5*", TOKENS_O200K_BASE},
    {"gpt-5*", TOKENS_O200K_BASE},
    {"gpt-oss*", TOKENS_O200K_BASE},
    {"chatgpt-4o*", TOKENS_O200K_BASE},
    {"codex-mini*", TOKENS_O200K_BASE},
    {"computer-use-preview*", TOKENS_O200K_BASE},
    {"o1", TOKENS_O200K_BASE},
    {"o1-*", TOKENS_O200K_BASE},
    {"o3", TOKENS_O200K_BASE},
    {"o3-*", TOKENS_O200K_BASE},
    {"o4-mini*", TOKENS_O200K_BASE},
    {"gpt-4", TOKENS_CL100K_BASE},
    {"gpt-4-*", TOKENS_CL100K_BASE},
    {"gpt-3.5*", TOKENS_CL100K_BASE},
    {"gpt-35-turbo*", TOKENS_CL100K_BASE},
    {"text-embedding-3-*", TOKENS_CL100K_BASE},
    {"text-embedding-ada-002*", TOKENS_CL100K_BASE},
    {"davinci-002", TOKENS_CL100K_BASE},
    {"babbage-002", TOKENS_CL100K_BASE},
};

#define FAMILY_COUNT (sizeof families / sizeof *families)

static struct text without_prefix(struct text name, struct text prefix)
{
    return text_starts(name, prefix) ? text_from(name, prefix.size) : name;
}

bool tokens_by_model(struct text model, enum tokens_encoding *encoding)
{
    struct text name = without_prefix(without_prefix(model, TEXT("openai/")), TEXT("azure/"));
    if (text_starts(name, TEXT("ft:"))) {
        name = text_from(name, 3);
        name = text_split(&name, ':');
    }
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        if (text_matches(name, text_of(families[i].pattern))) {
            *encoding = families[i].encoding;
            return true;
        }
    }
    return false;
}

void token_ids_close(struct token_ids *ids)
{
    free(ids->at);
    *ids = (struct token_ids){0};
}

void token_ids_put(struct token_ids *ids, uint32_t id)
{
    if (ids->count == ids->room) {
        ids->room = ids->room == 0 ? 64 : 2 * ids->room;
        ids->at = memory_resize(ids->at, ids->room * sizeof(*ids->at));
    }
    ids->at[ids->count++] = id;
}

/* The text itself if it is well-formed; else a repaired copy, kept in `copy`. */
static struct text well_formed(struct text text, struct buffer *copy)
{
    ASSERT(text.size <= TOKENS_MAX_TEXT);
    if (utf8_valid(text))
        return text;
    utf8_repair(text, copy);
    return buffer_text(copy);
}

struct job {
    enum tokens_encoding encoding;
    const struct token_ranks *ranks;
    size_t longest;        /* a longer piece counts a token for each byte */
    struct token_ids *ids; /* NULL: only the count is wanted */
};

static size_t encode_piece(const struct job *job, struct text piece, uint32_t id)
{
    if (id == TOKEN_NONE)
        return piece.size > job->longest ? piece.size : token_merge(job->ranks, piece, job->ids);
    if (job->ids != NULL)
        token_ids_put(job->ids, id);
    return 1;
}

#define BATCH 16 /* pieces whose tokens are looked up at once */

static size_t split_batch(const struct job *job, struct text *rest, struct token_probe *probes)
{
    bool open = false;
    size_t count = 0;
    for (; rest->size > 0 && count < BATCH; count++) {
        probes[count].piece = text_make(rest->at, token_split(job->encoding, *rest, &open));
        token_probe_begin(job->ranks, &probes[count], rest->at + rest->size);
        *rest = text_from(*rest, probes[count].piece.size);
    }
    return count;
}

static size_t encode_text(const struct job *job, struct text text)
{
    struct buffer copy = {0};
    struct text rest = well_formed(text, &copy);
    struct token_probe probes[BATCH];
    size_t tokens = 0;
    for (size_t count; (count = split_batch(job, &rest, probes)) > 0;) {
        for (size_t i = 0; i < count; i++)
            token_probe_reach(job->ranks, &probes[i]);
        for (size_t i = 0; i < count; i++)
            tokens += encode_piece(job, probes[i].piece, token_probe_end(job->ranks, &probes[i]));
    }
    buffer_close(&copy);
    return tokens;
}

size_t tokens_count(enum tokens_encoding encoding, struct text text)
{
    const struct job job = {encoding, token_ranks(encoding), SIZE_MAX, NULL};
    return encode_text(&job, text);
}

size_t tokens_at_most(enum tokens_encoding encoding, struct text text)
{
    const struct job job = {encoding, token_ranks(encoding), TOKENS_LONG_PIECE, NULL};
    return encode_text(&job, text);
}

void tokens_encode(enum tokens_encoding encoding, struct text text, struct token_ids *ids)
{
    const struct job job = {encoding, token_ranks(encoding), SIZE_MAX, ids};
    (void)encode_text(&job, text);
}
