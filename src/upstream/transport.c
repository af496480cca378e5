/*
 * Transfers: one request and its answer over a connection, in HTTP/1.1 of our own.
 *
 * Nothing is ever sent twice: a transfer sends on one connection, and if that dies the transfer
 * ends. What its owner may conclude from the end depends on how much was sent (transport.h).
 */
#include "upstream/transport.h"

#include <stdio.h>
#include <stdlib.h>

#include "upstream/connection.h"
#include "upstream/unzip.h"
#include "wire/http1.h"

#define UNTAKEN_MOST (256 * 1024)
#define PARTS_MOST   24

struct transport {
    struct loop *loop;
    struct pool *pool;
    struct transfer *touched, **touched_end; /* have news for their owner, told by a kick */
    size_t running;
};

struct transfer {
    struct transport *transport;
    struct transfer *next_touched;
    bool touched;
    struct connection *connection; /* NULL once ended */
    struct buffer head;            /* of the request; freed when sent */
    const struct text *pieces;
    size_t piece_count;
    size_t size, sent; /* of head and pieces together */
    struct http1 answer;
    struct unzip *unzip; /* of a compressed answer */
    struct buffer body;
    struct loop_timer timer; /* first byte, then idle */
    int64_t first_byte_us, idle_us;
    bool held;    /* by the owner */
    bool stopped; /* reading is off */
    bool reread;  /* to be read again by a kick: bytes may wait above the socket */
    bool late;
    enum transfer_end end;
    void (*progress)(void *context);
    void *context;
    char why[256];
};

/* ---- news for owners ---- */

static void touch(struct transfer *transfer)
{
    struct transport *transport = transfer->transport;
    if (transfer->touched)
        return;
    transfer->touched = true;
    transfer->next_touched = NULL;
    *transport->touched_end = transfer;
    transport->touched_end = &transfer->next_touched;
}

static void untouch(struct transfer *transfer)
{
    struct transport *transport = transfer->transport;
    struct transfer **at = &transport->touched;
    if (!transfer->touched)
        return;
    while (*at != transfer)
        at = &(*at)->next_touched;
    *at = transfer->next_touched;
    if (transport->touched_end == &transfer->next_touched)
        transport->touched_end = at;
    transfer->touched = false;
}

static void readable(void *context);

bool transport_pending(const struct transport *transport)
{
    return transport->touched != NULL;
}

void transport_kick(struct transport *transport)
{
    struct transfer *last = NULL; /* what is touched meanwhile waits for the next kick */
    for (struct transfer *at = transport->touched; at != NULL; at = at->next_touched)
        last = at;
    while (last != NULL && transport->touched != NULL) {
        struct transfer *transfer = transport->touched;
        bool reread = transfer->reread;
        if (transfer == last)
            last = NULL;
        untouch(transfer);
        transfer->reread = false;
        if (reread && transfer->connection != NULL)
            readable(transfer);
        else
            transfer->progress(transfer->context);
    }
}

struct transport *transport_open(struct loop *loop)
{
    struct transport *transport = memory_new(sizeof *transport);
    transport->loop = loop;
    transport->pool = pool_open(loop);
    transport->touched_end = &transport->touched;
    return transport;
}

void transport_renew(struct transport *transport)
{
    pool_renew(transport->pool);
}

void transport_close(struct transport *transport)
{
    if (transport == NULL)
        return;
    ASSERT(transport->running == 0);
    pool_close(transport->pool);
    free(transport);
}

/* ---- endings ---- */

static enum transfer_end end_of(const struct transfer *transfer)
{
    if (transfer->answer.head_done)
        return TRANSFER_CUT;
    if (transfer->sent < transfer->size)
        return TRANSFER_NOT_SENT;
    return transfer->late ? TRANSFER_LATE : TRANSFER_UNANSWERED;
}

static void finish(struct transfer *transfer, enum transfer_end end, const char *why)
{
    ASSERT(transfer->end == TRANSFER_RUNNING);
    transfer->end = end;
    snprintf(transfer->why, sizeof transfer->why, "%s", why);
    loop_timer_cancel(transfer->transport->loop, &transfer->timer);
    bool whole = end == TRANSFER_COMPLETE && transfer->sent == transfer->size;
    if (whole && transfer->answer.keep_alive)
        connection_keep(transfer->connection);
    else
        connection_close(transfer->connection);
    transfer->connection = NULL;
}

static void fail(struct transfer *transfer, const char *why)
{
    finish(transfer, end_of(transfer), why);
}

static void arm(struct transfer *transfer, int64_t delay_us)
{
    if (delay_us > 0)
        loop_timer_set(transfer->transport->loop, &transfer->timer, delay_us);
    else
        loop_timer_cancel(transfer->transport->loop, &transfer->timer);
}

static void silence_due(void *context)
{
    struct transfer *transfer = context;
    if (transfer->stopped) {
        arm(transfer, transfer->idle_us);
        return;
    }
    transfer->late = true;
    fail(transfer, transfer->answer.head_done
                       ? "the upstream fell silent in the middle of its answer"
                       : "the upstream did not begin to answer in time");
    transfer->progress(transfer->context);
}

/* ---- the answer ---- */

static void read_coding(struct transfer *transfer)
{
    struct text coding = transfer_header(transfer, TEXT("Content-Encoding"));
    if (text_equal_nocase(coding, TEXT("gzip")) || text_equal_nocase(coding, TEXT("x-gzip")) ||
        text_equal_nocase(coding, TEXT("deflate")))
        transfer->unzip = unzip_open();
}

static bool take_piece(struct transfer *transfer, struct text piece)
{
    if (transfer->unzip == NULL) {
        buffer_put(&transfer->body, piece);
        return true;
    }
    unzip_feed(transfer->unzip, piece);
    return unzip_step(transfer->unzip, &transfer->body, UNTAKEN_MOST);
}

/* All compressed bytes are here, but not all of them undone: the end has to wait. */
static bool end_waits(const struct transfer *transfer)
{
    return transfer->unzip != NULL && unzip_waiting(transfer->unzip);
}

static void end_answer(struct transfer *transfer)
{
    if (transfer->unzip != NULL && !unzip_done(transfer->unzip))
        finish(transfer, TRANSFER_CUT, "its compressed answer is incomplete");
    else
        finish(transfer, TRANSFER_COMPLETE, "");
}

static void take_bytes(struct transfer *transfer, struct text bytes)
{
    bool knew_head = transfer->answer.head_done;
    struct text body;
    enum http1_result result;
    do {
        result = http1_next(&transfer->answer, &bytes, &body);
        if (!knew_head && transfer->answer.head_done)
            read_coding(transfer);
        knew_head = transfer->answer.head_done;
        if (result == HTTP1_BODY && !take_piece(transfer, body)) {
            finish(transfer, TRANSFER_CUT, "its compressed answer is damaged");
            return;
        }
    } while (result == HTTP1_BODY);
    if (knew_head)
        arm(transfer, transfer->idle_us);
    if (result == HTTP1_END && bytes.size > 0)
        transfer->answer.keep_alive = false; /* bytes behind the answer belong to nobody */
    if (result == HTTP1_BROKEN)
        fail(transfer, "its answer is not HTTP/1.1");
    else if (result == HTTP1_END && !end_waits(transfer))
        end_answer(transfer);
}

static bool may_read(const struct transfer *transfer)
{
    return !transfer->held && transfer->body.size < UNTAKEN_MOST && !end_waits(transfer);
}

static void set_reading(struct transfer *transfer)
{
    bool stop = !may_read(transfer);
    if (transfer->connection == NULL || stop == transfer->stopped)
        return;
    transfer->stopped = stop;
    connection_want_read(transfer->connection, !stop);
    if (!stop) {
        arm(transfer, transfer->idle_us);
        transfer->reread = true;
        touch(transfer);
    }
}

/* Reads what there is; `to_the_end`: nothing will ever tell us that there is more. */
static void receive(struct transfer *transfer, bool to_the_end)
{
    struct text bytes;
    while (transfer->end == TRANSFER_RUNNING && may_read(transfer)) {
        enum receipt receipt = connection_receive(transfer->connection, &bytes);
        if (receipt == RECEIPT_LATER)
            return;
        if (receipt == RECEIPT_BYTES)
            take_bytes(transfer, bytes);
        else if (receipt == RECEIPT_EOF && http1_eof(&transfer->answer))
            end_answer(transfer);
        else
            fail(transfer, connection_why(transfer->connection));
        if (!to_the_end && transfer->end == TRANSFER_RUNNING &&
            connection_drained(transfer->connection, bytes))
            return;
    }
}

static void readable(void *context)
{
    struct transfer *transfer = context;
    receive(transfer, false);
    set_reading(transfer);
    transfer->progress(transfer->context);
}

/* ---- the request ---- */

/* The parts not sent yet, at most PARTS_MOST of them. */
static int remaining_parts(const struct transfer *transfer, struct iovec parts[PARTS_MOST])
{
    size_t skip = transfer->sent;
    int count = 0;
    for (size_t i = 0; i <= transfer->piece_count && count < PARTS_MOST; i++) {
        struct text part = i == 0 ? buffer_text(&transfer->head) : transfer->pieces[i - 1];
        size_t passed = part.size < skip ? part.size : skip;
        skip -= passed;
        if (part.size > passed)
            parts[count++] =
                (struct iovec){(char *)(uintptr_t)part.at + passed, part.size - passed};
    }
    return count;
}

static void send_on(struct transfer *transfer)
{
    struct iovec parts[PARTS_MOST];
    size_t sent;
    int count = remaining_parts(transfer, parts);
    if (!connection_send(transfer->connection, parts, count, &sent)) {
        receive(transfer, true); /* what the upstream said before it hung up counts */
        if (transfer->end == TRANSFER_RUNNING)
            fail(transfer, connection_why(transfer->connection));
        touch(transfer);
        return;
    }
    transfer->sent += sent;
    connection_want_write(transfer->connection, transfer->sent < transfer->size);
}

static void writable(void *context)
{
    send_on(context);
}

static void connected(void *context, bool fine)
{
    struct transfer *transfer = context;
    if (fine) {
        send_on(transfer);
    } else {
        fail(transfer, connection_why(transfer->connection));
        touch(transfer);
    }
}

static void put_head(struct transfer *transfer, const struct transfer_ask *ask, size_t body_size)
{
    struct buffer *head = &transfer->head;
    struct text url = text_make(ask->url.at, ask->url.size);
    size_t host_at = text_find(url, TEXT("://"), 0);
    ASSERT(host_at != SIZE_MAX);
    struct text rest = text_from(url, host_at + 3);
    size_t slash = text_find(rest, TEXT("/"), 0);
    ASSERT(slash != SIZE_MAX);
    buffer_reserve(head, 1024);
    buffer_put(head, ask->method.size > 0 ? ask->method : TEXT("POST"));
    buffer_put_byte(head, ' ');
    buffer_put(head, text_from(rest, slash));
    buffer_put(head, TEXT(" HTTP/1.1\r\nHost: "));
    buffer_put(head, text_slice(rest, 0, slash));
    if (ask->method.size == 0 || text_equal(ask->method, TEXT("POST"))) {
        buffer_put(head, TEXT("\r\nContent-Length: "));
        buffer_put_int(head, (int64_t)body_size);
    }
    buffer_put(head, TEXT("\r\n"));
    for (size_t i = 0; i < ask->header_count; i++) {
        buffer_put(head, ask->headers[i]);
        buffer_put(head, TEXT("\r\n"));
    }
    buffer_put(head, TEXT("\r\n"));
}

struct transfer *transfer_start(struct transport *transport, const struct transfer_ask *ask)
{
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
    size_t body_size = 0;
    for (size_t i = 0; i < ask->piece_count; i++)
        body_size += ask->pieces[i].size;
    put_head(transfer, ask, body_size);
    transfer->size = transfer->head.size + body_size;
    transport->running++;
    arm(transfer, transfer->first_byte_us);
    const struct connection_user user = {connected, readable, writable, transfer};
    transfer->connection = connection_take(transport->pool, ask->upstream, ask->url, &user);
    if (transfer->connection != NULL)
        send_on(transfer);
    else
        transfer->connection = connection_make(transport->pool, ask->upstream, ask->url, &user);
    return transfer;
}

static void release(void *thing)
{
    struct transfer *transfer = thing;
    buffer_close(&transfer->head);
    buffer_close(&transfer->body);
    http1_close(&transfer->answer);
    unzip_close(transfer->unzip);
    free(transfer);
}

void transfer_close(struct transfer *transfer)
{
    if (transfer == NULL)
        return;
    untouch(transfer);
    loop_timer_cancel(transfer->transport->loop, &transfer->timer);
    connection_close(transfer->connection);
    transfer->connection = NULL;
    transfer->transport->running--;
    loop_defer(transfer->transport->loop, release, transfer);
}

/* ---- looking ---- */

int transfer_status(const struct transfer *transfer)
{
    return transfer->answer.head_done ? transfer->answer.status : 0;
}

bool transfer_next_header(const struct transfer *transfer, size_t *at, struct text *name,
                          struct text *value)
{
    return http1_header(&transfer->answer, at, name, value);
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

bool transfer_decoded(const struct transfer *transfer)
{
    return transfer->unzip != NULL;
}

struct text transfer_body(const struct transfer *transfer)
{
    return buffer_text(&transfer->body);
}

/* What is compressed and waiting comes first; then the socket. */
static void undo_more(struct transfer *transfer)
{
    if (transfer->end != TRANSFER_RUNNING || transfer->held || !end_waits(transfer))
        return;
    touch(transfer); /* the owner looks again at the next kick */
    if (!unzip_step(transfer->unzip, &transfer->body, UNTAKEN_MOST)) {
        finish(transfer, TRANSFER_CUT, "its compressed answer is damaged");
        return;
    }
    struct text none = TEXT("");
    struct text body;
    if (!end_waits(transfer) && http1_next(&transfer->answer, &none, &body) == HTTP1_END)
        end_answer(transfer);
}

void transfer_taken(struct transfer *transfer)
{
    buffer_clear(&transfer->body);
    undo_more(transfer);
    set_reading(transfer);
}

void transfer_hold(struct transfer *transfer, bool held)
{
    transfer->held = held;
    if (!held)
        undo_more(transfer);
    set_reading(transfer);
}

bool transfer_read(struct transfer *transfer)
{
    transfer->held = false;
    undo_more(transfer);
    if (transfer->end == TRANSFER_RUNNING && transfer->sent > 0)
        receive(transfer, true);
    set_reading(transfer);
    return transfer->body.size > 0;
}

enum transfer_end transfer_ended(const struct transfer *transfer)
{
    return transfer->end;
}

bool transfer_until_close(const struct transfer *transfer)
{
    return transfer->answer.until_close;
}

bool transfer_all_sent(const struct transfer *transfer)
{
    return transfer->sent == transfer->size;
}

const char *transfer_why(const struct transfer *transfer)
{
    return transfer->why;
}
