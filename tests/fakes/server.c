/*
 * Connections of the fake provider; see server.h.
 *
 * Every descriptor is edge-triggered for everything it could report, so epoll is told once per
 * connection; one with a call in progress is not read from until the call is over.
 * A half-closed connection counts as a client that left: that is how providers see proxies do it.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "archive.h"
#include "call.h"
#include "dialect.h"
#include "objects.h"
#include "timers.h"

enum { EVENTS_MAX = 256, READ_STEP = 16 * 1024, READ_STEP_BIG = 1024 * 1024, LISTENERS_MAX = 2 };

/* A call in progress and the connection it answers on. */
struct job {
    struct call *call;
    struct connection *connection; /* NULL: the client left */
    struct timer timer;
};

struct connection {
    int fd;
    struct connection *next; /* all connections */
    struct connection *before;
    struct http_reader reader;
    struct bytes out;
    struct job *job; /* NULL: none in progress */
    bool waits_for_drain;
    bool gone;
    enum call_ending ending;
};

struct server {
    int epoll;
    int listeners[LISTENERS_MAX];
    const char *unix_path;
    uint16_t port;
    struct call_place place;
    struct objects *objects;
    struct archive *archive;
    struct timers timers;
    struct connection *connections;
    struct connection *graveyard; /* closed in this turn: events may still name them */
    struct bytes nowhere;         /* what calls without a client write */
    int64_t open;
    int64_t accepted;
    int64_t streams;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- connections */

static void connection_open(struct server *server, int fd)
{
    const int on = 1;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        abort();
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a unix socket refuses: no matter */
    connection->fd = fd;
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->before = connection;
    server->connections = connection;
    server->open++;
    server->accepted++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = connection};
    epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void job_close(struct server *server, struct job *job)
{
    timers_clear(&server->timers, &job->timer);
    server->streams -= call_is_stream(job->call) ? 1 : 0;
    call_close(job->call);
    free(job);
}

static void connection_close(struct server *server, struct connection *connection)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct job *job = connection->job;
    if (connection->gone)
        return;
    connection->gone = true;
    if (connection->ending == ENDING_RESET)
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(connection->fd);
    if (job != NULL) {
        job->connection = NULL;
        if (!call_client_left(job->call, now_ns()))
            job_close(server, job);
        else
            timers_set(&server->timers, &job->timer, call_due_ns(job->call));
    }
    if (connection->before != NULL)
        connection->before->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->before = connection->before;
    connection->next = server->graveyard;
    server->graveyard = connection;
    server->open--;
}

static void empty_graveyard(struct server *server)
{
    while (server->graveyard != NULL) {
        struct connection *connection = server->graveyard;
        server->graveyard = connection->next;
        http_reader_free(&connection->reader);
        bytes_free(&connection->out);
        free(connection);
    }
}

/* Sends what is there. False: the connection is closed. */
static bool flush(struct server *server, struct connection *connection)
{
    const size_t keep = 256 * 1024;
    struct bytes *out = &connection->out;
    size_t sent = 0;
    while (sent < out->size) {
        ssize_t size = send(connection->fd, out->at + sent, out->size - sent, MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN)
            break;
        if (size < 0) {
            connection_close(server, connection);
            return false;
        }
        sent += (size_t)size;
    }
    bytes_drop(out, sent);
    if (out->size > 0)
        return true;
    if (out->room > keep)
        bytes_free(out);
    if (connection->job == NULL && connection->ending != ENDING_KEEP) {
        connection_close(server, connection);
        return false;
    }
    return true;
}

/* ---- calls */

/* Lets a job go on. Afterwards it waits for its timer, for the buffer to drain, or is closed. */
static void run_job(struct server *server, struct job *job)
{
    struct connection *connection = job->connection;
    struct bytes *out = connection == NULL ? &server->nowhere : &connection->out;
    enum call_next next = call_step(job->call, out, now_ns());
    server->nowhere.size = 0;
    if (next == CALL_PART && connection != NULL) {
        connection->ending = call_ending(job->call);
        connection->job = NULL;
        job->connection = NULL;
    }
    if (next == CALL_WAIT || next == CALL_PART || (next == CALL_DRAIN && connection == NULL)) {
        timers_set(&server->timers, &job->timer, call_due_ns(job->call));
        return;
    }
    timers_clear(&server->timers, &job->timer);
    if (connection != NULL)
        connection->waits_for_drain = next == CALL_DRAIN;
    if (next == CALL_DRAIN)
        return;
    if (connection != NULL) {
        connection->ending = call_ending(job->call);
        connection->job = NULL;
    }
    job_close(server, job);
}

/* Sends what is there and lets a call that waited for that write more. False: the connection is
 * closed. */
static bool push(struct server *server, struct connection *connection)
{
    bool open = flush(server, connection);
    while (open && connection->waits_for_drain && connection->out.size == 0) {
        run_job(server, connection->job);
        open = flush(server, connection);
    }
    return open;
}

static void start_call(struct server *server, struct connection *connection,
                       const struct http_request *request, const struct ask *ask)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        abort();
    archive_add(server->archive, request);
    job->call = call_open(&server->place, ask, request, now_ns());
    job->connection = connection;
    job->timer.owner = job;
    connection->job = job;
    server->streams += call_is_stream(job->call) ? 1 : 0;
    run_job(server, job);
}

/* ---- the fake's own endpoints */

static void answer_with(struct connection *connection, int status, const struct bytes *body)
{
    http_status_line(&connection->out, status);
    bytes_print(&connection->out, "content-type: application/json\r\ncontent-length: %zu\r\n\r\n",
                body->size);
    bytes_add_text(&connection->out, bytes_text(body));
}

static int show_bill(struct server *server, const struct http_request *request, struct bytes *body)
{
    const struct text one = TEXT("/fake/bill/");
    struct text calls = {"", 0};
    if (text_starts(request->path, one)) {
        if (bill_print_call(server->place.bill, body, text_after(request->path, one.size)))
            return 200;
        dialect_error(body, 404, "No such call is on the bill.", NULL);
        return 404;
    }
    http_query(request->query, TEXT("calls"), &calls);
    bill_print(server->place.bill, body, !text_equal(calls, TEXT("0")));
    return 200;
}

static int show_requests(struct server *server, const struct http_request *request,
                         struct bytes *body)
{
    struct text last;
    int64_t count = ARCHIVE_RING;
    if (http_query(request->query, TEXT("last"), &last))
        text_number(last, &count);
    archive_print(server->archive, body, count);
    return 200;
}

static int show_stats(struct server *server, const struct http_request *request, struct bytes *body)
{
    (void)request;
    bytes_print(body, "{\"connections_open\":%lld,\"connections_accepted\":%lld,",
                (long long)server->open, (long long)server->accepted);
    bytes_print(body, "\"streams_open\":%lld}", (long long)server->streams);
    return 200;
}

/* An endpoint of the API asks for the key. */
static bool admits(struct server *server, const struct http_request *request, struct bytes *body)
{
    archive_add(server->archive, request);
    if (http_carries_key(request->headers, server->place.api_key))
        return true;
    dialect_error(body, 401, "Incorrect API key provided.", NULL);
    return false;
}

static int show_models(struct server *server, const struct http_request *request,
                       struct bytes *body)
{
    if (!admits(server, request, body))
        return 401;
    bill_print_models(body);
    return 200;
}

static int serve_response(struct server *server, const struct http_request *request,
                          struct bytes *body)
{
    return admits(server, request, body) ? shelf_serve(server->place.shelf, request, body) : 401;
}

static int serve_object(struct server *server, const struct http_request *request,
                        struct bytes *body)
{
    bool good = admits(server, request, body);
    return good ? objects_serve(server->objects, request, now_ns(), body) : 401;
}

static int reset(struct server *server, const struct http_request *request, struct bytes *body)
{
    (void)request;
    bill_reset(server->place.bill);
    shelf_reset(server->place.shelf);
    objects_reset(server->objects);
    archive_reset(server->archive);
    bytes_print(body, "{}");
    return 200;
}

static void answer_own(struct server *server, struct connection *connection,
                       const struct http_request *request)
{
    static const struct {
        const char *method; /* NULL: any */
        const char *path;   /* a prefix */
        int (*answer)(struct server *, const struct http_request *, struct bytes *);
    } endpoints[] = {
        {"GET", "/v1/models", show_models},
        {"GET", "/fake/bill", show_bill},
        {"GET", "/fake/requests", show_requests},
        {"GET", "/fake/stats", show_stats},
        {"POST", "/fake/reset", reset},
        {"GET", "/v1/responses/", serve_response},
        {"POST", "/v1/responses/", serve_response},
        {"DELETE", "/v1/responses/", serve_response},
        {NULL, "/v1/files", serve_object},
        {NULL, "/v1/batches", serve_object},
    };
    struct bytes body = {0};
    int status = 404;
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0] && body.size == 0; i++)
        if ((endpoints[i].method == NULL ||
             text_equal(request->method, text_of(endpoints[i].method))) &&
            text_starts(request->path, text_of(endpoints[i].path)))
            status = endpoints[i].answer(server, request, &body);
    if (body.size == 0)
        dialect_error(&body, 404, "Unknown request URL.", NULL);
    answer_with(connection, status, &body);
    bytes_free(&body);
}

/* ---- requests */

static void refuse_bytes(struct connection *connection, int status, const char *message)
{
    struct bytes body = {0};
    dialect_error(&body, status, message, NULL);
    answer_with(connection, status, &body);
    bytes_free(&body);
    connection->ending = ENDING_CLOSE;
}

static void serve(struct server *server, struct connection *connection,
                  const struct http_request *request)
{
    struct ask ask;
    if (text_equal(request->method, TEXT("POST")) && ask_find(&ask, request->path)) {
        start_call(server, connection, request, &ask);
        return;
    }
    objects_advance(server->objects, now_ns());
    answer_own(server, connection, request);
    connection->ending = request->last ? ENDING_CLOSE : ENDING_KEEP;
}

/* Receives once. False: there is nothing more for now, or for ever. */
static bool receive(struct connection *connection)
{
    struct bytes *in = &connection->reader.in;
    size_t step = in->size > READ_STEP_BIG ? READ_STEP_BIG : READ_STEP;
    bytes_reserve(in, step);
    ssize_t size = recv(connection->fd, in->at + in->size, in->room - in->size, 0);
    if (size <= 0)
        return false;
    in->size += (size_t)size;
    return true;
}

/* More of a request is awaited. False: nothing more is there for now. */
static bool await_more(struct connection *connection)
{
    struct http_reader *reader = &connection->reader;
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (reader->wants_continue)
        send(connection->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL);
    reader->wants_continue = false;
    return receive(connection);
}

/* Serves what has arrived. True: all of it; false: a call is in progress or the end is near. */
static bool serve_arrived(struct server *server, struct connection *connection)
{
    struct http_reader *reader = &connection->reader;
    while (connection->job == NULL && connection->ending == ENDING_KEEP) {
        struct http_request request;
        switch (http_reader_look(reader, &request)) {
        case HTTP_READY:
            serve(server, connection, &request);
            http_reader_next(reader);
            break;
        case HTTP_MALFORMED:
            refuse_bytes(connection, 400, "This is not HTTP/1.1.");
            break;
        case HTTP_TOO_LARGE:
            refuse_bytes(connection, 413, "The body is too large.");
            break;
        case HTTP_MORE:
            if (!await_more(connection))
                return true;
        }
    }
    return false;
}

static void work(struct server *server, struct connection *connection)
{
    for (;;) {
        bool all = serve_arrived(server, connection);
        if (!push(server, connection) || all)
            return;
        if (connection->job != NULL || connection->ending != ENDING_KEEP)
            return;
    }
}

/* ---- events */

static void on_event(struct server *server, struct connection *connection, uint32_t events)
{
    if (connection->gone)
        return;
    if ((events & EPOLLIN) != 0)
        work(server, connection);
    if (!connection->gone && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        connection_close(server, connection);
    if (connection->gone || (events & EPOLLOUT) == 0)
        return;
    if (push(server, connection) && connection->job == NULL)
        work(server, connection);
}

static void run_timers(struct server *server)
{
    int64_t now = now_ns();
    struct timer *timer = timers_first(&server->timers);
    for (; timer != NULL && timer->due_ns <= now; timer = timers_first(&server->timers)) {
        struct job *job = timer->owner;
        struct connection *connection = job->connection;
        run_job(server, job);
        /* With the call over, the next request may have been waiting all the while. */
        if (connection != NULL && push(server, connection) && connection->job == NULL)
            work(server, connection);
    }
}

static void accept_all(struct server *server, int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        connection_open(server, fd);
    }
}

static int wait_for_events(struct server *server, struct epoll_event *events)
{
    const struct timer *first = timers_first(&server->timers);
    if (first == NULL)
        return epoll_wait(server->epoll, events, EVENTS_MAX, -1);
    int64_t left = first->due_ns - now_ns();
    left = left > 0 ? left : 0;
    const struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    return epoll_pwait2(server->epoll, events, EVENTS_MAX, &wait, NULL);
}

static int *listener_of(struct server *server, const void *pointer)
{
    for (size_t i = 0; i < LISTENERS_MAX; i++)
        if (pointer == &server->listeners[i])
            return &server->listeners[i];
    return NULL;
}

void server_run(struct server *server, int stop_fd)
{
    struct epoll_event events[EVENTS_MAX];
    struct epoll_event stop = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(server->epoll, EPOLL_CTL_ADD, stop_fd, &stop);
    for (;;) {
        int count = wait_for_events(server, events);
        for (int i = 0; i < count; i++) {
            int *listener = listener_of(server, events[i].data.ptr);
            if (events[i].data.ptr == NULL)
                return;
            if (listener != NULL)
                accept_all(server, *listener);
            else
                on_event(server, events[i].data.ptr, events[i].events);
        }
        run_timers(server);
        empty_graveyard(server);
    }
}

/* ---- opening and closing */

static int listen_tcp(uint16_t port, uint16_t *got)
{
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        close(fd);
        return -1;
    }
    *got = ntohs(address.sin_port);
    return fd;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    text_copy(address.sun_path, sizeof address.sun_path, text_of(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

struct server *server_open(const struct server_options *options)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        abort();
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->place.api_key = options->api_key;
    server->unix_path = options->unix_path;
    server->place.bill = bill_open();
    server->place.shelf = shelf_open();
    server->objects = objects_open(&server->place);
    server->archive = archive_open();
    server->listeners[0] = listen_tcp(options->port, &server->port);
    server->listeners[1] = options->unix_path == NULL ? -1 : listen_unix(options->unix_path);
    if (server->listeners[0] < 0 || (options->unix_path != NULL && server->listeners[1] < 0)) {
        fprintf(stderr, "fake provider: cannot listen: %s\n", strerror(errno));
        server_close(server);
        return NULL;
    }
    for (size_t i = 0; i < LISTENERS_MAX; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server->listeners[i]};
        if (server->listeners[i] >= 0)
            epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listeners[i], &event);
    }
    return server;
}

uint16_t server_port(const struct server *server)
{
    return server->port;
}

void server_close(struct server *server)
{
    if (server == NULL)
        return;
    while (server->connections != NULL)
        connection_close(server, server->connections);
    while (timers_first(&server->timers) != NULL)
        job_close(server, timers_first(&server->timers)->owner);
    empty_graveyard(server);
    timers_free(&server->timers);
    for (size_t i = 0; i < LISTENERS_MAX; i++)
        if (server->listeners[i] >= 0)
            close(server->listeners[i]);
    if (server->unix_path != NULL)
        unlink(server->unix_path);
    close(server->epoll);
    bytes_free(&server->nowhere);
    archive_close(server->archive);
    bill_close(server->place.bill);
    objects_close(server->objects);
    shelf_close(server->place.shelf);
    free(server);
}
