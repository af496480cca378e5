/* `purser cache`: one question to the purser that serves a configuration. */
#include "cli/cache_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/operator.h"

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
        struct text shown = value.kind == JSON_NULL ? TEXT("-") : json_shown(value);
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

static bool parse_arguments(int argc, char **argv, void *context, const char **path)
{
    struct asking *asking = context;
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
            *path = argv[++i];
        else
            return false;
    }
    return asking->action != NULL && *path != NULL;
}

/* ---- asking ---- */

static int ask(const void *context, const struct config *config)
{
    const struct asking *asking = context;
    const struct operator_question question = {.config = config,
                                               .command = "cache",
                                               .method = asking->action->method,
                                               .path = TEXT("/admin/cache")};
    struct buffer body;
    struct json_value answer;
    if (!operator_ask(&question, &body, &answer))
        return EXIT_FAILURE;
    if (asking->json)
        printf("%.*s", TEXT_ARG(buffer_text(&body)));
    else
        asking->action->print(answer);
    buffer_close(&body);
    return EXIT_SUCCESS;
}

int cli_cache(int argc, char **argv)
{
    static const struct operator_command command = {manual, parse_arguments, ask};
    struct asking asking = {0};
    return operator_command(&command, argc, argv, &asking);
}
