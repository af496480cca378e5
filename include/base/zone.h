/*
 * Time zones, read from the system's tzdata (TZif files, RFC 8536) into memory of our own: glibc
 * has no thread-safe zone API. A zone is read-only once open and may be shared by threads.
 */
#ifndef PURSER_BASE_ZONE_H
#define PURSER_BASE_ZONE_H

#include "base/fault.h"
#include "base/text.h"

struct zone;

/* Moments are UTC seconds since 1970-01-01 and at most this far from it (a billion years). */
#define ZONE_LIMIT_S (INT64_C(1) << 55)

/* "UTC" (always works, no files needed) or a name below `directory` ("Europe/Madrid"). Names that
 * are absolute or contain ".." are refused. `directory` NULL: /usr/share/zoneinfo. */
MUST_USE struct zone *zone_open(const char *directory, struct text name, struct fault *fault);
void zone_close(struct zone *zone); /* NULL-safe */
/* One that outlives the original; to be closed by the caller. */
struct zone *zone_copy(const struct zone *zone);

/* A zone from the content of a TZif file (versions 1 to 4); NULL if it is not one, is damaged or
 * counts leap seconds. `bytes` is not kept. */
MUST_USE struct zone *zone_from_bytes(struct text bytes, struct fault *fault);

/* Seconds to add to UTC to get local time, at a moment in UTC seconds. Beyond the table's last
 * transition the file's POSIX rule (its footer) is applied. */
int32_t zone_offset_at(const struct zone *zone, int64_t utc_s);

/* The first moment (UTC seconds) whose local time is at or after the given local wall-clock time,
 * counted in seconds as if local time were UTC. In a gap (clocks put forward) this is the moment
 * of the jump; in an overlap the earlier of the two. */
int64_t zone_first_at(const struct zone *zone, int64_t local_s);

/* The stretch between two changes of the clocks that holds a moment. Neighbours may have the same
 * offset: tzdata also records changes of name. */
struct zone_span {
    int64_t start_s;  /* inclusive; INT64_MIN: since ever */
    int64_t end_s;    /* exclusive; INT64_MAX: for ever */
    int32_t offset_s; /* as of zone_offset_at */
};
struct zone_span zone_span_at(const struct zone *zone, int64_t utc_s);

#endif
