/* The body of load's requests: a file's, or one that is made. */
#ifndef PURSER_BENCH_BODY_H
#define PURSER_BENCH_BODY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must_have(void *memory)
{
    if (memory != NULL)
        return memory;
    fputs("load: out of memory\n", stderr);
    exit(1);
}

/* To be freed; NULL: it cannot be read. */
static char *body_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    long end = file == NULL || fseek(file, 0, SEEK_END) != 0 ? -1 : ftell(file);
    char *text = end < 0 ? NULL : must_have(malloc((size_t)end + 1));
    if (text != NULL) {
        rewind(file);
        *size = fread(text, 1, (size_t)end, file);
    }
    if (file != NULL)
        fclose(file);
    return text;
}

/* A chat request of the size asked for, or as small as it can be. */
static char *body_make(int64_t least, const char *fake, bool stream, size_t *size)
{
    static const char filler[] = "What does it cost to answer this question? ";
    size_t room = (size_t)least + 1024;
    char *body = must_have(malloc(room));
    int head = snprintf(body, room,
                        "{\"model\":\"gpt-4o-mini\",%s\"max_tokens\":%d,\"messages\":[{\"role\":"
                        "\"user\",\"content\":\"[fake %.600s] ",
                        stream ? "\"stream\":true," : "", stream ? 16384 : 16, fake);
    size_t at = (size_t)head;
    for (size_t i = 0; at + 4 < (size_t)least; i++)
        body[at++] = filler[i % (sizeof filler - 1)];
    memcpy(body + at, "\"}]}", 4);
    *size = at + 4;
    return body;
}

#endif
