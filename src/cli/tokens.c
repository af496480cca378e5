/* `purser tokens`: a text's tokens as OpenAI's encodings count them. */
#include "cli/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "money/tokens.h"

#define READ_BYTES ((size_t)1 << 20)

struct asking {
    const char *encoding, *model; /* NULL: not named */
    char **files;
    int count;
};

static bool parse_arguments(int argc, char **argv, struct asking *asking)
{
    *asking = (struct asking){.files = argv + argc};
    int at = 1;
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at += 2) {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        if (at + 1 == argc)
            return false;
        if (strcmp(argv[at], "--encoding") == 0)
            asking->encoding = argv[at + 1];
        else if (strcmp(argv[at], "--model") == 0)
            asking->model = argv[at + 1];
        else
            return false;
    }
    asking->files = argv + at;
    asking->count = argc - at;
    return asking->encoding == NULL || asking->model == NULL;
}

static bool find_encoding(const struct asking *asking, enum tokens_encoding *encoding)
{
    *encoding = TOKENS_O200K_BASE;
    if (asking->encoding != NULL && !tokens_by_name(text_of(asking->encoding), encoding)) {
        (void)fprintf(stderr, "purser tokens: there is no encoding '%s'; there are",
                      asking->encoding);
        for (enum tokens_encoding i = 0; i < TOKENS_ENCODING_COUNT; i++)
            (void)fprintf(stderr, "%s %.*s", i == 0 ? "" : " and", TEXT_ARG(tokens_name(i)));
        (void)fprintf(stderr, "\n");
        return false;
    }
    if (asking->model != NULL && !tokens_by_model(text_of(asking->model), encoding)) {
        (void)fprintf(stderr,
                      "purser tokens: '%s' is not known as a model of OpenAI's, and no other has a "
                      "public tokeniser; --encoding o200k_base gives an estimate\n",
                      asking->model);
        return false;
    }
    return true;
}

static bool read_all(int fd, struct buffer *content)
{
    ssize_t got = 1;
    while (got > 0 && content->size <= TOKENS_MAX_TEXT) {
        buffer_reserve(content, READ_BYTES);
        got = read(fd, content->at + content->size, READ_BYTES);
        if (got > 0)
            content->size += (size_t)got;
    }
    if (content->size > TOKENS_MAX_TEXT) {
        errno = EFBIG;
        return false;
    }
    return got == 0;
}

/* NULL: standard input, without a name behind the count. */
static bool count_file(enum tokens_encoding encoding, const char *path)
{
    struct buffer content = {0};
    int fd = path == NULL ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool counted = fd >= 0 && read_all(fd, &content);
    if (counted)
        printf("%zu%s%s\n", tokens_count(encoding, buffer_text(&content)), path == NULL ? "" : " ",
               path == NULL ? "" : path);
    else
        (void)fprintf(stderr, "purser tokens: %s: %s\n", path == NULL ? "standard input" : path,
                      strerror(errno));
    if (fd > STDIN_FILENO)
        close(fd);
    buffer_close(&content);
    return counted;
}

int cli_tokens(int argc, char **argv)
{
    struct asking asking;
    enum tokens_encoding encoding;
    if (!parse_arguments(argc, argv, &asking)) {
        (void)fprintf(stderr, "usage: purser tokens [--encoding NAME | --model NAME] [FILE...]\n");
        return 2;
    }
    if (!find_encoding(&asking, &encoding))
        return 2;
    bool all = asking.count > 0 || count_file(encoding, NULL);
    for (int i = 0; i < asking.count; i++) {
        bool standard = strcmp(asking.files[i], "-") == 0;
        all = count_file(encoding, standard ? NULL : asking.files[i]) && all;
    }
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
