/*
 * Transfers over libcurl's multi interface, driven by our own epoll.
 *
 * curl calls back in the middle of its own work, where none of its functions may be called and
 * nothing may be removed. So callbacks only append and mark; the owner hears of it from the loop,
 * after curl has returned.
 */
#include "upstream/transport.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define BODY_MOST_UNTAKEN (256 * 1024)
#define HEAD_MOST         (256 * 1024) /* all header lines of an answer together */
#define KEPT_HANDLES      256          /* idle easy handles per worker */
#define KEPT_CONNECTIONS  1024L

struct transport {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer timer;  /* curl's own */
    struct transfer *touched; /* have news for their owner */
    struct transfer **touched_end;
    CURL *kept[KEPT_HANDLES];
    size_t kept_count;
    size_t running;
    bool kick; /* a handle was added: curl wants to be called at once */
};

struct transfer {
    struct transport *transport;
    struct transfer *next_touched;
    bool touched;
    CURL *easy; /* NULL once ended */
    struct curl_slist *headers;
    const struct text *pieces;
    size_t piece_count, piece, offset; /* where in the body curl has read up to */
    struct buffer head;                /* header lines of the final answer, "Name: value\r\n" */
    struct buffer body;
    struct loop_timer timer; /* first byte, then idle */
    int64_t first_byte_us, idle_us;
    int status;
    bool head_done;
    bool held, paused;
    bool late;
    enum transfer_end end;
    void (*progress)(void *context);
    void *context;
    char why[CURL_ERROR_SIZE];
};

/* ---- news for owners ---- */

static void touch(struct transfer *transfer)
{
    if (transfer->touched)
        return;
    struct transport *transport = transfer->transport;
    transfer->touched = true;
    transfer->next_touched = NULL;
    *transport->touched_end = transfer;
    transport->touched_end = &transfer->next_touched;
}

static void untouch(struct transfer *transfer)
{
    struct transport *transport = transfer->transport;
    struct transfer **at = &transport->touched;
    while (*at != NULL && *at != transfer)
        at = &(*at)->next_touched;
    if (*at == NULL)
        return;
    *at = transfer->next_touched;
    if (transport->touched_end == &transfer->next_touched)
        transport->touched_end = at;
    transfer->touched = false;
}

static void tell_owners(struct transport *transport)
{
    while (transport->touched != NULL) {
        struct transfer *transfer = transport->touched;
        transport->touched = transfer->next_touched;
        if (transport->touched == NULL)
            transport->touched_end = &transport->touched;
        transfer->touched = false;
        transfer->progress(transfer->context);
    }
}

/* ---- endings ---- */

static bool body_all_read(const struct transfer *transfer)
{
    return transfer->piece == transfer->piece_count;
}

static enum transfer_end end_of(const struct transfer *transfer, CURLcode code)
{
    if (code == CURLE_OK)
        return TRANSFER_COMPLETE;
    if (transfer->head_done)
        return TRANSFER_CUT;
    if (!body_all_read(transfer))
        return TRANSFER_NOT_SENT;
    return transfer->late ? TRANSFER_LATE : TRANSFER_UNANSWERED;
}

/* The handle goes back to the pool with its settings; connections stay with the multi handle. */
static void release_easy(struct transfer *transfer)
{
    struct transport *transport = transfer->transport;
    CURL *easy = transfer->easy;
    transfer->easy = NULL;
    curl_multi_remove_handle(transport->multi, easy);
    transport->running--;
    if (transport->kept_count < KEPT_HANDLES) {
        curl_easy_reset(easy);
        transport->kept[transport->kept_count++] = easy;
    } else {
        curl_easy_cleanup(easy);
    }
}

static void finish(struct transfer *transfer, CURLcode code)
{
    ASSERT(transfer->end == TRANSFER_RUNNING);
    transfer->end = end_of(transfer, code);
    if (code != CURLE_OK && transfer->why[0] == '\0')
        snprintf(transfer->why, sizeof transfer->why, "%s", curl_easy_strerror(code));
    loop_timer_cancel(transfer->transport->loop, &transfer->timer);
    release_easy(transfer);
    touch(transfer);
}

static void collect_finished(struct transport *transport)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(transport->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        char *private = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        finish((struct transfer *)(void *)private, code);
    }
}

/* ---- driving curl ---- */

static void drive(struct transport *transport, curl_socket_t socket, int bits)
{
    int running;
    curl_multi_socket_action(transport->multi, socket, bits, &running);
    collect_finished(transport);
    tell_owners(transport);
}

struct socket_watch {
    struct transport *transport;
    curl_socket_t socket;
    struct loop_watch *watch;
};

static void socket_ready(void *context, uint32_t events)
{
    struct socket_watch *watched = context;
    int bits = 0;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        bits |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0)
        bits |= CURL_CSELECT_OUT;
    if ((events & EPOLLERR) != 0)
        bits |= CURL_CSELECT_ERR;
    drive(watched->transport, watched->socket, bits);
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *mine)
{
    (void)easy;
    struct transport *transport = context;
    struct socket_watch *watched = mine;
    if (what == CURL_POLL_REMOVE) {
        if (watched != NULL) {
            loop_unwatch(transport->loop, watched->watch);
            loop_defer(transport->loop, free, watched);
            curl_multi_assign(transport->multi, socket, NULL);
        }
        return 0;
    }
    uint32_t events = ((what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);
    if (watched != NULL) {
        loop_rewatch(transport->loop, watched->watch, events);
        return 0;
    }
    watched = memory_new(sizeof *watched);
    watched->transport = transport;
    watched->socket = socket;
    watched->watch = loop_watch(transport->loop, socket, events, socket_ready, watched);
    curl_multi_assign(transport->multi, socket, watched);
    return 0;
}

static void timer_due(void *context)
{
    drive(context, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct transport *transport = context;
    if (timeout_ms < 0)
        loop_timer_cancel(transport->loop, &transport->timer);
    else if (timeout_ms == 0)
        transport->kick = true;
    else
        loop_timer_set(transport->loop, &transport->timer, timeout_ms * 1000);
    return 0;
}

bool transport_pending(const struct transport *transport)
{
    return transport->kick || transport->touched != NULL;
}

void transport_kick(struct transport *transport)
{
    if (transport->kick) {
        transport->kick = false;
        drive(transport, CURL_SOCKET_TIMEOUT, 0);
    } else {
        tell_owners(transport);
    }
}

struct transport *transport_open(struct loop *loop)
{
    struct transport *transport = memory_new(sizeof *transport);
    transport->loop = loop;
    transport->touched_end = &transport->touched;
    transport->timer.due = timer_due;
    transport->timer.context = transport;
    transport->multi = curl_multi_init();
    ASSERT(transport->multi != NULL);
    curl_multi_setopt(transport->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(transport->multi, CURLMOPT_SOCKETDATA, transport);
    curl_multi_setopt(transport->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(transport->multi, CURLMOPT_TIMERDATA, transport);
    curl_multi_setopt(transport->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
    return transport;
}

void transport_close(struct transport *transport)
{
    if (transport == NULL)
        return;
    ASSERT(transport->running == 0);
    for (size_t i = 0; i < transport->kept_count; i++)
        curl_easy_cleanup(transport->kept[i]);
    curl_multi_cleanup(transport->multi);
    loop_timer_cancel(transport->loop, &transport->timer);
    free(transport);
}

/* ---- what curl tells us ---- */

static size_t on_read(char *out, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t room = size * count;
    size_t given = 0;
    while (given < room && transfer->piece < transfer->piece_count) {
        struct text rest = text_from(transfer->pieces[transfer->piece], transfer->offset);
        size_t part = rest.size < room - given ? rest.size : room - given;
        if (part > 0)
            memcpy(out + given, rest.at, part);
        given += part;
        transfer->offset += part;
        if (part == rest.size) {
            transfer->piece++;
            transfer->offset = 0;
        }
    }
    return given;
}

static void arm(struct transfer *transfer, int64_t delay_us)
{
    if (delay_us > 0)
        loop_timer_set(transfer->transport->loop, &transfer->timer, delay_us);
}

/* A status line begins a head; only the last one counts (100 Continue comes before it). */
static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct text text = text_make(line, size * count);
    if (text_starts(text, TEXT("HTTP/"))) {
        buffer_clear(&transfer->head);
        return text.size;
    }
    if (text.size <= 2) {
        long status = 0;
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200 && !transfer->head_done) {
            transfer->status = (int)status;
            transfer->head_done = true;
            arm(transfer, transfer->idle_us);
            touch(transfer);
        }
        return text.size;
    }
    if (transfer->head_done) /* a trailer */
        return text.size;
    if (transfer->head.size + text.size > HEAD_MOST)
        return 0;
    buffer_put(&transfer->head, text);
    return text.size;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    if (transfer->held || transfer->body.size > BODY_MOST_UNTAKEN) {
        transfer->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    buffer_put(&transfer->body, text_make(bytes, size * count));
    arm(transfer, transfer->idle_us);
    touch(transfer);
    return size * count;
}

static void silence_due(void *context)
{
    struct transfer *transfer = context;
    if (transfer->paused) {
        arm(transfer, transfer->idle_us);
        return;
    }
    transfer->late = true;
    snprintf(transfer->why, sizeof transfer->why, "%s",
             transfer->head_done ? "the upstream fell silent in the middle of its answer"
                                 : "the upstream did not begin to answer in time");
    finish(transfer, CURLE_OPERATION_TIMEDOUT);
    tell_owners(transfer->transport);
}

/* ---- starting ---- */

static void configure(struct transfer *transfer, const struct transfer_ask *ask)
{
    CURL *easy = transfer->easy;
    const struct upstream *upstream = ask->upstream;
    curl_off_t size = 0;
    for (size_t i = 0; i < ask->piece_count; i++)
        size += (curl_off_t)ask->pieces[i].size;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->why);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_URL, ask->url.at);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, upstream->proxy.size > 0 ? upstream->proxy.at : "");
    if (upstream->ca.size > 0)
        curl_easy_setopt(easy, CURLOPT_CAINFO, upstream->ca.at);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)upstream->connect_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 16384L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    /* Decodes what an upstream compresses unasked; the header line says identity. */
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    /* By READFUNCTION without SEEKFUNCTION: curl then cannot resend the body on its own when a
     * reused connection dies; two upstream calls under one hold must not happen. */
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
}

/* The list's nodes are ours, in one block: curl only reads them. */
static struct curl_slist *header_list(const struct text *lines, size_t count)
{
    struct curl_slist *list = memory_new((count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        list[i].data = (char *)(uintptr_t)lines[i].at;
        list[i].next = i + 1 < count ? &list[i + 1] : NULL;
    }
    return list;
}

struct transfer *transfer_start(struct transport *transport, const struct transfer_ask *ask)
{
    ASSERT(ask->header_count > 0);
    struct transfer *transfer = memory_new(sizeof *transfer);
    transfer->transport = transport;
    transfer->pieces = ask->pieces;
    transfer->piece_count = ask->piece_count;
    transfer->progress = ask->progress;
    transfer->context = ask->context;
    transfer->timer.due = silence_due;
    transfer->timer.context = transfer;
    transfer->first_byte_us = ask->upstream->first_byte_ms * 1000;
    transfer->idle_us = ask->upstream->idle_ms * 1000;
    transfer->headers = header_list(ask->headers, ask->header_count);
    transfer->easy =
        transport->kept_count > 0 ? transport->kept[--transport->kept_count] : curl_easy_init();
    ASSERT(transfer->easy != NULL);
    configure(transfer, ask);
    transport->running++;
    CURLMcode added = curl_multi_add_handle(transport->multi, transfer->easy);
    ASSERT(added == CURLM_OK);
    transport->kick = true;
    arm(transfer, transfer->first_byte_us);
    return transfer;
}

static void release_memory(void *thing)
{
    struct transfer *transfer = thing;
    buffer_close(&transfer->head);
    buffer_close(&transfer->body);
    free(transfer->headers);
    free(transfer);
}

void transfer_close(struct transfer *transfer)
{
    if (transfer == NULL)
        return;
    untouch(transfer);
    loop_timer_cancel(transfer->transport->loop, &transfer->timer);
    if (transfer->easy != NULL)
        release_easy(transfer);
    loop_defer(transfer->transport->loop, release_memory, transfer);
}

/* ---- looking ---- */

int transfer_status(const struct transfer *transfer)
{
    return transfer->status;
}

bool transfer_next_header(const struct transfer *transfer, size_t *at, struct text *name,
                          struct text *value)
{
    struct text rest = text_from(buffer_text(&transfer->head), *at);
    if (rest.size == 0)
        return false;
    struct text line = text_split(&rest, '\n');
    *at += line.size + 1;
    struct text after = line;
    *name = text_trim(text_split(&after, ':'));
    *value = text_trim(after);
    return true;
}

struct text transfer_header(const struct transfer *transfer, struct text wanted)
{
    size_t at = 0;
    struct text name, value;
    while (transfer_next_header(transfer, &at, &name, &value)) {
        if (text_equal_nocase(name, wanted))
            return value;
    }
    return TEXT_NONE;
}

struct text transfer_body(const struct transfer *transfer)
{
    return buffer_text(&transfer->body);
}

static void resume_if_paused(struct transfer *transfer)
{
    if (!transfer->paused || transfer->held || transfer->easy == NULL)
        return;
    transfer->paused = false;
    arm(transfer, transfer->idle_us);
    curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* may call on_body: it only appends */
    transfer->transport->kick = true;
}

void transfer_taken(struct transfer *transfer)
{
    buffer_clear(&transfer->body);
    resume_if_paused(transfer);
}

void transfer_hold(struct transfer *transfer, bool held)
{
    transfer->held = held;
    resume_if_paused(transfer);
}

enum transfer_end transfer_ended(const struct transfer *transfer)
{
    return transfer->end;
}

const char *transfer_why(const struct transfer *transfer)
{
    return transfer->why;
}
