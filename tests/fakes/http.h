/*
 * HTTP/1.1 as a server needs it: reading requests as they arrive, writing heads and chunks.
 */
#ifndef FAKES_HTTP_H
#define FAKES_HTTP_H

#include "bytes.h"

enum { HTTP_HEAD_MAX = 64 * 1024, HTTP_BODY_MAX = 64 * 1024 * 1024 };

/* One whole request. All slices point into the reader and live until http_reader_next. */
struct http_request {
    struct text method;
    struct text target; /* path and query as sent */
    struct text path;
    struct text query;   /* behind the '?', else empty */
    struct text headers; /* the raw header lines */
    struct text body;    /* chunked bodies are decoded */
    bool last;           /* the client asked to close behind the answer */
};

enum http_got {
    HTTP_MORE,      /* not all is here yet */
    HTTP_READY,     /* *request is filled */
    HTTP_MALFORMED, /* answer 400 and close */
    HTTP_TOO_LARGE, /* answer 413 and close */
};

/* Owned by a connection; {0} begins, http_reader_free ends. Put what is received into `in`. */
struct http_reader {
    struct bytes in;
    struct bytes unchunked; /* the decoded part of a chunked body */
    size_t looked;          /* bytes searched for the end of the head */
    size_t head_size;       /* 0: the head is not complete */
    size_t used;            /* bytes of `in` that belong to this request, as far as known */
    int64_t length;         /* Content-Length */
    bool chunked;
    bool wants_continue; /* the client waits for "100 Continue"; whoever answers it clears this */
};

enum http_got http_reader_look(struct http_reader *reader, struct http_request *request);
/* Forgets the request that was ready. What the client sent behind it stays. */
void http_reader_next(struct http_reader *reader);
void http_reader_free(struct http_reader *reader);

/* The first header of that name (case does not matter). False: there is none. */
bool http_header(struct text headers, struct text name, struct text *value);
/* Takes the next header line off the front of *headers. False: there is no more. */
bool http_next_header(struct text *headers, struct text *name, struct text *value);
/* True: the headers carry the API key as a bearer, in api-key or in x-api-key, or `key` is empty.
 */
bool http_carries_key(struct text headers, struct text key);
/* The value of `name` in a query string, not decoded. False: it is not there. */
bool http_query(struct text query, struct text name, struct text *value);

/* Begins a head: the status line. Headers and the empty line are the caller's. */
void http_status_line(struct bytes *out, int status);
void http_chunk(struct bytes *out, struct text data);

#endif
