/*
 * A fake LLM provider, OpenAI-shaped, that keeps its own bill: the other side of tests and
 * benchmarks. It is the judge, so it shares no code with the product. README.md beside it says
 * what it can do.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "server.h"

struct command {
    struct server_options server;
    const char *port_file;
    bool dies_with_parent;
};

static const char usage[] = "usage: provider --port N [--port-file FILE] [--unix PATH] [--api-key "
                            "KEY] [--die-with-parent]\n"
                            "The key may also come from the environment, FAKE_API_KEY.\n";

static bool read_command(struct command *command, int count, char **words)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},      {"port-file", required_argument, NULL, 'f'},
        {"unix", required_argument, NULL, 'u'},      {"api-key", required_argument, NULL, 'k'},
        {"die-with-parent", no_argument, NULL, 'd'}, {NULL, 0, NULL, 0},
    };
    const char *key = getenv("FAKE_API_KEY");
    int64_t port = -1;
    int option = 0;
    command->server.api_key = text_of(key == NULL ? "" : key);
    while ((option = getopt_long(count, words, "", options, NULL)) != -1) {
        if (option == 'p' && !text_number(text_of(optarg), &port))
            return false;
        if (option == 'f')
            command->port_file = optarg;
        if (option == 'u')
            command->server.unix_path = optarg;
        if (option == 'k')
            command->server.api_key = text_of(optarg);
        if (option == 'd')
            command->dies_with_parent = true;
        if (option == '?')
            return false;
    }
    command->server.port = (uint16_t)port;
    return optind == count && port >= 0 && port <= UINT16_MAX;
}

/* Whoever waits for the file must never read half a number: so it appears by a rename. */
static bool write_port_file(const char *path, uint16_t port)
{
    char draft[4096];
    snprintf(draft, sizeof draft, "%s.new", path);
    FILE *file = fopen(draft, "w");
    if (file == NULL)
        return false;
    fprintf(file, "%u\n", port);
    return fclose(file) == 0 && rename(draft, path) == 0;
}

/* A benchmark opens thousands of connections. */
static void allow_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int count, char **words)
{
    struct command command = {0};
    if (!read_command(&command, count, words)) {
        fputs(usage, stderr);
        return 2;
    }
    if (command.dies_with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    allow_many_files();
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int stop = signalfd(-1, &signals, SFD_CLOEXEC);
    struct server *server = server_open(&command.server);
    if (server == NULL)
        return 1;
    if (command.port_file != NULL && !write_port_file(command.port_file, server_port(server))) {
        fprintf(stderr, "fake provider: cannot write %s\n", command.port_file);
        server_close(server);
        return 1;
    }
    printf("fake provider listening on http://127.0.0.1:%u/v1\n", server_port(server));
    fflush(stdout);
    server_run(server, stop);
    server_close(server);
    close(stop);
    return 0;
}
