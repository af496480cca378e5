/*
 * A load generator for benchmarks and hang-up tests: one thread, one epoll, HTTP/1.1.
 *
 *   load closed  --connections C --requests N   each connection sends its next request at once
 *   load rate    --rate R --seconds S           constant rate; latency counts from the moment a
 *                                               request was due, so a stall is not hidden
 *   load streams --streams N [--ramp-ms MS]     N streams at the same time, read to their end
 *
 * All modes are one machine: a schedule says when request number i is due, and a free connection
 * takes it. The result is one JSON object on stdout; `usage` below lists the options.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "body.h"
#include "process.h"

static const char usage[] =
    "usage: load closed|rate|streams --url http://127.0.0.1:PORT/path [options]\n"
    "  --connections C       at most so many at a time (closed: 1, rate: 256)\n"
    "  --requests N          closed: how many in all (1000)\n"
    "  --rate R --seconds S  rate: requests per second, for how long (100, 10)\n"
    "  --streams N           streams: how many (100)\n"
    "  --ramp-ms MS          streams: opened evenly over this time (1000)\n"
    "  --body FILE           the request's body; or one is made:\n"
    "  --body-size BYTES     a chat request of this size (1024)\n"
    "  --fake 'k=v k=v'      with these directives to the fake provider in it\n"
    "  --header 'Name: v'    may repeat\n"
    "  --sessions N          each request in another one of N sessions\n"
    "  --hang-up-after MS    closes each connection so long after its request was sent\n"
    "  --pid PID             reports this process's CPU time and memory, its children's included\n"
    "  --limit-seconds S     gives up (300)\n";

enum { EVENTS_MAX = 256, READ_MAX = 256 * 1024, SESSION_DIGITS = 8 };
static const int64_t ns_per_ms = 1000000;
static const int64_t ns_per_s = 1000000000;

enum mode { MODE_CLOSED, MODE_RATE, MODE_STREAMS };

struct options {
    enum mode mode;
    struct sockaddr_in address;
    const char *path;
    char headers[8192];
    const char *body_file;
    const char *fake;
    int64_t body_size;
    int64_t connections;
    int64_t requests;
    int64_t rate;
    int64_t seconds;
    int64_t streams;
    int64_t sessions; /* 0: none */
    int64_t ramp_ms;
    int64_t hang_up_after_ms; /* 0: never */
    int64_t limit_seconds;
    int64_t pid; /* 0: none */
};

struct connection {
    int fd; /* -1: not connected */
    bool busy;
    bool connected;
    size_t sent;
    int64_t due_ns;  /* what latency counts from */
    int64_t sent_ns; /* when the request was sent whole; 0: not yet */
    struct answer answer;
    bool to_hang_up; /* stands in the list of those; free only when it has left it */
    struct connection *next_free;
    struct connection *next_to_hang_up;
};

struct load {
    const struct options *options;
    int epoll;
    char *request;
    size_t request_size;
    char *session; /* its digits in the request */
    struct connection *connections;
    struct connection *free;
    struct connection *hang_up_first; /* in order of time */
    struct connection *hang_up_last;
    char *buffer;
    int64_t total;
    int64_t interval_ns; /* 0: a request is due when a connection is free */
    int64_t begun_ns;
    int64_t started;
    int64_t finished;
    int64_t status_errors; /* answers that are not 2xx */
    int64_t broken;        /* refused, reset, or ended too early */
    int64_t hung_up;
    int64_t *latency_ns;
    int64_t latencies;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * ns_per_s + now.tv_nsec;
}

/* ---- the life of a request */

static void make_free(struct load *load, struct connection *connection)
{
    connection->next_free = load->free;
    load->free = connection;
}

static void give_back(struct load *load, struct connection *connection)
{
    connection->busy = false;
    load->finished++;
    if (!connection->to_hang_up)
        make_free(load, connection);
}

static void hang_up(struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    connection->connected = false;
}

static void fail(struct load *load, struct connection *connection)
{
    if (connection->fd >= 0)
        hang_up(connection);
    load->broken++;
    give_back(load, connection);
}

static void succeed(struct load *load, struct connection *connection)
{
    if (connection->answer.status / 100 != 2)
        load->status_errors++;
    else
        load->latency_ns[load->latencies++] = now_ns() - connection->due_ns;
    if (connection->answer.last || load->options->mode == MODE_STREAMS)
        hang_up(connection);
    give_back(load, connection);
}

static void remember_to_hang_up(struct load *load, struct connection *connection)
{
    if (load->options->hang_up_after_ms == 0)
        return;
    connection->to_hang_up = true;
    connection->next_to_hang_up = NULL;
    if (load->hang_up_first == NULL)
        load->hang_up_first = connection;
    else
        load->hang_up_last->next_to_hang_up = connection;
    load->hang_up_last = connection;
}

/* The stride is a prime: neighbours in time are none in memory, and all have their turn. */
static void name_session(struct load *load)
{
    int64_t number = load->started * 7919 % load->options->sessions;
    for (char *at = load->session + SESSION_DIGITS; at-- > load->session; number /= 10)
        *at = (char)('0' + number % 10);
}

static void send_request(struct load *load, struct connection *connection)
{
    if (load->session != NULL && connection->sent == 0)
        name_session(load);
    while (connection->sent < load->request_size) {
        ssize_t size = send(connection->fd, load->request + connection->sent,
                            load->request_size - connection->sent, MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN)
            return;
        if (size < 0) {
            fail(load, connection);
            return;
        }
        connection->sent += (size_t)size;
    }
    connection->sent_ns = now_ns();
    remember_to_hang_up(load, connection);
}

static bool open_connection(struct load *load, struct connection *connection)
{
    const int on = 1;
    const struct sockaddr *address = (const struct sockaddr *)&load->options->address;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = connection};
    connection->connected = false;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return false;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int failed = connect(connection->fd, address, sizeof load->options->address);
    if (failed != 0 && errno != EINPROGRESS)
        return false;
    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0;
}

static void begin(struct load *load, struct connection *connection, int64_t due_ns)
{
    connection->busy = true;
    connection->due_ns = due_ns;
    connection->sent = 0;
    connection->sent_ns = 0;
    answer_begin(&connection->answer);
    if (connection->fd < 0 && !open_connection(load, connection))
        fail(load, connection);
    else if (connection->connected)
        send_request(load, connection);
}

/* When the next request is due, by the schedule. */
static int64_t next_due(const struct load *load, int64_t now)
{
    return load->interval_ns == 0 ? now : load->begun_ns + load->started * load->interval_ns;
}

static void start_what_is_due(struct load *load)
{
    int64_t now = now_ns();
    while (load->started < load->total && load->free != NULL && next_due(load, now) <= now) {
        struct connection *connection = load->free;
        int64_t due = next_due(load, now);
        load->free = connection->next_free;
        load->started++;
        begin(load, connection, due);
    }
}

static void hang_up_what_is_due(struct load *load)
{
    int64_t until = now_ns() - load->options->hang_up_after_ms * ns_per_ms;
    while (load->hang_up_first != NULL && load->hang_up_first->sent_ns <= until) {
        struct connection *connection = load->hang_up_first;
        load->hang_up_first = connection->next_to_hang_up;
        connection->to_hang_up = false;
        if (!connection->busy) {
            make_free(load, connection);
            continue;
        }
        hang_up(connection);
        load->hung_up++;
        give_back(load, connection);
    }
}

/* ---- reading answers */

/* `to_end`: the other side has closed, so there is an end to be read. */
static void receive(struct load *load, struct connection *connection, bool to_end)
{
    for (;;) {
        ssize_t size = recv(connection->fd, load->buffer, READ_MAX, 0);
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) {
            connection->answer.last = true;
            if (!connection->busy)
                hang_up(connection); /* an idle connection the server had enough of */
            else if (size == 0 && answer_ends_with_connection(&connection->answer))
                succeed(load, connection);
            else
                fail(load, connection);
            return;
        }
        const char *at = load->buffer;
        while (at < load->buffer + size)
            if (answer_take(&connection->answer, &at, load->buffer + size)) {
                succeed(load, connection);
                break;
            }
        if (connection->fd < 0 || (!to_end && size < READ_MAX))
            return;
    }
}

static void on_event(struct load *load, struct connection *connection, uint32_t events)
{
    if (connection->fd < 0)
        return;
    if ((events & EPOLLOUT) != 0 && (events & EPOLLERR) == 0) {
        connection->connected = true;
        if (connection->busy && connection->sent < load->request_size)
            send_request(load, connection);
    }
    bool to_end = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (connection->fd >= 0 && (to_end || (events & EPOLLIN) != 0))
        receive(load, connection, to_end);
}

/* ---- the run */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int wait_for_events(struct load *load, struct epoll_event *events, int64_t until_ns)
{
    int64_t now = now_ns();
    int64_t wake = until_ns;
    if (load->started < load->total && load->free != NULL)
        wake = earlier(wake, next_due(load, now));
    if (load->hang_up_first != NULL)
        wake = earlier(wake,
                       load->hang_up_first->sent_ns + load->options->hang_up_after_ms * ns_per_ms);
    int64_t left = wake > now ? wake - now : 0;
    const struct timespec wait = {.tv_sec = left / ns_per_s, .tv_nsec = left % ns_per_s};
    return epoll_pwait2(load->epoll, events, EVENTS_MAX, &wait, NULL);
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    load->begun_ns = now_ns();
    int64_t until_ns = load->begun_ns + load->options->limit_seconds * ns_per_s;
    while (load->finished < load->total && now_ns() < until_ns) {
        start_what_is_due(load);
        int count = wait_for_events(load, events, until_ns);
        for (int i = 0; i < count; i++)
            on_event(load, events[i].data.ptr, events[i].events);
        hang_up_what_is_due(load);
    }
}

/* ---- setting up */

static bool make_request(struct load *load)
{
    const struct options *options = load->options;
    size_t size = 0;
    bool stream = options->mode == MODE_STREAMS;
    char *body = options->body_file != NULL
                     ? body_read(options->body_file, &size)
                     : body_make(options->body_size, options->fake, stream, &size);
    if (body == NULL)
        return false;
    size_t room = size + sizeof options->headers + strlen(options->path) + 256;
    load->request = must_have(malloc(room));
    int head = snprintf(load->request, room,
                        "POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                        "content-length: %zu\r\n%s\r\n",
                        options->path, size, options->headers);
    memcpy(load->request + head, body, size);
    if (options->sessions > 0)
        load->session = load->request + head - 4 - SESSION_DIGITS;
    load->request_size = (size_t)head + size;
    free(body);
    return true;
}

static void make_schedule(struct load *load, const struct options *options)
{
    switch (options->mode) {
    case MODE_CLOSED:
        load->total = options->requests;
        break;
    case MODE_RATE:
        load->total = options->rate * options->seconds;
        load->interval_ns = ns_per_s / options->rate;
        break;
    case MODE_STREAMS:
        load->total = options->streams;
        load->interval_ns = options->ramp_ms * ns_per_ms / options->streams;
        break;
    }
}

static void make_connections(struct load *load, int64_t count)
{
    load->connections = must_have(calloc((size_t)count, sizeof *load->connections));
    for (int64_t i = count; i-- > 0;) {
        load->connections[i].fd = -1;
        load->connections[i].next_free = load->free;
        load->free = &load->connections[i];
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static double percentile_us(const struct load *load, int percent)
{
    if (load->latencies == 0)
        return 0;
    return (double)load->latency_ns[(load->latencies - 1) * percent / 100] / 1000;
}

static void report(struct load *load, const struct process *before, const struct process *after)
{
    double seconds = (double)(now_ns() - load->begun_ns) / (double)ns_per_s;
    int64_t given_up = load->total - load->finished;
    struct answer sum = {0};
    for (int64_t i = 0; i < load->options->connections; i++) {
        sum.events += load->connections[i].answer.events;
        sum.streams_done += load->connections[i].answer.streams_done;
        sum.bytes += load->connections[i].answer.bytes;
    }
    qsort(load->latency_ns, (size_t)load->latencies, sizeof *load->latency_ns, by_size);
    printf("{\"requests\":%" PRId64 ",\"errors\":%" PRId64 ",\"status_errors\":%" PRId64,
           load->finished, load->status_errors + load->broken + given_up, load->status_errors);
    printf(",\"broken\":%" PRId64 ",\"hung_up\":%" PRId64 ",\"given_up\":%" PRId64, load->broken,
           load->hung_up, given_up);
    printf(",\"seconds\":%.3f,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f", seconds,
           percentile_us(load, 50), percentile_us(load, 90), percentile_us(load, 99));
    printf(",\"events\":%" PRId64 ",\"streams_done\":%" PRId64 ",\"bytes\":%" PRId64, sum.events,
           sum.streams_done, sum.bytes);
    if (load->options->pid != 0)
        printf(",\"cpu_us\":%" PRId64 ",\"rss_kb\":%" PRId64 ",\"pss_kb\":%" PRId64,
               (after->cpu_ns - before->cpu_ns) / 1000, after->rss_kb, after->pss_kb);
    printf("}\n");
}

/* ---- the command line */

static bool read_url(struct options *options, const char *url)
{
    char host[64];
    unsigned port = 0;
    int size = 0;
    if (sscanf(url, "http://%63[^:/]:%u%n", host, &port, &size) != 2 || port > UINT16_MAX)
        return false;
    options->path = url[size] == 0 ? "/" : url + size;
    options->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, host, &options->address.sin_addr) == 1;
}

static bool add_header(struct options *options, const char *header)
{
    size_t used = strlen(options->headers);
    size_t room = sizeof options->headers - used;
    int size = snprintf(options->headers + used, room, "%s\r\n", header);
    return size > 0 && (size_t)size < room;
}

static bool read_mode(struct options *options, const char *word)
{
    static const char *const modes[] = {"closed", "rate", "streams"};
    static const int64_t connections[] = {1, 256, 0};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i], word) != 0)
            continue;
        options->mode = (enum mode)i;
        options->connections = connections[i];
        return true;
    }
    return false;
}

static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {"connections", offsetof(struct options, connections)},
    {"requests", offsetof(struct options, requests)},
    {"rate", offsetof(struct options, rate)},
    {"seconds", offsetof(struct options, seconds)},
    {"streams", offsetof(struct options, streams)},
    {"sessions", offsetof(struct options, sessions)},
    {"ramp-ms", offsetof(struct options, ramp_ms)},
    {"body-size", offsetof(struct options, body_size)},
    {"hang-up-after", offsetof(struct options, hang_up_after_ms)},
    {"limit-seconds", offsetof(struct options, limit_seconds)},
    {"pid", offsetof(struct options, pid)},
};

static bool read_option(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "url") == 0)
        return read_url(options, value);
    if (strcmp(name, "header") == 0)
        return add_header(options, value);
    if (strcmp(name, "body") == 0)
        options->body_file = value;
    else if (strcmp(name, "fake") == 0)
        options->fake = value;
    else
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            if (strcmp(numbers[i].name, name) != 0)
                continue;
            char *end = NULL;
            int64_t number = strtoll(value, &end, 10);
            *(int64_t *)(void *)((char *)options + numbers[i].offset) = number;
            return *end == 0 && number >= 0;
        }
    return options->body_file == value || options->fake == value;
}

static bool read_command(struct options *options, int count, char **words)
{
    if (count < 2 || !read_mode(options, words[1]))
        return false;
    for (int i = 2; i < count; i += 2)
        if (strncmp(words[i], "--", 2) != 0 || i + 1 == count ||
            !read_option(options, words[i] + 2, words[i + 1]))
            return false;
    if (options->mode == MODE_STREAMS)
        options->connections = options->streams;
    if (options->sessions > 0 && !add_header(options, "x-purser-session: s00000000"))
        return false;
    return options->path != NULL && options->connections > 0 && options->rate > 0 &&
           options->streams > 0 && options->requests > 0;
}

int main(int count, char **words)
{
    struct options options = {
        .fake = "output=16",
        .body_size = 1024,
        .requests = 1000,
        .rate = 100,
        .seconds = 10,
        .streams = 100,
        .ramp_ms = 1000,
        .limit_seconds = 300,
    };
    struct load load = {.options = &options};
    struct rlimit files;
    if (!read_command(&options, count, words)) {
        fputs(usage, stderr);
        return 2;
    }
    if (!make_request(&load)) {
        fprintf(stderr, "load: cannot read %s\n", options.body_file);
        return 1;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    make_schedule(&load, &options);
    make_connections(&load, options.connections);
    load.buffer = must_have(malloc(READ_MAX));
    load.latency_ns = must_have(calloc((size_t)load.total, sizeof *load.latency_ns));
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct process before = process_look(options.pid);
    run(&load);
    struct process after = process_look(options.pid);
    report(&load, &before, &after);
    close(load.epoll);
    free(load.latency_ns);
    free(load.buffer);
    free(load.connections);
    free(load.request);
    return 0;
}
