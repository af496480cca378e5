/*
 * A transport of which the test says how each transfer ended. Included by one file of a program: it
 * takes the place of upstream/transport.c.
 */
#ifndef PURSER_TESTS_PIPELINE_TRANSPORT_H
#define PURSER_TESTS_PIPELINE_TRANSPORT_H

#include "upstream/transport.h"

struct transfer {
    enum transfer_end end;
    int status;
    bool all_sent;
    bool until_close;
};

struct transport *transport_open(struct loop *loop)
{
    (void)loop;
    return NULL;
}

void transport_close(struct transport *transport)
{
    (void)transport;
}

void transport_renew(struct transport *transport)
{
    (void)transport;
}

void transport_kick(struct transport *transport)
{
    (void)transport;
}

bool transport_pending(const struct transport *transport)
{
    (void)transport;
    return false;
}

struct transfer *transfer_start(struct transport *transport, const struct transfer_ask *ask)
{
    (void)transport;
    (void)ask;
    return NULL;
}

void transfer_close(struct transfer *transfer)
{
    (void)transfer;
}

int transfer_status(const struct transfer *transfer)
{
    return transfer->status;
}

struct text transfer_header(const struct transfer *transfer, struct text name)
{
    (void)transfer;
    (void)name;
    return TEXT_NONE;
}

bool transfer_next_header(const struct transfer *transfer, size_t *at, struct text *name,
                          struct text *value)
{
    (void)transfer;
    (void)at;
    (void)name;
    (void)value;
    return false;
}

bool transfer_decoded(const struct transfer *transfer)
{
    (void)transfer;
    return false;
}

struct text transfer_body(const struct transfer *transfer)
{
    (void)transfer;
    return TEXT_NONE;
}

void transfer_taken(struct transfer *transfer)
{
    (void)transfer;
}

void transfer_hold(struct transfer *transfer, bool held)
{
    (void)transfer;
    (void)held;
}

bool transfer_read(struct transfer *transfer)
{
    (void)transfer;
    return false;
}

enum transfer_end transfer_ended(const struct transfer *transfer)
{
    return transfer->end;
}

bool transfer_until_close(const struct transfer *transfer)
{
    return transfer->until_close;
}

bool transfer_all_sent(const struct transfer *transfer)
{
    return transfer->all_sent;
}

const char *transfer_why(const struct transfer *transfer)
{
    (void)transfer;
    return "";
}

#endif
