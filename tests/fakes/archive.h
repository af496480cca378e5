/*
 * The last requests received, byte for byte, so that a test can compare them with what was sent.
 */
#ifndef FAKES_ARCHIVE_H
#define FAKES_ARCHIVE_H

#include "http.h"

enum { ARCHIVE_RING = 64, ARCHIVE_BODY_MAX = 1024 * 1024 };

struct archive;

struct archive *archive_open(void);
void archive_close(struct archive *archive);
/* Bodies above ARCHIVE_BODY_MAX are cut; `body_size` in the listing is the true size. */
void archive_add(struct archive *archive, const struct http_request *request);
void archive_reset(struct archive *archive);
/* {"requests":[{method, target, headers:[[name, value]…], body_size, body (base64)}…]}: the last
 * `count`, the oldest first. */
void archive_print(const struct archive *archive, struct bytes *out, int64_t count);

#endif
