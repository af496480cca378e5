/* `purser health`: one GET on a socket of its own. */
#include "cli/health.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/text.h"
#include "config/address.h"

#define PATIENCE_S  2
#define STATUS_SIZE 12 /* "HTTP/1.1 200" */

static bool connect_one(const struct addrinfo *to, int *fd)
{
    static const struct timeval patience = {.tv_sec = PATIENCE_S};
    int made = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC, to->ai_protocol);
    if (made < 0)
        return false;
    if (setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        connect(made, to->ai_addr, to->ai_addrlen) == 0) {
        *fd = made;
        return true;
    }
    int reason = errno;
    close(made);
    errno = reason;
    return false;
}

static bool dial(const struct address *address, int *fd, struct fault *fault)
{
    bool bracketed = text_starts(address->host, TEXT("["));
    struct text plain =
        bracketed ? text_slice(address->host, 1, address->host.size - 1) : address->host;
    char *host = memory_copy(plain);
    char *port = memory_copy(address->port.size > 0 ? address->port : TEXT("80"));
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int problem = getaddrinfo(host, port, &hints, &found);
    bool connected = false;
    for (struct addrinfo *to = found; to != NULL && !connected; to = to->ai_next)
        connected = connect_one(to, fd);
    if (problem != 0)
        fault_set(fault, "%s: %s", host, gai_strerror(problem));
    else if (!connected)
        fault_set(fault, "%s, port %s: %s", host, port, strerror(errno));
    if (found != NULL)
        freeaddrinfo(found);
    free(host);
    free(port);
    return connected;
}

static bool send_all(int fd, struct text bytes)
{
    while (bytes.size > 0) {
        ssize_t sent = send(fd, bytes.at, bytes.size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes = text_from(bytes, (size_t)sent);
    }
    return true;
}

static bool ask(int fd, const struct address *address)
{
    struct buffer head = {0};
    buffer_printf(&head, "GET %.*s HTTP/1.1\r\nHost: %.*s%s%.*s\r\nConnection: close\r\n\r\n",
                  TEXT_ARG(address->path.size > 0 ? address->path : TEXT("/healthz")),
                  TEXT_ARG(address->host), address->port.size > 0 ? ":" : "",
                  TEXT_ARG(address->port));
    bool sent = send_all(fd, buffer_text(&head));
    buffer_close(&head);
    return sent;
}

static bool hear(int fd, struct fault *fault)
{
    char line[STATUS_SIZE];
    size_t size = 0;
    while (size < sizeof line) {
        ssize_t got = recv(fd, line + size, sizeof line - size, 0);
        if (got <= 0)
            return fault_set(fault, "no answer");
        size += (size_t)got;
    }
    struct text status = text_make(line, sizeof line);
    if (text_starts(status, TEXT("HTTP/1.")) && text_ends(status, TEXT(" 200")))
        return true;
    return fault_set(fault, "the answer begins with \"%.*s\"", TEXT_ARG(status));
}

static bool is_well(const struct address *address, struct fault *fault)
{
    int fd;
    if (!dial(address, &fd, fault))
        return false;
    bool well = ask(fd, address) ? hear(fd, fault) : fault_set(fault, "no answer");
    close(fd);
    return well;
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
