/* One question of an operator's to the running purser. */
#include "cli/operator.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "cli/draft.h"
#include "cli/usage.h"
#include "config/address.h"

#define PATIENCE_S 10

struct config *operator_load(const char *path)
{
    struct findings findings = {0};
    struct config *config = draft_read(path, &findings);
    if (config == NULL) {
        struct buffer told = {0};
        findings_print(&findings, text_of(path), &told);
        (void)fprintf(stderr, "%s", buffer_string(&told));
        buffer_close(&told);
    }
    findings_close(&findings);
    return config;
}

/* The first lines alone: all of the manual would push them off the screen. */
static void print_usage(const char *manual)
{
    struct text all = text_of(manual);
    size_t end = text_find(all, TEXT("\n\n"), 0);
    struct text usage = end == SIZE_MAX ? all : text_slice(all, 0, end + 1);
    (void)fprintf(stderr, "%.*sthe words after the command are not as above; --help says more\n",
                  TEXT_ARG(usage));
}

int operator_command(const struct operator_command *command, int argc, char **argv, void *order)
{
    const char *path = NULL;
    if (usage_asked(argc, argv, command->manual))
        return EXIT_SUCCESS;
    if (!command->parse(argc, argv, order, &path)) {
        print_usage(command->manual);
        return 2;
    }
    struct config *config = operator_load(path);
    if (config == NULL)
        return EXIT_FAILURE;
    int status = command->run(order, config);
    config_close(config);
    return status;
}

/* ---- the question ---- */

static bool fail(const struct operator_question *question, const char *reason)
{
    (void)fprintf(stderr, "purser %s: %.*s: %s\n", question->command,
                  TEXT_ARG(question->config->listen), reason);
    return false;
}

/* A line for people: what quotes a name of somebody's choice must not move a terminal's cursor. */
static void say(const struct operator_question *question, struct text told)
{
    struct buffer line = {0};
    for (size_t i = 0; i < told.size; i++) {
        unsigned char byte = (unsigned char)told.at[i];
        bool second = i > 0 && told.at[i - 1] == '\xc2' && byte < 0xa0; /* U+0080 to U+009F */
        if (second)
            line.size--;
        buffer_put_byte(&line,
                        second || (byte < 0x20 && byte != '\n') || byte == 0x7f ? '?' : told.at[i]);
    }
    (void)fprintf(stderr, "purser %s: %.*s\n", question->command, TEXT_ARG(buffer_text(&line)));
    buffer_close(&line);
}

/* The message of an error of purser's, if it is one. */
static struct text message_of(struct text body, struct arena *arena)
{
    struct json_value value, error, message;
    if (json_parse(body, &value, NULL) == JSON_OK && json_member(value, TEXT("error"), &error) &&
        json_member(error, TEXT("message"), &message) && message.kind == JSON_STRING)
        return json_string(arena, message);
    return text_trim(body);
}

static bool refused(const struct operator_question *question, const struct client_answer *answer)
{
    struct text body = buffer_text(&answer->body);
    bool unknown = text_find(body, TEXT("unknown_path"), 0) != SIZE_MAX;
    if (answer->status == 401 || answer->status == 403)
        return fail(question, "the running purser has another admin token (auth.admin_token): "
                              "reload or restart it, or name its file by --config");
    if (answer->status == 404 && unknown)
        return fail(question, "the running purser has no admin token (auth.admin_token): reload or "
                              "restart it");
    struct arena arena = {0};
    say(question, arena_printf(&arena, "%.*s: status %d: %.*s", TEXT_ARG(question->config->listen),
                               answer->status, TEXT_ARG(message_of(body, &arena))));
    arena_close(&arena);
    return false;
}

static bool ask_at(const struct operator_question *question, struct client_question *asked,
                   struct client_answer *answer)
{
    struct text listen = question->config->listen;
    struct address address;
    struct fault fault;
    if (text_starts(listen, TEXT("unix:"))) {
        asked->socket = text_from(listen, 5);
    } else if (address_from_listen(listen, &address, &fault)) {
        asked->host = address.host;
        asked->port = address.port;
    } else {
        return fail(question, fault.message);
    }
    if (client_ask(asked, answer, &fault))
        return true;
    (void)fprintf(stderr, "purser %s: %s; is purser running?\n", question->command, fault.message);
    return false;
}

bool operator_ask(const struct operator_question *question, struct buffer *body,
                  struct json_value *value)
{
    struct client_question asked = {.method = question->method,
                                    .path = question->path,
                                    .body = question->body,
                                    .token = question->config->admin_token,
                                    .patience_s = PATIENCE_S};
    struct client_answer answer;
    if (asked.token.size == 0)
        return fail(question,
                    "the configuration has no auth.admin_token, and only the admin may ask");
    if (!ask_at(question, &asked, &answer))
        return false;
    bool good = answer.status == 200 || refused(question, &answer);
    if (good && json_parse(buffer_text(&answer.body), value, NULL) != JSON_OK)
        good = fail(question, "what answers there is not purser");
    if (good)
        *body = answer.body;
    else
        buffer_close(&answer.body);
    return good;
}

void operator_print_warnings(const struct operator_question *question, struct json_value answer)
{
    struct json_value warnings, warning;
    struct text none;
    if (!json_member(answer, TEXT("warnings"), &warnings))
        return;
    struct json_walk walk = json_walk(warnings);
    struct arena arena = {0};
    while (json_next(&walk, &none, &warning))
        say(question, json_string(&arena, warning));
    arena_close(&arena);
}
