/* `purser health`: one GET. */
#include "cli/health.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "config/address.h"

#define PATIENCE_S 2

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
    if (argc > 2 || !address_from_url(text_of(url), &address, &fault) ||
        !text_equal_nocase(address.scheme, TEXT("http"))) {
        (void)fprintf(stderr, "purser health: the URL %s\nusage: purser health [URL]\n",
                      argc > 2 ? "stands alone" : fault.message);
        return 2;
    }
    if (is_well(&address, &fault))
        return EXIT_SUCCESS;
    (void)fprintf(stderr, "purser health: %s: %s\n", url, fault.message);
    return EXIT_FAILURE;
}
