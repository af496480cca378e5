/*
 * Fuzzing time zone files: any bytes are refused, or make a zone whose spans and first moments
 * hold together.
 */
#include "base/clock.h"
#include "base/zone.h"
#include "fuzz.h"

static void check_around(const struct zone *zone, int64_t utc_s)
{
    struct zone_span span = zone_span_at(zone, utc_s);
    ASSERT(span.start_s <= utc_s);
    ASSERT(span.end_s > utc_s);
    ASSERT(span.offset_s == zone_offset_at(zone, utc_s));

    int64_t local_s = utc_s + span.offset_s;
    int64_t first_s = zone_first_at(zone, local_s);
    ASSERT(first_s <= utc_s);
    ASSERT(first_s + zone_offset_at(zone, first_s) >= local_s);
    ASSERT(first_s - 1 + zone_offset_at(zone, first_s - 1) < local_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct fault fault;
    struct zone *zone = zone_from_bytes(text_make((const char *)bytes, size), &fault);
    if (zone == NULL)
        return 0;
    int64_t at_s = -ZONE_LIMIT_S / 2;
    for (int i = 0; i < 50 && at_s < ZONE_LIMIT_S / 2; i++) {
        check_around(zone, at_s);
        at_s = zone_span_at(zone, at_s).end_s;
    }
    check_around(zone, 0);
    check_around(zone, clock_days_from_civil(2026, 11, 21) * 86400);
    check_around(zone, clock_days_from_civil(2060, 2, 29) * 86400);
    zone_close(zone);
    return 0;
}
