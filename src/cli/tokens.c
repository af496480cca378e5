/* `purser tokens`: a text's tokens as OpenAI's encodings count them, and a chat request's. */
#include "cli/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/usage.h"
#include "pipeline/estimate.h"

#define READ_BYTES ((size_t)1 << 20)

static const char manual[] =
    "usage: purser tokens [--chat] [--encoding NAME | --model NAME] [FILE...]\n"
    "\n"
    "Counts the tokens of each FILE, or of standard input.\n"
    "\n"
    "  --chat           a FILE is a chat request in JSON; its input is counted\n"
    "  --encoding NAME  o200k_base (the default) or cl100k_base\n"
    "  --model NAME     the encoding of that model of OpenAI's; --chat takes the request's model\n";

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

static bool encoding_of_model(struct text model, enum tokens_encoding *encoding,
                              struct fault *fault)
{
    if (tokens_by_model(model, encoding))
        return true;
    return fault_set(fault,
                     "'%.*s' is not known as a model of OpenAI's, and no other has a public "
                     "tokeniser; --encoding o200k_base gives an estimate",
                     TEXT_ARG(model));
}

static bool find_encoding(const struct asking *asking, enum tokens_encoding *encoding,
                          struct fault *fault)
{
    *encoding = TOKENS_O200K_BASE;
    if (asking->model != NULL)
        return encoding_of_model(text_of(asking->model), encoding, fault);
    if (asking->encoding == NULL || tokens_by_name(text_of(asking->encoding), encoding))
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

/* Whose tokens: as --encoding or --model says, else the request. */
static bool find_model(const struct asking *asking, enum tokens_encoding encoding,
                       struct text named, struct estimate_model *model, struct fault *fault)
{
    if (asking->encoding != NULL) {
        *model = estimate_model_named(named);
    } else {
        struct text name = asking->model != NULL ? text_of(asking->model) : named;
        if (name.size == 0)
            return fault_set(fault, "it names no model; --model or --encoding does");
        if (!encoding_of_model(name, &encoding, fault))
            return false;
        *model = estimate_model_named(name);
    }
    model->encoding = encoding;
    model->exact = true;
    return true;
}

static bool count_request(const struct asking *asking, enum tokens_encoding encoding,
                          struct json_value request, size_t *tokens, struct fault *fault)
{
    struct json_value model, messages;
    struct arena arena = {0};
    struct text named = TEXT_NONE;
    if (json_member(request, TEXT("model"), &model))
        named = json_string(&arena, model);
    struct estimate_ask ask = {.endpoint = ENDPOINT_CHAT, .body = request.raw};
    bool found = find_model(asking, encoding, named, &ask.model, fault);
    arena_close(&arena);
    if (!found)
        return false;
    if (!json_member(request, TEXT("messages"), &messages) || messages.kind != JSON_ARRAY)
        return fault_set(fault, "it is no chat request: it has no list of messages");
    struct estimate estimate;
    estimate_input(&ask, &estimate);
    if (estimate.uncounted.at != NULL)
        return fault_set(fault, "it has what is not counted: %.*s", TEXT_ARG(estimate.uncounted));
    *tokens = (size_t)estimate.tokens;
    return true;
}

static bool count_chat(const struct asking *asking, enum tokens_encoding encoding, struct text body,
                       size_t *tokens, struct fault *fault)
{
    struct json_value request;
    size_t where;
    if (json_parse(body, &request, &where) != JSON_OK)
        return fault_set(fault, "it is not JSON at byte %zu", where);
    return count_request(asking, encoding, request, tokens, fault);
}

static bool count_content(const struct asking *asking, enum tokens_encoding encoding, int fd,
                          size_t *tokens, struct fault *fault)
{
    struct buffer content = {0};
    bool counted = read_all(fd, &content, fault);
    if (counted && asking->chat)
        counted = count_chat(asking, encoding, buffer_text(&content), tokens, fault);
    else if (counted)
        *tokens = tokens_count(encoding, buffer_text(&content));
    buffer_close(&content);
    return counted;
}

/* NULL: standard input, without a name behind the count. */
static bool count_file(const struct asking *asking, enum tokens_encoding encoding, const char *path)
{
    struct fault fault;
    size_t tokens = 0;
    int fd = path == NULL ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool counted = fd >= 0 ? count_content(asking, encoding, fd, &tokens, &fault)
                           : fault_set(&fault, "%s", strerror(errno));
    if (counted)
        printf("%zu%s%s\n", tokens, path == NULL ? "" : " ", path == NULL ? "" : path);
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
    enum tokens_encoding encoding;
    if (usage_asked(argc, argv, manual))
        return EXIT_SUCCESS;
    if (!parse_arguments(argc, argv, &asking)) {
        (void)fprintf(stderr, "%s", manual);
        return 2;
    }
    if (!find_encoding(&asking, &encoding, &fault)) {
        (void)fprintf(stderr, "purser tokens: %s\n", fault.message);
        return 2;
    }
    bool all = asking.count > 0 || count_file(&asking, encoding, NULL);
    for (int i = 0; i < asking.count; i++) {
        bool standard = strcmp(asking.files[i], "-") == 0;
        all = count_file(&asking, encoding, standard ? NULL : asking.files[i]) && all;
    }
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
