/*
 * libmicrohttpd's only home.
 *
 * Two things here are easy to get wrong. A suspended connection does not notice that its client
 * hung up: so each client's descriptor is also in our own epoll, for EPOLLRDHUP alone. And nothing
 * wakes the daemon after a resume: so replies that became ready are queued and resumed together at
 * the end of a turn, followed by one MHD_run.
 *
 * And one thing is easy to miss. When a reply's end is an error, the library (0.9.75, with epoll)
 * marks the connection closed, but takes it apart only at its next event, which a client that is
 * gone already will not cause. It does look at connections with a timeout of their own in every
 * run: so those get one.
 */
#include "front/listener.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "front/upload.h"

#define POOL_SIZE        (16 * 1024) /* per connection: request head and reply head must fit */
#define STREAM_BLOCK     (16 * 1024)
#define ACCEPTS_PER_TURN 16
#define HEAD_US          (60 * 1000000ll)
#define BODY_US          (120 * 1000000ll)
#define IDLE_US          (120 * 1000000ll)
#define TAKE_US          (300 * 1000000ll) /* for a client to take what there is for it */
#define GRACE_US         (1000000ll) /* for what a client sent before it hung up, or we stop */
#define ACCEPT_PAUSE_US  (100 * 1000ll)
#define OWN_TIMEOUT_S    10u

struct listener {
    struct worker *worker;
    struct listener_options options;
    struct MHD_Daemon *daemon;
    struct loop_watch *daemon_watch;
    struct loop_watch *socket_watch;
    struct loop_timer accept_again;
    struct exchange *ready, **ready_end; /* have something new to send */
    struct client *clients;              /* all connections of this worker */
    bool stopping;
};

/* A connection. */
struct client {
    struct listener *listener;
    struct client *next, **previous;
    int fd;
    struct loop_watch *watch;   /* for its hanging up */
    struct loop_timer deadline; /* for the head, the body, the next request */
    struct exchange *exchange;  /* the request being answered; NULL between two */
    bool hung_up;               /* it will send no more */
};

enum phase {
    PHASE_HEAD,    /* the handler was not called yet */
    PHASE_BODY,    /* pieces are coming */
    PHASE_WAITING, /* suspended, no reply decided */
    PHASE_REPLYING /* a response is queued */
};

/* One request and its reply on a connection. */
struct exchange {
    struct client *client;
    struct MHD_Connection *connection;
    struct request *request;
    struct exchange *next_ready;
    bool in_ready;
    enum phase phase;
    bool suspended;
    bool gone; /* the client hung up */
    struct upload upload;
};

/* The exchange has more to come from the client. */
static bool is_reading(const struct exchange *exchange)
{
    return exchange == NULL || exchange->phase < PHASE_WAITING;
}

static void set_deadline(struct client *client, int64_t delay_us)
{
    const struct listener *listener = client->listener;
    bool hurry = client->hung_up || (listener->stopping && is_reading(client->exchange));
    if (hurry && delay_us > GRACE_US)
        delay_us = GRACE_US;
    loop_timer_set(listener->worker->loop, &client->deadline, delay_us);
}

/* ---- readiness ---- */

static void note_ready(void *context)
{
    struct exchange *exchange = context;
    struct listener *listener = exchange->client->listener;
    if (exchange->in_ready)
        return;
    exchange->in_ready = true;
    exchange->next_ready = NULL;
    *listener->ready_end = exchange;
    listener->ready_end = &exchange->next_ready;
}

static void forget_ready(struct exchange *exchange)
{
    struct listener *listener = exchange->client->listener;
    struct exchange **at = &listener->ready;
    while (*at != NULL && *at != exchange)
        at = &(*at)->next_ready;
    if (*at == NULL)
        return;
    *at = exchange->next_ready;
    if (listener->ready_end == &exchange->next_ready)
        listener->ready_end = at;
}

static void suspend(struct exchange *exchange)
{
    ASSERT(!exchange->suspended);
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
}

static void resume(struct exchange *exchange)
{
    if (!exchange->suspended)
        return;
    exchange->suspended = false;
    MHD_resume_connection(exchange->connection);
}

/* ---- replies ---- */

static ssize_t read_stream(void *context, uint64_t position, char *out, size_t most)
{
    (void)position;
    struct exchange *exchange = context;
    struct reply *reply = &exchange->request->reply;
    if (exchange->gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    struct text backlog = reply_backlog(reply);
    if (backlog.size > 0) {
        size_t size = backlog.size < most ? backlog.size : most;
        memcpy(out, backlog.at, size);
        set_deadline(exchange->client, TAKE_US);
        reply_passed_on(reply, size);
        return (ssize_t)size;
    }
    if (reply->broken)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (reply->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    suspend(exchange);
    return 0;
}

static struct MHD_Response *make_response(struct exchange *exchange)
{
    struct reply *reply = &exchange->request->reply;
    struct MHD_Response *response;
    if (reply->streamed) {
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream,
                                                     exchange, NULL);
    } else {
        response = MHD_create_response_from_buffer(reply->bytes.size, reply->bytes.at,
                                                   MHD_RESPMEM_MUST_FREE);
        if (response != NULL)
            reply->bytes = (struct buffer){0};
    }
    ASSERT(response != NULL);
    for (size_t i = 0; i < reply->header_count; i++)
        MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (exchange->client->listener->stopping)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return response;
}

/* False if the library will not take it; the connection then has to end. */
static bool send_reply(struct exchange *exchange)
{
    struct MHD_Response *response = make_response(exchange);
    unsigned status = (unsigned)exchange->request->reply.status;
    enum MHD_Result queued = MHD_queue_response(exchange->connection, status, response);
    MHD_destroy_response(response);
    exchange->phase = PHASE_REPLYING;
    set_deadline(exchange->client, TAKE_US);
    exchange->gone = exchange->gone || queued != MHD_YES;
    return queued == MHD_YES;
}

/* ---- requests ---- */

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    struct request *request = context;
    if (request->header_count == REQUEST_MAX_HEADERS) {
        request->too_many_headers = true;
        return MHD_NO;
    }
    request->headers[request->header_count++] =
        (struct request_header){text_of(name), value == NULL ? TEXT("") : text_of(value)};
    return MHD_YES;
}

/* Called when the request line is there; what it returns is the exchange from then on. */
static void *begin_exchange(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct listener *listener = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct client *client = info->socket_context;
    struct exchange *exchange = memory_new(sizeof *exchange);
    exchange->client = client;
    exchange->connection = connection;
    exchange->request = request_open(listener->worker);
    exchange->request->target = arena_copy(&exchange->request->arena, text_of(uri));
    exchange->request->reply.on_ready = note_ready;
    exchange->request->reply.ready_context = exchange;
    client->exchange = exchange;
    return exchange;
}

static void begin_body(struct exchange *exchange, const char *method)
{
    struct request *request = exchange->request;
    exchange->phase = PHASE_BODY;
    request->method = arena_copy(&request->arena, text_of(method));
    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, take_header, request);
    upload_begin(&exchange->upload, request);
    set_deadline(exchange->client, BODY_US);
}

static void go_away(struct exchange *exchange)
{
    exchange->gone = true;
    pipeline_client_gone(exchange->request);
    note_ready(exchange);
}

static enum MHD_Result take_request(struct exchange *exchange)
{
    struct request *request = exchange->request;
    loop_timer_cancel(request->worker->loop, &exchange->client->deadline);
    exchange->phase = PHASE_WAITING;
    request_complete(request);
    if (!upload_refused(&exchange->upload))
        desk_take(request);
    if (request->reply.status != 0) {
        forget_ready(exchange);
        exchange->in_ready = false;
        return send_reply(exchange) ? MHD_YES : MHD_NO;
    }
    suspend(exchange);
    if (exchange->client->hung_up)
        go_away(exchange);
    return MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *bytes,
                              size_t *size, void **mine)
{
    (void)context;
    (void)connection;
    (void)url;
    (void)version;
    struct exchange *exchange = *mine;
    if (exchange->phase == PHASE_HEAD) {
        begin_body(exchange, method);
        return MHD_YES;
    }
    if (exchange->phase != PHASE_BODY || exchange->gone)
        return MHD_NO; /* resumed only to be ended */
    if (*size == 0)
        return take_request(exchange);
    bool fine = upload_take(&exchange->upload, bytes, *size);
    *size = 0;
    return fine ? MHD_YES : MHD_NO;
}

static void end_exchange(void *context, struct MHD_Connection *connection, void **mine,
                         enum MHD_RequestTerminationCode how)
{
    (void)connection;
    (void)how;
    struct listener *listener = context;
    struct exchange *exchange = *mine;
    if (exchange == NULL)
        return;
    struct client *client = exchange->client;
    forget_ready(exchange);
    client->exchange = NULL;
    set_deadline(client, IDLE_US);
    request_close(exchange->request);
    *mine = NULL;
    loop_defer(listener->worker->loop, free, exchange);
    if (listener->stopping)
        shutdown(client->fd, SHUT_RD);
}

/* ---- connections ---- */

/* While it reads, the library notices it by itself, but not if the end came together with the last
 * bytes: hence the grace. */
static void hung_up(void *context, uint32_t events)
{
    (void)events;
    struct client *client = context;
    struct exchange *exchange = client->exchange;
    client->hung_up = true;
    if (exchange == NULL || exchange->phase != PHASE_WAITING)
        set_deadline(client, GRACE_US);
    if (!is_reading(exchange) && !exchange->gone)
        go_away(exchange);
}

static void too_slow(void *context)
{
    struct client *client = context;
    if (client->exchange != NULL && client->exchange->suspended)
        return; /* it waits for us */
    shutdown(client->fd, SHUT_RDWR);
}

static void open_client(struct listener *listener, struct MHD_Connection *connection, void **mine)
{
    struct client *client = memory_new(sizeof *client);
    struct loop *loop = listener->worker->loop;
    client->listener = listener;
    client->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    client->watch = loop_watch(loop, client->fd, EPOLLRDHUP | EPOLLET, hung_up, client);
    client->deadline.due = too_slow;
    client->deadline.context = client;
    set_deadline(client, HEAD_US);
    client->next = listener->clients;
    client->previous = &listener->clients;
    if (client->next != NULL)
        client->next->previous = &client->next;
    listener->clients = client;
    *mine = client;
}

static void close_client(struct listener *listener, struct client *client)
{
    struct loop *loop = listener->worker->loop;
    ASSERT(client->exchange == NULL);
    loop_unwatch(loop, client->watch);
    loop_timer_cancel(loop, &client->deadline);
    *client->previous = client->next;
    if (client->next != NULL)
        client->next->previous = client->previous;
    atomic_fetch_sub(listener->options.connections, 1);
    loop_defer(loop, free, client);
}

static void connection_changed(void *context, struct MHD_Connection *connection, void **mine,
                               enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        open_client(context, connection, mine);
    else
        close_client(context, *mine);
}

static void take_connection(struct listener *listener, int fd, const struct sockaddr *address,
                            socklen_t size)
{
    if (atomic_fetch_add(listener->options.connections, 1) >= listener->options.connections_most) {
        atomic_fetch_sub(listener->options.connections, 1);
        listener_turn_away(fd);
        return;
    }
    int one = 1;
    if (address->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (MHD_add_connection(listener->daemon, fd, address, size) != MHD_YES)
        atomic_fetch_sub(listener->options.connections, 1); /* the library closed it */
}

static void run_daemon(struct listener *listener)
{
    MHD_run(listener->daemon);
}

static void accept_ready(void *context, uint32_t events)
{
    (void)events;
    struct listener *listener = context;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int fd = accept4(listener->options.socket, (struct sockaddr *)&address, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_connection(listener, fd, (struct sockaddr *)&address, size);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            log_error("cannot accept: %s; raise the limit of open files", strerror(errno));
            loop_unwatch(listener->worker->loop, listener->socket_watch);
            listener->socket_watch = NULL;
            loop_timer_set(listener->worker->loop, &listener->accept_again, ACCEPT_PAUSE_US);
        }
        break;
    }
    run_daemon(listener);
}

static void watch_socket(void *context)
{
    struct listener *listener = context;
    if (!listener->stopping)
        listener->socket_watch = loop_watch(listener->worker->loop, listener->options.socket,
                                            EPOLLIN | EPOLLEXCLUSIVE, accept_ready, listener);
}

static void daemon_ready(void *context, uint32_t events)
{
    (void)events;
    run_daemon(context);
}

/* ---- end of turn ---- */

static bool send_ready(struct listener *listener)
{
    struct exchange *exchange = listener->ready;
    bool any = exchange != NULL;
    listener->ready = NULL;
    listener->ready_end = &listener->ready;
    while (exchange != NULL) {
        struct exchange *next = exchange->next_ready;
        exchange->in_ready = false;
        if (exchange->phase == PHASE_WAITING && !exchange->gone &&
            exchange->request->reply.status != 0)
            send_reply(exchange);
        if (exchange->gone || exchange->request->reply.broken)
            MHD_set_connection_option(exchange->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                      OWN_TIMEOUT_S);
        if (exchange->phase >= PHASE_WAITING)
            resume(exchange);
        exchange = next;
    }
    return any;
}

static bool turn_end(void *context)
{
    struct listener *listener = context;
    if (listener->daemon == NULL)
        return false;
    if (send_ready(listener))
        run_daemon(listener);
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    bool again = MHD_get_timeout(listener->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0;
    if (again)
        run_daemon(listener);
    return again || listener->ready != NULL || worker_has_work(listener->worker);
}

static void say(void *context, const char *format, va_list arguments)
{
    (void)context;
    char message[512];
    vsnprintf(message, sizeof message, format, arguments);
    log_debug("libmicrohttpd: %.*s", TEXT_ARG(text_trim(text_of(message))));
}

/* Paths and queries are decoded where they are understood. */
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *string)
{
    (void)context;
    (void)connection;
    return strlen(string);
}

struct listener *listener_open(struct worker *worker, const struct listener_options *options)
{
    struct listener *listener = memory_new(sizeof *listener);
    listener->worker = worker;
    listener->options = *options;
    listener->ready_end = &listener->ready;
    listener->accept_again.due = watch_socket;
    listener->accept_again.context = listener;
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0,
        NULL, NULL, handle, listener, MHD_OPTION_EXTERNAL_LOGGER, say, NULL,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_SIZE, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)options->connections_most + 1, MHD_OPTION_NOTIFY_COMPLETED, end_exchange,
        listener, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, listener,
        MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, listener, MHD_OPTION_UNESCAPE_CALLBACK,
        leave_escaped, NULL, MHD_OPTION_END);
    ASSERT(listener->daemon != NULL);
    int epoll_fd = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    listener->daemon_watch = loop_watch(worker->loop, epoll_fd, EPOLLIN, daemon_ready, listener);
    watch_socket(listener);
    loop_at_turn_end(worker->loop, turn_end, listener);
    return listener;
}

void listener_stop_taking(struct listener *listener)
{
    listener->stopping = true;
    loop_unwatch(listener->worker->loop, listener->socket_watch);
    listener->socket_watch = NULL;
    loop_timer_cancel(listener->worker->loop, &listener->accept_again);
    for (struct client *client = listener->clients; client != NULL; client = client->next) {
        if (client->exchange == NULL)
            shutdown(client->fd, SHUT_RD);
        else if (is_reading(client->exchange))
            set_deadline(client, GRACE_US);
    }
}

void listener_cut(struct listener *listener)
{
    for (struct client *client = listener->clients; client != NULL; client = client->next) {
        shutdown(client->fd, SHUT_RDWR);
        if (client->exchange != NULL)
            hung_up(client, EPOLLHUP);
    }
}

void listener_close(struct listener *listener)
{
    if (listener == NULL)
        return;
    struct loop *loop = listener->worker->loop;
    loop_unwatch(loop, listener->daemon_watch);
    MHD_stop_daemon(listener->daemon);
    listener->daemon = NULL; /* the loop's last turn may still call turn_end */
    ASSERT(listener->clients == NULL);
    loop_defer(loop, free, listener);
}
