/* `purser cache`: one question to the purser that serves a configuration. */
#include "cli/cache_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/usage.h"
#include "config/address.h"
#include "config/config.h"

#define PATIENCE_S 10

static const char manual[] =
    "usage: purser cache stats --config FILE [--json]\n"
    "       purser cache clear --config FILE [--json]\n"
    "\n"
    "Asks the running purser: at the address of its configuration FILE (listen), with the admin\n"
    "token that is written there (auth.admin_token). ${NAME} in FILE is taken from the "
    "environment.\n"
    "\n"
    "  stats   how much is kept, and what came of it since the start\n"
    "  clear   forgets all answers\n"
    "  --json  what GET or DELETE /admin/cache answers, for programs\n";

struct action {
    const char *name, *method;
    void (*print)(struct json_value answer);
};

struct asking {
    const struct action *action;
    const char *path;
    bool json;
};

/* ---- what is printed ---- */

static void print_stats(struct json_value answer)
{
    static const struct {
        const char *member, *about;
    } rows[] = {
        {"mode", "off, exact or normalized"},
        {"namespace", "who shares answers"},
        {"ttl_seconds", "how long an answer is kept"},
        {"entries", "answers kept now"},
        {"bytes", "of memory that they take"},
        {"max_bytes", "that they may take"},
        {"flights", "calls under way that equal requests would share"},
        {"hits", "requests answered without a call of their own"},
        {"joined", "of these: shared somebody's call while it was under way"},
        {"misses", "requests that needed a call, for all or a part"},
        {"bypassed", "requests whose answers are not for the cache"},
        {"hit_percent", "hits in hits and misses"},
        {"input_hits", "inputs of embeddings that were known"},
        {"input_misses", "inputs of embeddings that were not"},
        {"stored", "answers that were kept since the start"},
        {"evicted", "of these: made room for newer ones"},
        {"expired", "of these: grew too old"},
        {"too_large", "answers that were too large to be kept"},
    };
    struct json_value value;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!json_member(answer, text_of(rows[i].member), &value))
            continue;
        bool quoted = value.kind == JSON_STRING;
        struct text shown = quoted ? text_slice(value.raw, 1, value.raw.size - 1) : value.raw;
        if (value.kind == JSON_NULL)
            shown = TEXT("-");
        printf("%-13s %14.*s   %s\n", rows[i].member, TEXT_ARG(shown), rows[i].about);
    }
}

static void print_cleared(struct json_value answer)
{
    struct json_value entries;
    if (json_member(answer, TEXT("entries"), &entries))
        printf("cleared: %.*s answer%s forgotten\n", TEXT_ARG(entries.raw),
               text_equal(entries.raw, TEXT("1")) ? "" : "s");
}

/* ---- the command line ---- */

static const struct action actions[] = {
    {"stats", "GET", print_stats},
    {"clear", "DELETE", print_cleared},
};

static bool parse_arguments(int argc, char **argv, struct asking *asking)
{
    *asking = (struct asking){0};
    for (int i = 1; i < argc; i++) {
        const struct action *named = NULL;
        for (size_t j = 0; j < sizeof actions / sizeof *actions; j++) {
            if (strcmp(argv[i], actions[j].name) == 0)
                named = &actions[j];
        }
        if (named != NULL && asking->action == NULL)
            asking->action = named;
        else if (strcmp(argv[i], "--json") == 0)
            asking->json = true;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            asking->path = argv[++i];
        else
            return false;
    }
    return asking->action != NULL && asking->path != NULL;
}

static const char *look_up(const char *name)
{
    return getenv(name);
}

static struct config *load(const char *path)
{
    struct findings findings = {0};
    struct config *config = config_load(path, look_up, &findings);
    if (config == NULL) {
        struct buffer told = {0};
        findings_print(&findings, text_of(path), &told);
        (void)fprintf(stderr, "%s", buffer_string(&told));
        buffer_close(&told);
    }
    findings_close(&findings);
    return config;
}

/* ---- asking ---- */

static int fail(const struct config *config, const char *reason)
{
    (void)fprintf(stderr, "purser cache: %.*s: %s\n", TEXT_ARG(config->listen), reason);
    return EXIT_FAILURE;
}

static int refused(const struct config *config, const struct client_answer *answer)
{
    switch (answer->status) {
    case 401:
    case 403:
        return fail(config, "the running purser has another admin token (auth.admin_token): reload "
                            "or restart it, or name its file by --config");
    case 404:
        return fail(config, "the running purser has no admin token (auth.admin_token): reload or "
                            "restart it");
    default:
        (void)fprintf(stderr, "purser cache: %.*s: status %d: %.*s\n", TEXT_ARG(config->listen),
                      answer->status, TEXT_ARG(text_trim(buffer_text(&answer->body))));
        return EXIT_FAILURE;
    }
}

static int show(const struct config *config, const struct asking *asking,
                const struct client_answer *answer)
{
    struct json_value value;
    struct text body = buffer_text(&answer->body);
    if (answer->status != 200)
        return refused(config, answer);
    if (json_parse(body, &value, NULL) != JSON_OK)
        return fail(config, "what answers there is not purser");
    if (asking->json)
        printf("%.*s", TEXT_ARG(body));
    else
        asking->action->print(value);
    return EXIT_SUCCESS;
}

static int ask(const struct config *config, const struct asking *asking)
{
    struct client_question question = {
        .method = asking->action->method,
        .path = TEXT("/admin/cache"),
        .token = config->admin_token,
        .patience_s = PATIENCE_S,
    };
    struct address address;
    struct client_answer answer;
    struct fault fault;
    if (config->admin_token.size == 0)
        return fail(config,
                    "the configuration has no auth.admin_token, and only the admin may ask");
    if (text_starts(config->listen, TEXT("unix:"))) {
        question.socket = text_from(config->listen, 5);
    } else if (address_from_listen(config->listen, &address, &fault)) {
        question.host = address.host;
        question.port = address.port;
    } else {
        return fail(config, fault.message);
    }
    if (!client_ask(&question, &answer, &fault)) {
        (void)fprintf(stderr, "purser cache: %s; is purser running?\n", fault.message);
        return EXIT_FAILURE;
    }
    int status = show(config, asking, &answer);
    buffer_close(&answer.body);
    return status;
}

int cli_cache(int argc, char **argv)
{
    struct asking asking;
    if (usage_asked(argc, argv, manual))
        return EXIT_SUCCESS;
    if (!parse_arguments(argc, argv, &asking)) {
        (void)fprintf(stderr, "%s", manual);
        return 2;
    }
    struct config *config = load(asking.path);
    if (config == NULL)
        return EXIT_FAILURE;
    int status = ask(config, &asking);
    config_close(config);
    return status;
}
