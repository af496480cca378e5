/*
 * Time zones from TZif files. Read by the bytes, with every count and index checked, because an
 * image may bring any tzdata: the file is outside data.
 *
 * A zone is a list of changes (from this moment on, that offset) and the rule for all time after
 * the last one. Files come fat (changes up to 2037) and slim (rule from the last irregular change
 * on); both are read alike.
 */
#include "base/zone.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    HOUR_S = 3600,
    DAY_S = 86400,
    MAX_OFFSET_S = 26 * HOUR_S - 1,      /* RFC 8536, section 3.2: less than 26 hours */
    MAX_RULE_OFFSET_S = 25 * HOUR_S - 1, /* POSIX: hours 0 to 24; leaves room for summer's hour */
    MAX_RULE_TIME_S = 168 * HOUR_S - 1,  /* RFC 8536, section 3.3.1: hours -167 to 167 */
    MAX_FILE_BYTES = 1 << 20,
};

struct change {
    int64_t at_s;
    int32_t offset_s;
};

enum day_form { DAY_OF_YEAR, DAY_WITHOUT_LEAP, DAY_OF_WEEK };

/* When in a year the clocks change: a day, and local seconds from its midnight. */
struct rule_day {
    enum day_form form;
    int day;   /* 0..365; without leap days 1..365; of the week 0..6, 0 is Sunday */
    int week;  /* 1..5, 5 is the month's last; for DAY_OF_WEEK */
    int month; /* 1..12; for DAY_OF_WEEK */
    int32_t time_s;
};

struct rule {
    bool is_there;
    bool has_summer;
    int32_t standard_s;
    int32_t summer_s;
    struct rule_day starts; /* of summer time */
    struct rule_day ends;
};

struct zone {
    int32_t first_offset_s; /* before all changes */
    size_t count;
    struct change *changes;
    struct rule rule; /* from the last change on */
};

/* ---- the rule: reading ---- */

/* Walks over the footer; once something does not fit, `ok` stays false. */
struct reader {
    struct text rest;
    bool ok;
};

static char reader_peek(const struct reader *reader)
{
    return reader->rest.size > 0 ? reader->rest.at[0] : '\0';
}

static bool reader_take(struct reader *reader, char expected)
{
    if (reader->rest.size == 0 || reader->rest.at[0] != expected)
        return false;
    reader->rest = text_from(reader->rest, 1);
    return true;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static int reader_number(struct reader *reader, int least, int most)
{
    int value = 0;
    bool found = false;
    while (is_digit(reader_peek(reader)) && value <= most) {
        value = value * 10 + (reader_peek(reader) - '0');
        reader->rest = text_from(reader->rest, 1);
        found = true;
    }
    if (!found || value < least || value > most)
        reader->ok = false;
    return value;
}

static void reader_skip_name(struct reader *reader)
{
    size_t size = 0;
    struct text rest = reader->rest;
    if (reader_peek(reader) == '<') {
        size = text_find(rest, TEXT(">"), 0);
        size = size == SIZE_MAX ? 0 : size + 1;
    } else {
        while (size < rest.size && is_letter(rest.at[size]))
            size++;
    }
    reader->ok = reader->ok && size >= 3;
    reader->rest = text_from(rest, size);
}

/* "[+-]h[h[h]][:mm[:ss]]" */
static int32_t reader_time_s(struct reader *reader, int most_s)
{
    int sign = reader_take(reader, '-') ? -1 : 1;
    if (sign > 0)
        (void)reader_take(reader, '+');
    int time_s = reader_number(reader, 0, most_s / HOUR_S) * HOUR_S;
    if (reader_take(reader, ':'))
        time_s += reader_number(reader, 0, 59) * 60;
    if (reader_take(reader, ':'))
        time_s += reader_number(reader, 0, 59);
    return sign * time_s;
}

static struct rule_day reader_day(struct reader *reader)
{
    struct rule_day day = {.form = DAY_OF_YEAR, .time_s = 2 * HOUR_S};
    if (reader_take(reader, 'M')) {
        day.form = DAY_OF_WEEK;
        day.month = reader_number(reader, 1, 12);
        reader->ok = reader_take(reader, '.') && reader->ok;
        day.week = reader_number(reader, 1, 5);
        reader->ok = reader_take(reader, '.') && reader->ok;
        day.day = reader_number(reader, 0, 6);
    } else if (reader_take(reader, 'J')) {
        day.form = DAY_WITHOUT_LEAP;
        day.day = reader_number(reader, 1, 365);
    } else {
        day.day = reader_number(reader, 0, 365);
    }
    if (reader_take(reader, '/'))
        day.time_s = reader_time_s(reader, MAX_RULE_TIME_S);
    return day;
}

/* POSIX counts offsets westwards, everybody else eastwards. Without days for summer time it leaves
 * the choice open; like the tz code, take those of the United States. */
static bool rule_parse(struct text footer, struct rule *rule)
{
    struct reader reader = {.rest = footer, .ok = true};
    struct rule result = {.is_there = true};
    reader_skip_name(&reader);
    result.standard_s = -reader_time_s(&reader, MAX_RULE_OFFSET_S);
    result.has_summer = reader.rest.size > 0;
    if (result.has_summer) {
        reader_skip_name(&reader);
        char next = reader_peek(&reader);
        result.summer_s = next == ',' || next == '\0' ? result.standard_s + HOUR_S
                                                      : -reader_time_s(&reader, MAX_RULE_OFFSET_S);
        if (reader.rest.size == 0)
            reader.rest = TEXT(",M3.2.0,M11.1.0");
        reader.ok = reader_take(&reader, ',') && reader.ok;
        result.starts = reader_day(&reader);
        reader.ok = reader_take(&reader, ',') && reader.ok;
        result.ends = reader_day(&reader);
    }
    if (!reader.ok || reader.rest.size > 0)
        return false;
    *rule = result;
    return true;
}

/* ---- the rule: using ---- */

static int64_t day_of_week(int64_t year, const struct rule_day *day)
{
    int64_t first = clock_days_from_civil(year, day->month, 1);
    int64_t next_month = day->month < 12 ? clock_days_from_civil(year, day->month + 1, 1)
                                         : clock_days_from_civil(year + 1, 1, 1);
    int64_t first_weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t found = first + (day->day - first_weekday + 7) % 7 + (day->week - 1) * 7;
    return found < next_month ? found : found - 7;
}

static int64_t day_without_leap(int64_t year, const struct rule_day *day)
{
    int64_t first = clock_days_from_civil(year, 1, 1);
    int64_t march = clock_days_from_civil(year, 3, 1);
    return day->day < 60 ? first + day->day - 1 : march + day->day - 60;
}

static int64_t day_of_year(int64_t year, const struct rule_day *day)
{
    return clock_days_from_civil(year, 1, 1) + day->day;
}

/* In local seconds of the clock that the change ends. */
static int64_t rule_day_s(int64_t year, const struct rule_day *day)
{
    static int64_t (*const forms[])(int64_t year, const struct rule_day *day) = {
        [DAY_OF_YEAR] = day_of_year,
        [DAY_WITHOUT_LEAP] = day_without_leap,
        [DAY_OF_WEEK] = day_of_week,
    };
    return forms[day->form](year, day) * DAY_S + day->time_s;
}

/* Where summer time never ends, one year's end is the next one's start: the start counts. */
static void narrow_span(struct zone_span *span, struct change change, int64_t utc_s)
{
    if (change.at_s > utc_s) {
        if (change.at_s < span->end_s)
            span->end_s = change.at_s;
    } else if (change.at_s >= span->start_s) {
        span->start_s = change.at_s;
        span->offset_s = change.offset_s;
    }
}

/* Times of day may reach a week beyond the year, so that the latest change before the first week's
 * may be one of the year before last; and alike at a year's end. */
static struct zone_span rule_span_at(const struct rule *rule, int64_t utc_s)
{
    struct zone_span span = {INT64_MIN, INT64_MAX, rule->standard_s};
    if (!rule->has_summer)
        return span;
    int64_t year = 0;
    int month = 0;
    int day = 0;
    clock_civil_from_days(clock_day_of(utc_s), &year, &month, &day);
    for (int64_t near = year - 2; near <= year + 2; near++) {
        struct change start = {rule_day_s(near, &rule->starts) - rule->standard_s, rule->summer_s};
        struct change end = {rule_day_s(near, &rule->ends) - rule->summer_s, rule->standard_s};
        narrow_span(&span, start, utc_s);
        narrow_span(&span, end, utc_s);
    }
    return span;
}

/* ---- looking up ---- */

/* The number of changes at or before a moment. */
static size_t changes_until(const struct zone *zone, int64_t utc_s)
{
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at_s <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct zone_span zone_span_at(const struct zone *zone, int64_t utc_s)
{
    ASSERT(utc_s >= -ZONE_LIMIT_S);
    ASSERT(utc_s <= ZONE_LIMIT_S);
    size_t passed = changes_until(zone, utc_s);
    struct zone_span span = {INT64_MIN, INT64_MAX, zone->first_offset_s};
    if (passed == zone->count && zone->rule.is_there)
        span = rule_span_at(&zone->rule, utc_s);
    else if (passed > 0)
        span.offset_s = zone->changes[passed - 1].offset_s;
    if (passed > 0 && zone->changes[passed - 1].at_s > span.start_s)
        span.start_s = zone->changes[passed - 1].at_s;
    if (passed < zone->count)
        span.end_s = zone->changes[passed].at_s;
    return span;
}

int32_t zone_offset_at(const struct zone *zone, int64_t utc_s)
{
    return zone_span_at(zone, utc_s).offset_s;
}

/* Starts where local time is surely earlier, and walks from change to change. */
int64_t zone_first_at(const struct zone *zone, int64_t local_s)
{
    int64_t at_s = local_s - MAX_OFFSET_S - 1;
    for (;;) {
        struct zone_span span = zone_span_at(zone, at_s);
        if (at_s + span.offset_s >= local_s)
            return at_s;
        if (local_s - span.offset_s < span.end_s)
            return local_s - span.offset_s;
        at_s = span.end_s;
    }
}

/* ---- reading TZif, RFC 8536 section 3 ---- */

enum { HEADER_BYTES = 44, TYPE_BYTES = 6 };

struct header {
    char version;
    size_t leaps;
    size_t changes;
    size_t types;
    size_t types_at; /* where in the block these begin */
    size_t block_bytes;
};

/* Big-endian, two's complement. */
static int64_t read_int(const char *at, size_t width)
{
    uint64_t value = ((unsigned char)at[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < width; i++)
        value = value << 8 | (unsigned char)at[i];
    return (int64_t)value;
}

static size_t read_count(const char *at)
{
    return (size_t)read_int(at, 4) & UINT32_MAX;
}

/* Takes the header off `*rest` and makes sure that its block follows. `width`: of a moment. */
static bool take_header(struct text *rest, size_t width, struct header *header)
{
    if (rest->size < HEADER_BYTES || !text_starts(*rest, TEXT("TZif")))
        return false;
    const char *at = rest->at;
    size_t ut_flags = read_count(at + 20);
    size_t standard_flags = read_count(at + 24);
    size_t name_bytes = read_count(at + 40);
    header->version = at[4];
    header->leaps = read_count(at + 28);
    header->changes = read_count(at + 32);
    header->types = read_count(at + 36);
    header->types_at = header->changes * (width + 1);
    header->block_bytes = header->types_at + header->types * TYPE_BYTES + name_bytes +
                          header->leaps * (width + 4) + standard_flags + ut_flags;
    *rest = text_from(*rest, HEADER_BYTES);
    return header->block_bytes <= rest->size;
}

static bool load_offset(struct text block, const struct header *header, size_t type,
                        int32_t *offset_s)
{
    if (type >= header->types)
        return false;
    int64_t value = read_int(block.at + header->types_at + type * TYPE_BYTES, 4);
    if (value < -MAX_OFFSET_S || value > MAX_OFFSET_S)
        return false;
    *offset_s = (int32_t)value;
    return true;
}

/* The moments stand first, in order, then the type of each. */
static bool load_changes(struct zone *zone, struct text block, const struct header *header,
                         size_t width)
{
    if (!load_offset(block, header, 0, &zone->first_offset_s))
        return false;
    zone->changes = memory_new((header->changes + 1) * sizeof(*zone->changes));
    zone->count = header->changes;
    for (size_t i = 0; i < header->changes; i++) {
        struct change *change = &zone->changes[i];
        size_t type = (unsigned char)block.at[header->changes * width + i];
        change->at_s = read_int(block.at + i * width, width);
        if (i > 0 && change->at_s <= zone->changes[i - 1].at_s)
            return false;
        if (!load_offset(block, header, type, &change->offset_s))
            return false;
    }
    return true;
}

/* The footer stands between two line feeds; an empty one says that no rule is known. */
static bool load_rule(struct zone *zone, struct text footer)
{
    size_t end = text_find(footer, TEXT("\n"), 1);
    if (!text_starts(footer, TEXT("\n")) || end == SIZE_MAX)
        return false;
    struct text rule = text_slice(footer, 1, end);
    return rule.size == 0 || rule_parse(rule, &zone->rule);
}

/* From version 2 on a block with 32-bit moments is followed by one with 64 bits and a footer. */
static bool load(struct zone *zone, struct text bytes, struct fault *fault)
{
    struct text rest = bytes;
    struct header header = {0};
    size_t width = 4;
    if (!take_header(&rest, width, &header))
        return fault_set(fault, "is not a TZif file, or is cut off");
    if (header.version >= '2') {
        rest = text_from(rest, header.block_bytes);
        width = 8;
        if (!take_header(&rest, width, &header))
            return fault_set(fault, "is cut off after its first half");
    }
    if (header.leaps > 0)
        return fault_set(fault, "counts leap seconds, which computers' clocks do not");
    if (!load_changes(zone, rest, &header, width))
        return fault_set(fault, "is damaged: it contradicts itself");
    if (width == 8 && !load_rule(zone, text_from(rest, header.block_bytes)))
        return fault_set(fault, "is damaged: the rule at its end cannot be read");
    return true;
}

struct zone *zone_from_bytes(struct text bytes, struct fault *fault)
{
    struct zone *zone = memory_new(sizeof(*zone));
    if (load(zone, bytes, fault))
        return zone;
    zone_close(zone);
    return NULL;
}

/* ---- files ---- */

/* All names of tzdata keep to these characters; so there is no ".." and no zero byte either. */
static bool is_name(struct text name)
{
    if (name.size == 0 || name.size > 255 || name.at[0] == '/')
        return false;
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.at[i];
        if (!is_letter(byte) && !is_digit(byte) && memchr("_+-/", byte, 4) == NULL)
            return false;
    }
    return true;
}

static bool read_all(int fd, struct buffer *bytes, struct fault *fault)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > MAX_FILE_BYTES)
        return fault_set(fault, "is not a TZif file");
    while (bytes->size <= MAX_FILE_BYTES) {
        buffer_reserve(bytes, 4096);
        ssize_t got = read(fd, bytes->at + bytes->size, bytes->room - bytes->size);
        if (got == 0)
            return true;
        if (got < 0)
            return fault_set(fault, "cannot be read (%m)");
        bytes->size += (size_t)got;
    }
    return fault_set(fault, "is too large");
}

static struct zone *open_file(const char *path, struct fault *fault)
{
    struct zone *zone = NULL;
    struct buffer bytes = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        (void)fault_set(fault, "cannot be opened (%m; is tzdata installed?)");
        return NULL;
    }
    if (read_all(fd, &bytes, fault))
        zone = zone_from_bytes(buffer_text(&bytes), fault);
    buffer_close(&bytes);
    close(fd);
    return zone;
}

struct zone *zone_open(const char *directory, struct text name, struct fault *fault)
{
    if (text_equal(name, TEXT("UTC")))
        return memory_new(sizeof(struct zone));
    if (!is_name(name)) {
        (void)fault_set(fault, "\"%.*s\" is not the name of a time zone, like \"Europe/Madrid\"",
                        TEXT_ARG(name));
        return NULL;
    }
    struct buffer path = {0};
    buffer_printf(&path, "%s/%.*s", directory == NULL ? "/usr/share/zoneinfo" : directory,
                  TEXT_ARG(name));
    struct zone *zone = open_file(buffer_string(&path), fault);
    if (zone == NULL)
        (void)fault_prefix(fault, "time zone \"%.*s\": %s", TEXT_ARG(name), buffer_string(&path));
    buffer_close(&path);
    return zone;
}

struct zone *zone_copy(const struct zone *zone)
{
    struct zone *copy = memory_new(sizeof(*copy));
    *copy = *zone;
    copy->changes = memory_new((zone->count + 1) * sizeof(*zone->changes));
    if (zone->count > 0)
        memcpy(copy->changes, zone->changes, zone->count * sizeof(*zone->changes));
    return copy;
}

void zone_close(struct zone *zone)
{
    if (zone == NULL)
        return;
    free(zone->changes);
    free(zone);
}
