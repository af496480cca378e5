/* `purser keys`: one question to the purser that serves a configuration. */
#include "cli/keys_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/operator.h"

static const char manual[] =
    "usage: purser keys create ID --config FILE [--team NAME] [--user NAME] [--tags A,B]\n"
    "                            [--models A,B] [--usd N --window W] [--json]\n"
    "       purser keys list --config FILE [--json]\n"
    "       purser keys delete ID --config FILE [--json]\n"
    "\n"
    "Asks the running purser: at the address of its configuration FILE (listen), with the admin\n"
    "token that is written there (auth.admin_token). ${NAME} in FILE is taken from the "
    "environment.\n"
    "\n"
    "  create  makes a key and prints it, once: purser keeps its hash alone\n"
    "          --team, --user, --tags, --models: as in the file's keys:; * stands for anything\n"
    "          --usd N --window W: a budget of its own: N dollars each hour, day, week, month, or\n"
    "          in total\n"
    "  list    all keys, those of the file too\n"
    "  delete  from now on nobody may call with it; calls under way end as they began\n"
    "  --json  what /admin/keys answers, for programs\n";

enum member { TEAM, USER, TAGS, MODELS, USD, WINDOW, MEMBER_COUNT };

static const struct {
    const char *word, *name;
    bool list, of_budget;
} members[MEMBER_COUNT] = {
    [TEAM] = {"--team", "team", false, false}, [USER] = {"--user", "user", false, false},
    [TAGS] = {"--tags", "tags", true, false},  [MODELS] = {"--models", "models", true, false},
    [USD] = {"--usd", "usd", false, true},     [WINDOW] = {"--window", "window", false, true},
};

struct verb {
    const char *name, *method;
    bool of_key;
    void (*print)(struct json_value answer);
};

struct order {
    const struct verb *verb;
    const char *id;
    const char *values[MEMBER_COUNT];
    bool json;
};

/* ---- what is printed ---- */

/* Of a JSON string what stands between the quotes: escapes are not sent to a terminal. */
static struct text plain(struct json_value of, const char *name)
{
    struct json_value value;
    if (!json_member(of, text_of(name), &value) || value.kind == JSON_NULL)
        return TEXT("-");
    return json_shown(value);
}

static void print_made(struct json_value answer)
{
    printf("%.*s\n", TEXT_ARG(plain(answer, "key")));
    (void)fprintf(stderr, "purser keys: this is the key of %.*s; it is shown this once\n",
                  TEXT_ARG(plain(answer, "id")));
}

static void print_list(struct json_value answer)
{
    struct json_value data, key;
    struct text none;
    printf("%-24s %-4s  %-9s %-12s %-12s %s\n", "id", "ends", "source", "team", "user", "budgets");
    if (!json_member(answer, TEXT("data"), &data))
        return;
    struct json_walk walk = json_walk(data);
    while (json_next(&walk, &none, &key))
        printf("%-24.*s %-4.*s  %-9.*s %-12.*s %-12.*s %.*s\n", TEXT_ARG(plain(key, "id")),
               TEXT_ARG(plain(key, "last4")), TEXT_ARG(plain(key, "source")),
               TEXT_ARG(plain(key, "team")), TEXT_ARG(plain(key, "user")),
               TEXT_ARG(plain(key, "budgets")));
}

static void print_deleted(struct json_value answer)
{
    printf("deleted: %.*s\n", TEXT_ARG(plain(answer, "id")));
}

/* ---- the command line ---- */

static const struct verb verbs[] = {
    {"create", "POST", true, print_made},
    {"list", "GET", false, print_list},
    {"delete", "DELETE", true, print_deleted},
};

static const struct verb *verb_of(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static bool take_value(struct order *order, const char *word, const char *value, const char **path)
{
    if (strcmp(word, "--config") == 0) {
        *path = value;
        return true;
    }
    for (int i = 0; i < MEMBER_COUNT && order->verb->print == print_made; i++) {
        if (strcmp(word, members[i].word) != 0)
            continue;
        order->values[i] = value;
        return true;
    }
    return false;
}

static bool parse_arguments(int argc, char **argv, void *context, const char **path)
{
    struct order *order = context;
    order->verb = argc > 1 ? verb_of(argv[1]) : NULL;
    if (order->verb == NULL)
        return false;
    for (int at = 2; at < argc; at++) {
        if (strcmp(argv[at], "--json") == 0) {
            order->json = true;
        } else if (argv[at][0] == '-') {
            if (at + 1 >= argc || !take_value(order, argv[at], argv[at + 1], path))
                return false;
            at++;
        } else if (order->verb->of_key && order->id == NULL) {
            order->id = argv[at];
        } else {
            return false;
        }
    }
    return *path != NULL && order->verb->of_key == (order->id != NULL);
}

/* ---- the question ---- */

static void put_value(struct buffer *out, enum member member, const char *value)
{
    struct text rest = text_of(value);
    json_put_name(out, text_of(members[member].name));
    if (!members[member].list) {
        json_put_string(out, rest);
        return;
    }
    buffer_put_byte(out, '[');
    while (rest.at != NULL) {
        json_put_string(out, text_trim(text_split(&rest, ',')));
        buffer_put(out, rest.at == NULL ? TEXT("") : TEXT(","));
    }
    buffer_put_byte(out, ']');
}

static void put_values(struct buffer *out, const struct order *order, bool of_budget)
{
    for (int i = 0; i < MEMBER_COUNT; i++)
        if (order->values[i] != NULL && members[i].of_budget == of_budget)
            put_value(out, (enum member)i, order->values[i]);
}

static void put_body(struct buffer *out, const struct order *order)
{
    buffer_put_byte(out, '{');
    json_put_text_member(out, TEXT("id"), text_of(order->id));
    put_values(out, order, false);
    if (order->values[USD] != NULL || order->values[WINDOW] != NULL) {
        json_put_name(out, TEXT("budget"));
        buffer_put_byte(out, '{');
        put_values(out, order, true);
        buffer_put_byte(out, '}');
    }
    buffer_put_byte(out, '}');
}

static void put_path(struct buffer *out, const struct order *order)
{
    buffer_put(out, TEXT("/admin/keys"));
    if (order->verb->print != print_deleted)
        return;
    buffer_put_byte(out, '/');
    for (const char *at = order->id; *at != '\0'; at++)
        buffer_printf(out, "%%%02X", (unsigned char)*at);
}

static int run(const void *context, const struct config *config)
{
    const struct order *order = context;
    struct buffer body = {0}, path = {0}, answer = {0};
    struct json_value value;
    if (order->verb->print == print_made)
        put_body(&body, order);
    put_path(&path, order);
    const struct operator_question question = {.config = config,
                                               .command = "keys",
                                               .method = order->verb->method,
                                               .path = buffer_text(&path),
                                               .body = buffer_text(&body)};
    bool good = operator_ask(&question, &answer, &value);
    if (good && order->json)
        printf("%.*s", TEXT_ARG(buffer_text(&answer)));
    else if (good)
        order->verb->print(value);
    if (good && !order->json)
        operator_print_warnings(&question, value);
    buffer_close(&body);
    buffer_close(&path);
    buffer_close(&answer);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int cli_keys(int argc, char **argv)
{
    static const struct operator_command command = {manual, parse_arguments, run};
    struct order order = {0};
    return operator_command(&command, argc, argv, &order);
}
