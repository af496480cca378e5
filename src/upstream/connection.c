/*
 * Connections. A plain one gives up its curl handle once it stands (we keep a duplicate of the
 * descriptor), so that it costs nothing but its socket. One with TLS keeps the handle, because curl
 * holds the keys; curl_easy_send and _recv then do the talking.
 */
#include "upstream/connection.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_SIZE 65536
#define IDLE_MOST    256              /* kept per worker */
#define IDLE_US      (55 * 1000000ll) /* kept so long: many servers close after a minute */
#define SWEEP_US     (5 * 1000000ll)
#define DAY_US       (86400 * 1000000ll)
#define KEPT_PART    2 /* idle ones may stand in the first half of the process's descriptors */

enum state { STATE_CONNECTING, STATE_IN_USE, STATE_IDLE };

struct pool {
    struct loop *loop;
    CURLM *multi;            /* makes connections, and holds those with TLS */
    struct loop_timer timer; /* curl's own */
    struct loop_timer sweep;
    struct connection *idle; /* most recently used first */
    size_t idle_count;
    int keep_below; /* a connection whose descriptor is not below this is not kept */
    size_t alive;
    int64_t renewed_us; /* when pool_renew was called; 0: never */
    unsigned renewals;  /* how often it was */
    char received[RECEIVE_SIZE];
};

/* Where a connection goes, by which way and with whose trust. */
struct place {
    struct text origin; /* "https://host:port" */
    struct text proxy, ca;
};

struct connection {
    struct pool *pool;
    struct place place; /* its texts are in `texts`: an idle one outlives its upstream */
    struct buffer texts;
    enum state state;
    unsigned renewals; /* of the pool when it was begun */
    CURL *easy;        /* while it is made; afterwards only with TLS */
    int fd;            /* -1 while it is made */
    struct loop_watch *watch;
    uint32_t events; /* watched for */
    struct connection_user user;
    struct connection *next, **previous; /* in the idle list */
    int64_t idle_since_us;
    char why[CURL_ERROR_SIZE];
};

/* ---- driving curl while it connects ---- */

struct socket_watch {
    struct pool *pool;
    curl_socket_t socket;
    struct loop_watch *watch;
};

static void stand(struct connection *connection);

static void finish_made(struct connection *connection, CURLcode code)
{
    struct connection_user user = connection->user;
    ASSERT(connection->state == STATE_CONNECTING);
    if (code == CURLE_OK) {
        stand(connection);
    } else if (connection->why[0] == '\0') {
        snprintf(connection->why, sizeof connection->why, "%s", curl_easy_strerror(code));
    }
    user.connected(user.context, connection->state == STATE_IN_USE);
}

static void drive(struct pool *pool, curl_socket_t socket, int bits)
{
    int running, left;
    CURLMsg *message;
    curl_multi_socket_action(pool->multi, socket, bits, &running);
    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        char *connection = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &connection);
        finish_made((struct connection *)(void *)connection, code);
    }
}

static void socket_ready(void *context, uint32_t events)
{
    struct socket_watch *watched = context;
    int bits = 0;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        bits |= CURL_CSELECT_IN;
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
        bits |= CURL_CSELECT_OUT;
    drive(watched->pool, watched->socket, bits);
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *mine)
{
    (void)easy;
    struct pool *pool = context;
    struct socket_watch *watched = mine;
    if (what == CURL_POLL_REMOVE) {
        if (watched != NULL) {
            loop_unwatch_closed(pool->loop, watched->watch); /* curl may have closed it */
            loop_defer(pool->loop, free, watched);
            curl_multi_assign(pool->multi, socket, NULL);
        }
        return 0;
    }
    uint32_t events = ((what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);
    if (watched != NULL) {
        loop_rewatch(pool->loop, watched->watch, events);
        return 0;
    }
    watched = memory_new(sizeof *watched);
    watched->pool = pool;
    watched->socket = socket;
    watched->watch = loop_watch(pool->loop, socket, events, socket_ready, watched);
    curl_multi_assign(pool->multi, socket, watched);
    return 0;
}

static void timer_due(void *context)
{
    drive(context, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct pool *pool = context;
    if (timeout_ms < 0)
        loop_timer_cancel(pool->loop, &pool->timer);
    else
        loop_timer_set(pool->loop, &pool->timer, timeout_ms * 1000);
    return 0;
}

/* ---- places ---- */

static struct place place_of(const struct upstream *upstream, struct text url)
{
    size_t end = text_find(url, TEXT("://"), 0);
    end = end == SIZE_MAX ? 0 : end + 3;
    while (end < url.size && strchr("/?#", url.at[end]) == NULL)
        end++;
    return (struct place){text_slice(url, 0, end), upstream->proxy, upstream->ca};
}

static bool same_place(const struct place *a, const struct place *b)
{
    return text_equal(a->origin, b->origin) && text_equal(a->proxy, b->proxy) &&
           text_equal(a->ca, b->ca);
}

static void remember_place(struct connection *connection, const struct place *place)
{
    struct buffer *texts = &connection->texts;
    buffer_put(texts, place->origin);
    buffer_put(texts, place->proxy);
    buffer_put(texts, place->ca);
    struct text all = buffer_text(texts);
    size_t proxy = place->origin.size, ca = proxy + place->proxy.size;
    connection->place =
        (struct place){text_slice(all, 0, proxy), text_slice(all, proxy, ca), text_from(all, ca)};
}

/* ---- idle connections ---- */

static void leave_idle(struct connection *connection)
{
    *connection->previous = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    connection->pool->idle_count--;
}

static void close_oldest(struct pool *pool, int64_t before_us)
{
    struct connection *connection = pool->idle;
    while (connection != NULL) {
        struct connection *next = connection->next;
        if (connection->idle_since_us < before_us)
            connection_close(connection);
        connection = next;
    }
}

static void sweep_due(void *context)
{
    struct pool *pool = context;
    close_oldest(pool, loop_steady_us(pool->loop) - IDLE_US);
    if (pool->idle != NULL)
        loop_timer_set(pool->loop, &pool->sweep, SWEEP_US);
}

/* The loop may not have told yet that the upstream has hung up: a request sent then would be lost,
 * and nobody could say whether it was worked on. */
static bool is_silent(const struct connection *connection)
{
    char byte;
    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

struct connection *connection_take(struct pool *pool, const struct upstream *upstream,
                                   struct text url, const struct connection_user *user)
{
    const struct place place = place_of(upstream, url);
    struct connection *connection = pool->idle;
    while (connection != NULL) {
        struct connection *next = connection->next;
        bool wanted = same_place(&connection->place, &place);
        if (wanted && is_silent(connection))
            break;
        if (wanted)
            connection_close(connection);
        connection = next;
    }
    if (connection == NULL)
        return NULL;
    leave_idle(connection);
    connection->state = STATE_IN_USE;
    connection->user = *user;
    return connection;
}

void connection_keep(struct connection *connection)
{
    struct pool *pool = connection->pool;
    ASSERT(connection->state == STATE_IN_USE);
    bool stale = connection->place.ca.size > 0 && connection->renewals != pool->renewals;
    if (stale || connection->fd >= pool->keep_below) {
        connection_close(connection);
        return;
    }
    connection_want_write(connection, false);
    connection_want_read(connection, true);
    connection->state = STATE_IDLE;
    connection->idle_since_us = loop_steady_us(pool->loop);
    connection->next = pool->idle;
    connection->previous = &pool->idle;
    if (connection->next != NULL)
        connection->next->previous = &connection->next;
    pool->idle = connection;
    if (pool->sweep.at_us == 0)
        loop_timer_set(pool->loop, &pool->sweep, SWEEP_US);
    if (++pool->idle_count <= IDLE_MOST)
        return;
    while (connection->next != NULL)
        connection = connection->next;
    connection_close(connection);
}

void pool_renew(struct pool *pool)
{
    struct connection *connection = pool->idle;
    pool->renewed_us = loop_steady_us(pool->loop);
    pool->renewals++;
    while (connection != NULL) {
        struct connection *next = connection->next;
        if (connection->place.ca.size > 0)
            connection_close(connection);
        connection = next;
    }
}

/* ---- standing connections ---- */

static void ready(void *context, uint32_t events)
{
    struct connection *connection = context;
    if (connection->state == STATE_IDLE) {
        connection_close(connection); /* closed by the upstream, or bytes nobody asked for */
        return;
    }
    struct connection_user user = connection->user;
    if ((events & EPOLLOUT) != 0 && (connection->events & EPOLLOUT) != 0)
        user.writable(user.context);
    else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0)
        user.readable(user.context);
}

/* The connection is made: from now on its socket is ours to watch. */
static void stand(struct connection *connection)
{
    struct pool *pool = connection->pool;
    curl_socket_t socket = CURL_SOCKET_BAD;
    char *scheme = NULL;
    curl_easy_getinfo(connection->easy, CURLINFO_ACTIVESOCKET, &socket);
    curl_easy_getinfo(connection->easy, CURLINFO_SCHEME, &scheme);
    if (socket == CURL_SOCKET_BAD) {
        snprintf(connection->why, sizeof connection->why, "the connection was closed at once");
        return;
    }
    bool secure = (scheme != NULL && strcasecmp(scheme, "https") == 0) ||
                  text_starts_nocase(connection->place.proxy, TEXT("https:"));
    connection->fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (connection->fd < 0) {
        snprintf(connection->why, sizeof connection->why, "%s", strerror(errno));
        return;
    }
    if (!secure) {
        curl_multi_remove_handle(pool->multi, connection->easy);
        curl_easy_cleanup(connection->easy);
        connection->easy = NULL;
    }
    connection->events = EPOLLIN | EPOLLRDHUP;
    connection->watch =
        loop_watch(pool->loop, connection->fd, connection->events, ready, connection);
    connection->state = STATE_IN_USE;
}

static void want(struct connection *connection, uint32_t events, bool wanted)
{
    uint32_t all = wanted ? connection->events | events : connection->events & ~events;
    if (all == connection->events)
        return;
    connection->events = all;
    /* A reset is told whether one wants to know it or not, over and over: once will do, until
     * somebody reads or writes again. */
    bool idle = (all & (EPOLLIN | EPOLLOUT)) == 0;
    loop_rewatch(connection->pool->loop, connection->watch, idle ? all | EPOLLET : all);
}

void connection_want_write(struct connection *connection, bool wanted)
{
    want(connection, EPOLLOUT, wanted);
}

void connection_want_read(struct connection *connection, bool wanted)
{
    want(connection, EPOLLIN | EPOLLRDHUP, wanted);
}

static bool send_secure(struct connection *connection, const struct iovec *parts, int count,
                        size_t *sent)
{
    *sent = 0;
    for (int i = 0; i < count; i++) {
        size_t done = 0;
        while (done < parts[i].iov_len) {
            size_t size = 0;
            CURLcode code = curl_easy_send(connection->easy, (char *)parts[i].iov_base + done,
                                           parts[i].iov_len - done, &size);
            if (code == CURLE_AGAIN)
                return true;
            if (code != CURLE_OK) {
                snprintf(connection->why, sizeof connection->why, "%s", curl_easy_strerror(code));
                return false;
            }
            done += size;
            *sent += size;
        }
    }
    return true;
}

bool connection_send(struct connection *connection, const struct iovec *parts, int count,
                     size_t *sent)
{
    ASSERT(connection->state == STATE_IN_USE);
    if (connection->easy != NULL)
        return send_secure(connection, parts, count, sent);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                             .msg_iovlen = (size_t)count};
    ssize_t size = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    *sent = size > 0 ? (size_t)size : 0;
    if (size >= 0 || errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
        return true;
    snprintf(connection->why, sizeof connection->why, "%s", strerror(errno));
    return false;
}

static enum receipt receive_secure(struct connection *connection, struct text *bytes)
{
    size_t size = 0;
    struct pool *pool = connection->pool;
    CURLcode code = curl_easy_recv(connection->easy, pool->received, RECEIVE_SIZE, &size);
    if (code == CURLE_AGAIN)
        return RECEIPT_LATER;
    if (code != CURLE_OK) {
        snprintf(connection->why, sizeof connection->why, "%s", curl_easy_strerror(code));
        return RECEIPT_DEAD;
    }
    *bytes = text_make(pool->received, size);
    return size > 0 ? RECEIPT_BYTES : RECEIPT_EOF;
}

enum receipt connection_receive(struct connection *connection, struct text *bytes)
{
    ASSERT(connection->state == STATE_IN_USE);
    if (connection->easy != NULL)
        return receive_secure(connection, bytes);
    struct pool *pool = connection->pool;
    ssize_t size = recv(connection->fd, pool->received, RECEIVE_SIZE, MSG_DONTWAIT);
    if (size > 0) {
        *bytes = text_make(pool->received, (size_t)size);
        return RECEIPT_BYTES;
    }
    if (size == 0) {
        snprintf(connection->why, sizeof connection->why, "it closed the connection");
        return RECEIPT_EOF;
    }
    if (errno == EAGAIN || errno == EINTR)
        return RECEIPT_LATER;
    snprintf(connection->why, sizeof connection->why, "%s", strerror(errno));
    return RECEIPT_DEAD;
}

bool connection_drained(const struct connection *connection, struct text bytes)
{
    return connection->easy == NULL && bytes.size < RECEIVE_SIZE;
}

const char *connection_why(const struct connection *connection)
{
    return connection->why;
}

/* ---- making and closing ---- */

/* curl remembers what it has read for a day; nothing from before the renewal may be taken. */
static void trust(struct connection *connection, const char *ca)
{
    curl_easy_setopt(connection->easy, CURLOPT_CAINFO, ca);
#if LIBCURL_VERSION_NUM >= 0x075700
    const struct pool *pool = connection->pool;
    int64_t age_us = loop_steady_us(pool->loop) - pool->renewed_us;
    if (pool->renewed_us != 0 && age_us < DAY_US)
        curl_easy_setopt(connection->easy, CURLOPT_CA_CACHE_TIMEOUT, (long)(age_us / 1000000));
#endif
}

static void configure(struct connection *connection, const struct upstream *upstream,
                      const char *url)
{
    CURL *easy = connection->easy;
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, connection);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, connection->why);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#if LIBCURL_VERSION_NUM >= 0x075700 /* without it a name that never resolves is waited for */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L); /* ours is used */
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, upstream->proxy.size > 0 ? upstream->proxy.at : "");
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)upstream->connect_ms);
    if (upstream->ca.size > 0)
        trust(connection, upstream->ca.at);
}

struct connection *connection_make(struct pool *pool, const struct upstream *upstream,
                                   struct text url, const struct connection_user *user)
{
    const struct place place = place_of(upstream, url);
    struct connection *connection = memory_new(sizeof *connection);
    connection->pool = pool;
    connection->renewals = pool->renewals;
    remember_place(connection, &place);
    connection->state = STATE_CONNECTING;
    connection->fd = -1;
    connection->user = *user;
    connection->easy = curl_easy_init();
    ASSERT(connection->easy != NULL);
    configure(connection, upstream, url.at);
    pool->alive++;
    CURLMcode added = curl_multi_add_handle(pool->multi, connection->easy);
    ASSERT(added == CURLM_OK);
    return connection;
}

static void release(void *thing)
{
    struct connection *connection = thing;
    buffer_close(&connection->texts);
    free(connection);
}

void connection_close(struct connection *connection)
{
    if (connection == NULL)
        return;
    struct pool *pool = connection->pool;
    if (connection->state == STATE_IDLE)
        leave_idle(connection);
    if (connection->watch != NULL)
        loop_unwatch(pool->loop, connection->watch);
    if (connection->easy != NULL) {
        curl_multi_remove_handle(pool->multi, connection->easy);
        curl_easy_cleanup(connection->easy);
    }
    if (connection->fd >= 0)
        close(connection->fd);
    pool->alive--;
    loop_defer(pool->loop, release, connection);
}

/* Where curl is refused memory it may forget a call for ever, or crash: so it is not (memory.c). */

static void *curl_new(size_t size)
{
    return memory_new(size);
}

static void *curl_new_many(size_t count, size_t size)
{
    size_t whole = 0;
    bool fits = !__builtin_mul_overflow(count, size, &whole);
    ASSERT(fits);
    return memory_new(whole);
}

static char *curl_copy(const char *string)
{
    return memory_copy(text_of(string));
}

void connections_prepare(void)
{
    CURLcode result = curl_global_init_mem(CURL_GLOBAL_ALL, curl_new, free, memory_resize,
                                           curl_copy, curl_new_many);
    ASSERT(result == CURLE_OK);
}

void connections_forget(void)
{
    curl_global_cleanup();
}

/* A new descriptor gets the lowest free number: high ones mean that they are running short, and
 * then those that another worker's calls need must not lie idle here. */
static int keep_below(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / KEPT_PART > INT_MAX)
        return INT_MAX;
    return (int)(limit.rlim_cur / KEPT_PART);
}

struct pool *pool_open(struct loop *loop)
{
    struct pool *pool = memory_new(sizeof *pool);
    pool->loop = loop;
    pool->keep_below = keep_below();
    pool->timer.due = timer_due;
    pool->timer.context = pool;
    pool->sweep.due = sweep_due;
    pool->sweep.context = pool;
    pool->multi = curl_multi_init();
    ASSERT(pool->multi != NULL);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, 1000000L); /* we close them ourselves */
    return pool;
}

void pool_close(struct pool *pool)
{
    if (pool == NULL)
        return;
    close_oldest(pool, INT64_MAX);
    ASSERT(pool->alive == 0);
    loop_timer_cancel(pool->loop, &pool->timer);
    loop_timer_cancel(pool->loop, &pool->sweep);
    curl_multi_cleanup(pool->multi);
    free(pool);
}
