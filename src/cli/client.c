/* A client for one question, by blocking calls. */
#include "cli/client.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/http1.h"

/* ---- the connection ---- */

static bool connect_one(const struct addrinfo *to, int patience_s, int *fd)
{
    const struct timeval patience = {.tv_sec = patience_s};
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

static bool dial_socket(const struct client_question *question, int *fd, struct fault *fault)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const struct addrinfo to = {
        .ai_family = AF_UNIX,
        .ai_socktype = SOCK_STREAM,
        .ai_addr = (struct sockaddr *)&name,
        .ai_addrlen = sizeof name,
    };
    if (question->socket.size >= sizeof name.sun_path)
        return fault_set(fault, "the path of the unix socket is too long");
    memcpy(name.sun_path, question->socket.at, question->socket.size);
    if (connect_one(&to, question->patience_s, fd))
        return true;
    return fault_set(fault, "%s: %s", name.sun_path, strerror(errno));
}

static bool dial_tcp(const struct client_question *question, int *fd, struct fault *fault)
{
    struct text plain = question->host;
    if (text_starts(plain, TEXT("[")))
        plain = text_slice(plain, 1, plain.size - 1);
    char *host = memory_copy(plain);
    char *port = memory_copy(question->port.size > 0 ? question->port : TEXT("80"));
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int problem = getaddrinfo(host, port, &hints, &found);
    bool connected = false;
    for (struct addrinfo *to = found; to != NULL && !connected; to = to->ai_next)
        connected = connect_one(to, question->patience_s, fd);
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

/* ---- question and answer ---- */

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

static bool put_question(int fd, const struct client_question *question)
{
    struct buffer head = {0};
    bool tcp = question->socket.size == 0;
    buffer_printf(&head, "%s %.*s HTTP/1.1\r\nHost: %.*s%s%.*s\r\nConnection: close\r\n",
                  question->method, TEXT_ARG(question->path),
                  TEXT_ARG(tcp ? question->host : TEXT("localhost")),
                  question->port.size > 0 ? ":" : "", TEXT_ARG(question->port));
    if (question->token.size > 0)
        buffer_printf(&head, "Authorization: Bearer %.*s\r\n", TEXT_ARG(question->token));
    if (question->body.size > 0)
        buffer_printf(&head, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                      question->body.size);
    buffer_put(&head, TEXT("\r\n"));
    buffer_put(&head, question->body);
    bool sent = send_all(fd, buffer_text(&head));
    buffer_close(&head);
    return sent;
}

static enum http1_result take(struct http1 *http, struct text bytes, struct buffer *body)
{
    struct text piece;
    enum http1_result result;
    while ((result = http1_next(http, &bytes, &piece)) == HTTP1_BODY) {
        if (body->size + piece.size > CLIENT_ANSWER_MOST)
            return HTTP1_BROKEN;
        buffer_put(body, piece);
    }
    return result;
}

static bool hear(int fd, struct client_answer *answer, struct fault *fault)
{
    char bytes[4096];
    struct http1 http = {0};
    struct buffer body = {0};
    ssize_t got = 1;
    enum http1_result result = HTTP1_MORE;
    while (result == HTTP1_MORE && (got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        result = take(&http, text_make(bytes, (size_t)got), &body);
    bool complete = result == HTTP1_END || (got == 0 && http1_eof(&http));
    int status = http.status;
    http1_close(&http);
    if (complete) {
        *answer = (struct client_answer){status, body};
        return true;
    }
    buffer_close(&body);
    return fault_set(fault, result == HTTP1_BROKEN ? "what answers there is not purser"
                                                   : "no answer, or not all of it");
}

bool client_ask(const struct client_question *question, struct client_answer *answer,
                struct fault *fault)
{
    int fd;
    bool tcp = question->socket.size == 0;
    if (!(tcp ? dial_tcp(question, &fd, fault) : dial_socket(question, &fd, fault)))
        return false;
    bool heard =
        put_question(fd, question) ? hear(fd, answer, fault) : fault_set(fault, "no answer");
    close(fd);
    return heard;
}
