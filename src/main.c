/* purser: reads the command line and hands over. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/budget_command.h"
#include "cli/cache_command.h"
#include "cli/check.h"
#include "cli/health.h"
#include "cli/keys_command.h"
#include "cli/prices_command.h"
#include "cli/serve.h"
#include "cli/tokens.h"

struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"serve", "run the proxy: purser serve [--config FILE]", cli_serve},
    {"check", "tell the mistakes of a configuration: purser check [--print] [FILE]", cli_check},
    {"prices", "show prices: purser prices [MODEL] [--config FILE] [--json]", cli_prices},
    {"tokens", "count tokens: purser tokens [--chat] [--model NAME] [FILE...]", cli_tokens},
    {"cache", "show or clear a running purser's cache: purser cache stats|clear --config FILE",
     cli_cache},
    {"budget", "set up or show what instances share: purser budget init|list|leave --config FILE",
     cli_budget},
    {"keys", "make, list and delete callers' keys: purser keys create|list|delete --config FILE",
     cli_keys},
    {"health", "ask a running purser whether it is alive: purser health [URL]", cli_health},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_help(FILE *out)
{
    fprintf(out, "purser %s: an HTTP proxy that enforces LLM spend limits\n\n", PURSER_VERSION);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  purser %-8s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "  purser --version\n\n`purser <command> --help` says more.\n");
}

static bool asks_for_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0 ||
           strcmp(argument, "help") == 0;
}

/* A full disk behind a redirection is no success. */
static int run(const struct command *command, int argc, char **argv)
{
    int status = command->run(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "purser %s: the output cannot be written\n", command->name);
    return status == 0 ? 1 : status;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        printf("purser %s\n", PURSER_VERSION);
        return 0;
    }
    if (argc >= 2 && asks_for_help(argv[1])) {
        print_help(stdout);
        return 0;
    }
    for (size_t i = 0; argc >= 2 && i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(&commands[i], argc - 1, argv + 1);
    }
    if (argc >= 2)
        fprintf(stderr, "purser: there is no command '%s'\n\n", argv[1]);
    print_help(stderr);
    return 2;
}
