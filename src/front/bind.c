/* Opening the listening socket, TCP or unix; and turning away who is one too many. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "front/listener.h"

#define BACKLOG 4096

static bool someone_answers(const struct sockaddr_un *address)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    bool answers = connect(probe, (const struct sockaddr *)address, sizeof *address) == 0;
    close(probe);
    return answers;
}

/* In open mode whoever may write to the socket may spend: never everybody, however lax the umask.
 */
static bool bind_closed_to_others(int fd, const struct sockaddr_un *address)
{
    mode_t before = umask(S_IRWXO);
    umask(before | S_IRWXO);
    bool bound = bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    umask(before);
    return bound;
}

static bool bind_unix(struct text path, int *out, struct fault *fault)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path.size == 0 || path.size >= sizeof address.sun_path)
        return fault_set(fault, "listen: the path of the unix socket is empty or too long");
    memcpy(address.sun_path, path.at, path.size);
    struct stat info;
    bool there = lstat(address.sun_path, &info) == 0;
    if (there && !S_ISSOCK(info.st_mode))
        return fault_set(fault, "listen: %s exists and is not a socket", address.sun_path);
    if (there && someone_answers(&address))
        return fault_set(fault, "listen: another process serves %s already", address.sun_path);
    if (there)
        unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind_closed_to_others(fd, &address) && listen(fd, BACKLOG) == 0) {
        *out = fd;
        return true;
    }
    fault_set(fault, "listen: cannot open unix socket %s: %s", address.sun_path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return false;
}

static int open_tcp(const struct addrinfo *info)
{
    int one = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool bind_tcp(struct text address, int *out, struct fault *fault)
{
    size_t colon = address.size;
    while (colon > 0 && address.at[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return fault_set(fault, "listen: write host:port, as in 127.0.0.1:8080");
    struct text host_text = text_slice(address, 0, colon - 1);
    if (text_starts(host_text, TEXT("[")) && text_ends(host_text, TEXT("]")))
        host_text = text_slice(host_text, 1, host_text.size - 1);
    char *host = memory_copy(host_text);
    char *port = memory_copy(text_from(address, colon));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int problem = getaddrinfo(host, port, &hints, &found);
    int fd = problem == 0 ? open_tcp(found) : -1;
    if (problem != 0)
        fault_set(fault, "listen: '%s' is not an address: %s", host, gai_strerror(problem));
    else if (fd < 0)
        fault_set(fault, "listen: cannot listen on %.*s: %s%s", TEXT_ARG(address), strerror(errno),
                  errno == EADDRINUSE ? " (is another purser running? choose another port)" : "");
    if (found != NULL)
        freeaddrinfo(found);
    free(host);
    free(port);
    if (fd < 0)
        return false;
    *out = fd;
    return true;
}

bool listener_bind(struct text address, int *socket, struct fault *fault)
{
    if (text_starts(address, TEXT("unix:")))
        return bind_unix(text_from(address, 5), socket, fault);
    return bind_tcp(address, socket, fault);
}

void listener_turn_away(int fd)
{
    static const char body[] =
        "{\"error\":{\"message\":\"Too many connections; see limits.connections in the "
        "configuration.\",\"type\":\"server_error\",\"param\":null,\"code\":\"overloaded\"}}\n";
    char answer[512];
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                        "Retry-After: 1\r\nx-purser-error: overloaded\r\nConnection: close\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        sizeof body - 1, body);
    ASSERT(size < (int)sizeof answer);
    ssize_t sent = send(fd, answer, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* a courtesy: nobody waits for it */
    close(fd);
}
