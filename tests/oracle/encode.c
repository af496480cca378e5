/*
 * For tokens.mjs: tells the tokens of texts by purser's own tokeniser, in bulk.
 *
 *     encode ENCODING < texts > ids
 *
 * A text is its size and its bytes; the answer is the number of tokens and their ids. All numbers
 * have 32 bits and the machine's order. What is counted must be what is encoded: that is asserted.
 */
#include <stdio.h>
#include <stdlib.h>

#include "money/tokens.h"

static struct text read_all(FILE *in)
{
    struct buffer all = {0};
    size_t got = 0;
    do {
        buffer_reserve(&all, 1 << 20);
        got = fread(all.at + all.size, 1, 1 << 20, in);
        all.size += got;
    } while (got > 0);
    return buffer_text(&all);
}

static struct text next_text(struct text *rest)
{
    uint32_t size;
    ASSERT(rest->size >= sizeof size);
    memcpy(&size, rest->at, sizeof size);
    *rest = text_from(*rest, sizeof size);
    ASSERT(rest->size >= size);
    struct text text = text_slice(*rest, 0, size);
    *rest = text_from(*rest, size);
    return text;
}

static void answer(enum tokens_encoding encoding, struct text text)
{
    struct token_ids ids = {0};
    tokens_encode(encoding, text, &ids);
    ASSERT(tokens_count(encoding, text) == ids.count);
    ASSERT(tokens_at_most(encoding, text) >= ids.count);
    uint32_t count = (uint32_t)ids.count;
    (void)fwrite(&count, sizeof count, 1, stdout);
    if (count > 0)
        (void)fwrite(ids.at, sizeof(*ids.at), count, stdout);
    token_ids_close(&ids);
}

int main(int argc, char **argv)
{
    enum tokens_encoding encoding;
    if (argc != 2 || !tokens_by_name(text_of(argv[1]), &encoding)) {
        (void)fprintf(stderr, "usage: encode ENCODING < texts > ids\n");
        return 2;
    }
    struct text all = read_all(stdin);
    for (struct text rest = all; rest.size > 0;)
        answer(encoding, next_text(&rest));
    free((char *)all.at);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
