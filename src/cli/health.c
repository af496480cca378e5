/* `purser health`: one GET. */
#include "cli/health.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "cli/usage.h"
#include "config/address.h"

#define PATIENCE_S 2

static const char manual[] =
    "usage: purser health [URL]\n"
    "\n"
    "Asks a running purser whether it is alive: the exit status is 0 if it is, else 1, and why.\n"
    "URL is http://127.0.0.1:8080 unless given; without a path, /healthz is asked.\n";

static bool is_well(const struct address *address, struct fault *fault)
{
    const struct client_question question = {
        .host = address->host,
        .port = address->port,
        .method = "GET",
        .path = address->path.size > 0 ? address->path : TEXT("/healthz"),
        .patience_s = PATIENCE_S,
    };
    struct client_answer answer;
    if (!client_ask(&question, &answer, fault))
        return false;
    buffer_close(&answer.body);
    return answer.status == 200 || fault_set(fault, "the answer has status %d", answer.status);
}

int cli_health(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://127.0.0.1:8080";
    struct address address;
    struct fault fault = {.message = "https is not spoken here"};
    if (usage_asked(argc, argv, manual))
        return EXIT_SUCCESS;
    if (argc > 2 || !address_from_url(text_of(url), &address, &fault) ||
        !text_equal_nocase(address.scheme, TEXT("http"))) {
        (void)fprintf(stderr, "purser health: the URL %s\n%s",
                      argc > 2 ? "stands alone" : fault.message, manual);
        return 2;
    }
    if (is_well(&address, &fault))
        return EXIT_SUCCESS;
    (void)fprintf(stderr, "purser health: %s: %s\n", url, fault.message);
    return EXIT_FAILURE;
}
