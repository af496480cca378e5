/* `purser tokens`: a text's tokens as OpenAI's encodings count them, and a chat request's. */
#include "cli/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/usage.h"
#include "money/tokens_guess.h"
#include "pipeline/estimate.h"

#define READ_BYTES ((size_t)1 << 20)

static const char manual[] =
    "usage: purser tokens [--chat] [--encoding NAME | --model NAME] [FILE...]\n"
    "\n"
    "Counts the tokens of each FILE, or of standard input.\n"
    "\n"
    "  --chat           a FILE is a chat request in JSON; its input is counted\n"
    "  --encoding NAME  o200k_base (the default) or cl100k_base\n"
    "  --model NAME     the encoding of that model; --chat takes the request's model. Of models\n"
    "                   that are not OpenAI's the tokeniser is not public: (estimate)\n";

struct count {
    size_t tokens;
    bool estimate;
};

struct asking {
    const char *encoding, *model; /* NULL: not named */
    bool chat;
    char **files;
    int count;
};

static bool parse_arguments(int argc, char **argv, struct asking *asking)
{
    *asking = (struct asking){0};
    int at = 1;
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at++) {
        if (strcmp(argv[at], "--chat") == 0) {
            asking->chat = true;
            continue;
        }
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        bool encoding = strcmp(argv[at], "--encoding") == 0;
        if ((!encoding && strcmp(argv[at], "--model") != 0) || ++at == argc)
            return false;
        *(encoding ? &asking->encoding : &asking->model) = argv[at];
    }
    asking->files = argv + at;
    asking->count = argc - at;
    return asking->encoding == NULL || asking->model == NULL;
}

/* With neither option: o200k_base, or the request's own model. */
static bool find_model(const struct asking *asking, struct estimate_model *model,
                       struct fault *fault)
{
    *model = (struct estimate_model){.exact = true, .encoding = TOKENS_O200K_BASE};
    if (asking->model != NULL)
        *model = estimate_model_guessed(text_of(asking->model));
    if (asking->encoding == NULL || tokens_by_name(text_of(asking->encoding), &model->encoding))
        return true;
    return fault_set(fault, "there is no encoding '%s'; there are %.*s and %.*s", asking->encoding,
                     TEXT_ARG(tokens_name(TOKENS_O200K_BASE)),
                     TEXT_ARG(tokens_name(TOKENS_CL100K_BASE)));
}

static bool read_all(int fd, struct buffer *content, struct fault *fault)
{
    ssize_t got = 1;
    while (got > 0 && content->size <= TOKENS_MAX_TEXT) {
        buffer_reserve(content, READ_BYTES);
        got = read(fd, content->at + content->size, READ_BYTES);
        if (got > 0)
            content->size += (size_t)got;
    }
    if (content->size > TOKENS_MAX_TEXT)
        return fault_set(fault, "it is larger than 1 GiB");
    return got == 0 || fault_set(fault, "%s", strerror(errno));
}

/* Whose tokens: as --encoding or --model says, else the request. Images are the named model's. */
static bool model_of_request(const struct asking *asking, struct text named,
                             struct estimate_model *model, struct fault *fault)
{
    if (asking->encoding != NULL) {
        model->images = estimate_model_named(named).images;
    } else if (asking->model == NULL) {
        if (named.size == 0)
            return fault_set(fault, "it names no model; --model or --encoding does");
        *model = estimate_model_guessed(named);
    }
    return true;
}

static bool count_request(const struct asking *asking, struct estimate_model model,
                          struct json_value request, struct count *count, struct fault *fault)
{
    struct json_value value, messages;
    struct arena arena = {0};
    struct text named = TEXT_NONE;
    if (json_member(request, TEXT("model"), &value))
        named = json_string(&arena, value);
    bool found = model_of_request(asking, named, &model, fault);
    arena_close(&arena);
    if (!found)
        return false;
    if (!json_member(request, TEXT("messages"), &messages) || messages.kind != JSON_ARRAY)
        return fault_set(fault, "it is no chat request: it has no list of messages");
    const struct estimate_ask ask = {
        .endpoint = ENDPOINT_CHAT, .body = request.raw, .model = model, .likely = true};
    struct estimate estimate;
    estimate_input(&ask, &estimate);
    if (estimate.uncounted.at != NULL)
        return fault_set(fault, "it has what is not counted: %.*s", TEXT_ARG(estimate.uncounted));
    *count = (struct count){(size_t)estimate.tokens, !estimate.exact};
    return true;
}

static bool count_chat(const struct asking *asking, const struct estimate_model *model,
                       struct text body, struct count *count, struct fault *fault)
{
    struct json_value request;
    size_t where;
    if (json_parse(body, &request, &where) != JSON_OK)
        return fault_set(fault, "it is not JSON at byte %zu", where);
    return count_request(asking, *model, request, count, fault);
}

static void count_text(const struct estimate_model *model, struct text text, struct count *count)
{
    bool guess = model->guess_permille > 0;
    *count = (struct count){guess ? tokens_guess(model->guess_permille, text)
                                  : tokens_count(model->encoding, text),
                            guess};
}

static bool count_content(const struct asking *asking, const struct estimate_model *model, int fd,
                          struct count *count, struct fault *fault)
{
    struct buffer content = {0};
    bool counted = read_all(fd, &content, fault);
    if (counted && asking->chat)
        counted = count_chat(asking, model, buffer_text(&content), count, fault);
    else if (counted)
        count_text(model, buffer_text(&content), count);
    buffer_close(&content);
    return counted;
}

/* NULL: standard input, without a name behind the count. */
static bool count_file(const struct asking *asking, const struct estimate_model *model,
                       const char *path)
{
    struct fault fault;
    struct count count = {0};
    int fd = path == NULL ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool counted = fd >= 0 ? count_content(asking, model, fd, &count, &fault)
                           : fault_set(&fault, "%s", strerror(errno));
    if (counted)
        printf("%zu%s%s%s\n", count.tokens, path == NULL ? "" : " ", path == NULL ? "" : path,
               count.estimate ? " (estimate)" : "");
    else
        (void)fprintf(stderr, "purser tokens: %s: %s\n", path == NULL ? "standard input" : path,
                      fault.message);
    if (fd > STDIN_FILENO)
        close(fd);
    return counted;
}

int cli_tokens(int argc, char **argv)
{
    struct asking asking;
    struct fault fault;
    struct estimate_model model;
    if (usage_asked(argc, argv, manual))
        return EXIT_SUCCESS;
    if (!parse_arguments(argc, argv, &asking)) {
        (void)fprintf(stderr, "%s", manual);
        return 2;
    }
    if (!find_model(&asking, &model, &fault)) {
        (void)fprintf(stderr, "purser tokens: %s\n", fault.message);
        return 2;
    }
    bool all = asking.count > 0 || count_file(&asking, &model, NULL);
    for (int i = 0; i < asking.count; i++) {
        bool standard = strcmp(asking.files[i], "-") == 0;
        all = count_file(&asking, &model, standard ? NULL : asking.files[i]) && all;
    }
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
