/*
 * A ring of received requests; see archive.h.
 */
#include "archive.h"

#include <stdlib.h>

struct record {
    struct bytes method;
    struct bytes target;
    struct bytes headers;
    struct bytes body;
    size_t body_size;
};

struct archive {
    struct record ring[ARCHIVE_RING];
    uint64_t count;
};

struct archive *archive_open(void)
{
    struct archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL)
        abort();
    return archive;
}

void archive_reset(struct archive *archive)
{
    for (size_t i = 0; i < ARCHIVE_RING; i++) {
        bytes_free(&archive->ring[i].method);
        bytes_free(&archive->ring[i].target);
        bytes_free(&archive->ring[i].headers);
        bytes_free(&archive->ring[i].body);
    }
    *archive = (struct archive){0};
}

void archive_close(struct archive *archive)
{
    if (archive == NULL)
        return;
    archive_reset(archive);
    free(archive);
}

static void replace(struct bytes *bytes, struct text text)
{
    bytes->size = 0;
    bytes_add_text(bytes, text);
}

void archive_add(struct archive *archive, const struct http_request *request)
{
    struct record *record = &archive->ring[archive->count++ % ARCHIVE_RING];
    struct text body = request->body;
    record->body_size = body.size;
    body.size = body.size < ARCHIVE_BODY_MAX ? body.size : ARCHIVE_BODY_MAX;
    replace(&record->method, request->method);
    replace(&record->target, request->target);
    replace(&record->headers, request->headers);
    replace(&record->body, body);
}

static void print_headers(struct bytes *out, struct text headers)
{
    struct text name;
    struct text value;
    const char *comma = "";
    bytes_print(out, "[");
    while (http_next_header(&headers, &name, &value)) {
        bytes_print(out, "%s[", comma);
        bytes_add_json(out, name);
        bytes_print(out, ",");
        bytes_add_json(out, value);
        bytes_print(out, "]");
        comma = ",";
    }
    bytes_print(out, "]");
}

static void print_record(struct bytes *out, const struct record *record)
{
    bytes_print(out, "{\"method\":");
    bytes_add_json(out, bytes_text(&record->method));
    bytes_print(out, ",\"target\":");
    bytes_add_json(out, bytes_text(&record->target));
    bytes_print(out, ",\"headers\":");
    print_headers(out, bytes_text(&record->headers));
    bytes_print(out, ",\"body_size\":%zu,\"body\":\"", record->body_size);
    bytes_add_base64(out, record->body.at, record->body.size);
    bytes_print(out, "\"}");
}

void archive_print(const struct archive *archive, struct bytes *out, int64_t count)
{
    uint64_t kept = archive->count < ARCHIVE_RING ? archive->count : ARCHIVE_RING;
    uint64_t shown = (uint64_t)count < kept ? (uint64_t)count : kept;
    bytes_print(out, "{\"requests\":[");
    for (uint64_t i = archive->count - shown; i < archive->count; i++) {
        bytes_print(out, i > archive->count - shown ? "," : "");
        print_record(out, &archive->ring[i % ARCHIVE_RING]);
    }
    bytes_print(out, "]}");
}
