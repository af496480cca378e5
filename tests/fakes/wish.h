/*
 * What a request wishes the fake to do: the header `x-fake: key=value,key=value`, and the text
 * `[fake key=value key=value]` anywhere in the body (the last one counts, for agents repeat their
 * history). tests/fakes/README.md lists the keys.
 */
#ifndef FAKES_WISH_H
#define FAKES_WISH_H

#include "bytes.h"

enum wish_usage { USAGE_ASKED, USAGE_MISSING, USAGE_EVERY, USAGE_WITH_CHOICES };
enum { WISH_ABSENT = -1, WISH_NUMBER_MAX = 1000000000, WISH_HEADERS_MAX = 1024 };

/* Numbers are WISH_ABSENT where nothing was wished. */
struct wish {
    int64_t prompt;
    int64_t cached;
    int64_t cache_write;
    int64_t cache_write_1h;
    int64_t searches;
    int64_t seconds;
    int64_t bytes;
    int64_t output;
    int64_t reasoning;
    int64_t chunks;
    int64_t delay_ms;
    int64_t gap_ms;
    int64_t slow_head_ms;
    int64_t status;
    int64_t retry_after;
    int64_t gzip;
    int64_t die_after;
    int64_t fail_after;
    int64_t tail;
    int64_t dense;
    int64_t no_answer;
    int64_t html;
    int64_t half_chunk;
    int64_t big_mb;
    int64_t ignore_max;
    int64_t events_crlf;
    int64_t cost; /* nano-dollars that usage names and the bill has */
    int64_t lie;  /* completion tokens to report instead */
    enum wish_usage usage;
    bool cancel_ignored;
    char tier[32];                  /* service tier to answer with, or empty */
    char name[128];                 /* model name to echo, or empty */
    char tool[64];                  /* function to call instead of saying something, or empty */
    char headers[WISH_HEADERS_MAX]; /* whole extra header lines, or empty */
};

/* Reads both places. False: a key or value is unknown or too large, and *wrong is that part; the
 * fake then answers 400, so that a misspelt test fails. */
bool wish_read(struct wish *wish, struct text headers, struct text body, struct text *wrong);

/* The number wished, or `otherwise`. */
int64_t wish_or(int64_t wished, int64_t otherwise);
/* True for any number but 0. */
bool wish_on(int64_t wished);

#endif
