/*
 * What tests of the transport share: a transport on a loop with a clock of its own, and the other
 * side as bare sockets that the test itself plays, in the same thread.
 */
#ifndef PURSER_TESTS_UPSTREAM_SCENE_H
#define PURSER_TESTS_UPSTREAM_SCENE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../unit.h"
#include "upstream/connection.h"
#include "upstream/transport.h"

struct scene {
    struct clock_fake clock;
    struct loop *loop;
    struct transport *transport;
    int listener;
    char url[128];
    struct upstream upstream;
    struct text pieces[3];
    struct transfer_ask ask;
    struct transfer *transfer; /* the last one started */
    int progress;              /* how often it was called */
    bool leave;                /* progress does not take the body */
    void (*then)(struct scene *scene);
    struct buffer body; /* taken */
    size_t largest;     /* body seen at once */
};

static inline bool scene_turn_end(void *context)
{
    struct transport *transport = ((struct scene *)context)->transport;
    if (transport_pending(transport))
        transport_kick(transport);
    return transport_pending(transport);
}

static inline void scene_progress(void *context)
{
    struct scene *scene = context;
    struct text body = transfer_body(scene->transfer);
    scene->progress++;
    if (body.size > scene->largest)
        scene->largest = body.size;
    if (!scene->leave) {
        buffer_put(&scene->body, body);
        transfer_taken(scene->transfer);
    }
    if (scene->then != NULL)
        scene->then(scene);
}

/* A listening socket on a free port of the loopback; `backlog` connections wait at most. */
static inline int scene_listen(int backlog, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static inline void scene_open(struct scene *scene)
{
    int port;
    *scene = (struct scene){.clock = clock_fake_at(INT64_C(1795292100000000))};
    connections_prepare();
    scene->loop = loop_open(&scene->clock.clock);
    scene->transport = transport_open(scene->loop);
    loop_at_turn_end(scene->loop, scene_turn_end, scene);
    scene->listener = scene_listen(16, &port);
    (void)snprintf(scene->url, sizeof(scene->url), "http://127.0.0.1:%d/v1/chat", port);
    scene->upstream = (struct upstream){
        .name = TEXT("fake"), .connect_ms = 20000, .first_byte_ms = 30000, .idle_ms = 10000};
    static const struct text headers[] = {TEXT("X-One: 1"), TEXT("X-Two: 2")};
    scene->pieces[0] = TEXT("{\"model\":");
    scene->pieces[1] = TEXT("");
    scene->pieces[2] = TEXT("\"m\"}");
    scene->ask = (struct transfer_ask){.upstream = &scene->upstream,
                                       .url = text_of(scene->url),
                                       .headers = headers,
                                       .header_count = 2,
                                       .pieces = scene->pieces,
                                       .piece_count = 3,
                                       .progress = scene_progress,
                                       .context = scene};
}

static inline void scene_close(struct scene *scene)
{
    loop_turn(scene->loop, 0);
    transport_close(scene->transport);
    loop_close(scene->loop);
    close(scene->listener);
    buffer_close(&scene->body);
    connections_forget();
}

/* Takes a millisecond by the scene's clock: curl sets timers, too. */
static inline void scene_turn(struct scene *scene)
{
    loop_turn(scene->loop, 1);
    clock_fake_advance(&scene->clock, 1000);
}

static inline void scene_turns(struct scene *scene, int count)
{
    for (int i = 0; i < count; i++)
        scene_turn(scene);
}

/* Turns until the condition holds; gives up after 20 seconds. */
#define SCENE_UNTIL(scene, condition)                                                              \
    do {                                                                                           \
        time_t scene_last = time(NULL) + 20;                                                       \
        while (!(condition)) {                                                                     \
            scene_turn(scene);                                                                     \
            ck_assert_msg(time(NULL) < scene_last, "never came: %s", #condition);                  \
        }                                                                                          \
    } while (0)

/* Starts a transfer; what was taken before is forgotten. */
static inline void scene_start(struct scene *scene)
{
    buffer_clear(&scene->body);
    scene->progress = 0;
    scene->transfer = transfer_start(scene->transport, &scene->ask);
    ck_assert_int_eq(scene->progress, 0);
}

static inline void scene_expect(struct scene *scene, enum transfer_end end)
{
    SCENE_UNTIL(scene, transfer_ended(scene->transfer) != TRANSFER_RUNNING);
    SCENE_UNTIL(scene, !transport_pending(scene->transport));
    ck_assert_msg(transfer_ended(scene->transfer) == end, "ended as %d, not %d: %s",
                  (int)transfer_ended(scene->transfer), (int)end, transfer_why(scene->transfer));
    ck_assert_int_gt(scene->progress, 0);
}

static inline void scene_end(struct scene *scene)
{
    transfer_close(scene->transfer);
    scene->transfer = NULL;
}

/* ---- the other side ---- */

/* -1: nobody knocks. */
static inline int scene_knock(const struct scene *scene)
{
    return accept4(scene->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline int scene_accept(struct scene *scene)
{
    int fd = -1;
    SCENE_UNTIL(scene, (fd = scene_knock(scene)) >= 0);
    return fd;
}

/* True once `seen` holds a whole request. */
static inline bool scene_is_request(const struct buffer *seen)
{
    struct text all = buffer_text(seen);
    size_t head = text_find(all, TEXT("\r\n\r\n"), 0);
    size_t at = text_find(all, TEXT("Content-Length: "), 0);
    int64_t length;
    if (head == SIZE_MAX)
        return false;
    ck_assert_uint_lt(at, head);
    at += 16;
    ck_assert(text_to_int(text_slice(all, at, text_find(all, TEXT("\r"), at)), &length));
    ck_assert_uint_le(all.size, head + 4 + (size_t)length);
    return all.size == head + 4 + (size_t)length;
}

/* Reads at most `most` bytes that have come. */
static inline void scene_read(int fd, struct buffer *seen, size_t most)
{
    buffer_reserve(seen, most);
    ssize_t size = recv(fd, seen->at + seen->size, most, 0);
    if (size < 0)
        ck_assert_int_eq(errno, EAGAIN);
    seen->size += size > 0 ? (size_t)size : 0;
}

/* Reads one whole request. */
static inline void scene_hear(struct scene *scene, int fd, struct buffer *seen)
{
    buffer_clear(seen);
    while (!scene_is_request(seen)) {
        scene_turn(scene);
        scene_read(fd, seen, 65536);
    }
}

/* The other side takes the connection and hears the whole request. */
static inline int scene_serve(struct scene *scene)
{
    struct buffer seen = {0};
    int fd = scene_accept(scene);
    scene_hear(scene, fd, &seen);
    buffer_close(&seen);
    return fd;
}

/* Sends all, as fast as purser reads. */
static inline void scene_say(struct scene *scene, int fd, struct text bytes)
{
    while (bytes.size > 0) {
        ssize_t size = send(fd, bytes.at, bytes.size, MSG_NOSIGNAL);
        if (size < 0)
            ck_assert_int_eq(errno, EAGAIN);
        bytes = text_from(bytes, size > 0 ? (size_t)size : 0);
        scene_turn(scene);
    }
}

/* Closes the connection: with an end, or with a reset. */
static inline void scene_hang_up(int fd, bool reset)
{
    const struct linger linger = {.l_onoff = reset};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(fd);
}

#define SCENE_OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

#endif
