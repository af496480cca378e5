/*
 * How long a WebM file is (RFC 8794, 9559): see wire/sound_parts.h. Elements that hold others are
 * entered whatever size they say that they have: so it is walked as by those who go by the sizes.
 */
#include <string.h>

#include "wire/sound_parts.h"

#define NANO          UINT64_C(1000000000)
#define BLOCK_HEAD    4 /* track, time in two bytes, flags */
#define LACING        0x06
#define SIZE_UNKNOWN  UINT64_MAX
#define DURATION_MOST 1e15
#define PACKET_NANO   (120 * UINT64_C(1000000))
#define SCALE_MOST    (UINT64_C(3600) * NANO)
#define TIME_MOST     UINT64_C(1000000000000)

enum kind { ENTER, SCALE, DURATION, CODEC, CLUSTER_TIME, BLOCK, BLOCK_TIME, REFUSED };

static const struct {
    uint64_t id;
    enum kind kind;
} elements[] = {
    {0x18538067, ENTER},                       /* Segment */
    {0x1549A966, ENTER},                       /* Info */
    {0x2AD7B1, SCALE},                         /* nanoseconds of a unit of time */
    {0x4489, DURATION},   {0x1654AE6B, ENTER}, /* Tracks */
    {0xAE, ENTER},                             /* TrackEntry */
    {0x86, CODEC},        {0x6D80, REFUSED},   /* ContentEncodings: packets may be compressed */
    {0x23E383, REFUSED},                       /* DefaultDuration */
    {0x1F43B675, ENTER},                       /* Cluster */
    {0xE7, CLUSTER_TIME}, {0xA0, ENTER},       /* BlockGroup */
    {0xA1, BLOCK},        {0xA3, BLOCK},       /* SimpleBlock */
    {0x9B, BLOCK_TIME},
};

struct webm {
    struct text rest;
    uint64_t scale, cluster, time; /* time: the latest that is written, in units */
    uint64_t samples;
    double duration; /* in units */
    int tracks;
};

/* The first byte's leading zeroes tell how many follow; `keep`: it belongs to the number. */
static bool read_number(struct text *rest, bool keep, uint64_t *number)
{
    unsigned first = rest->size > 0 ? (unsigned char)rest->at[0] : 0;
    size_t bytes = 1;

    while (bytes <= 8 && (first & (0x100u >> bytes)) == 0) {
        bytes++;
    }
    if (bytes > 8 || bytes > rest->size) {
        return false;
    }
    *number = sound_number(*rest, 0, bytes);
    uint64_t mark = UINT64_C(1) << (7 * bytes);
    if (!keep) {
        *number &= mark - 1;
        *number = *number == mark - 1 ? SIZE_UNKNOWN : *number;
    }
    *rest = text_from(*rest, bytes);
    return true;
}

static bool read_unsigned(struct text content, uint64_t most, uint64_t *number)
{
    if (content.size > 8) {
        return false;
    }
    uint64_t read = sound_number(content, 0, content.size);
    if (read > most) {
        return false;
    }
    *number = read;
    return true;
}

static bool read_duration(struct webm *webm, struct text content)
{
    double duration = 0;

    if (content.size == sizeof(float)) {
        uint32_t bits = (uint32_t)sound_number(content, 0, sizeof(float));
        float single;
        memcpy(&single, &bits, sizeof(single));
        duration = (double)single;
    } else if (content.size == sizeof(double)) {
        uint64_t bits = sound_number(content, 0, sizeof(double));
        memcpy(&duration, &bits, sizeof(duration));
    }
    if (!(duration >= 0 && duration <= DURATION_MOST)) {
        return false;
    }
    webm->duration = duration > webm->duration ? duration : webm->duration;
    return true;
}

static void note_time(struct webm *webm, uint64_t time)
{
    webm->time = time > webm->time ? time : webm->time;
}

/* One packet, at a time from the cluster's on. */
static bool read_block(struct webm *webm, struct text content)
{
    if (content.size < BLOCK_HEAD || ((unsigned char)content.at[0] & 0x80) == 0 ||
        ((unsigned char)content.at[3] & LACING) != 0) {
        return false;
    }
    uint64_t later = sound_number(content, 1, 2);
    note_time(webm, webm->cluster + (later < 0x8000 ? later : 0));
    webm->samples += sound_of_opus_packet(text_from(content, BLOCK_HEAD));
    return true;
}

static bool take(struct webm *webm, enum kind kind, struct text content)
{
    uint64_t time;

    switch (kind) {
    case ENTER:
        return true;
    case SCALE:
        return read_unsigned(content, SCALE_MOST, &webm->scale);
    case DURATION:
        return read_duration(webm, content);
    case CODEC:
        return ++webm->tracks == 1 && text_equal(content, TEXT("A_OPUS"));
    case CLUSTER_TIME:
        return read_unsigned(content, TIME_MOST, &webm->cluster);
    case BLOCK:
        return read_block(webm, content);
    case BLOCK_TIME: /* of the block before it; which of them is not looked at */
        if (!read_unsigned(content, TIME_MOST, &time)) {
            return false;
        }
        note_time(webm, webm->time + time);
        return webm->time <= TIME_MOST;
    case REFUSED:
        break;
    }
    return false;
}

/* What is not in the table holds no sound. A last element may be cut off. */
static bool next_element(struct webm *webm)
{
    uint64_t id, size;

    if (!read_number(&webm->rest, true, &id) || !read_number(&webm->rest, false, &size)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
        if (elements[i].id == id && elements[i].kind == ENTER) {
            return true;
        }
    }
    if (size == SIZE_UNKNOWN) {
        return false;
    }
    struct text content =
        text_slice(webm->rest, 0, size < webm->rest.size ? size : webm->rest.size);
    webm->rest = text_from(webm->rest, content.size);
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
        if (elements[i].id == id) {
            return take(webm, elements[i].kind, content);
        }
    }
    return true;
}

/* Whatever is written as a time, and a packet more. */
static int64_t claimed(const struct webm *webm)
{
    unsigned __int128 units = (unsigned __int128)webm->time * webm->scale;
    unsigned __int128 length = (unsigned __int128)webm->duration + 1;

    length *= webm->scale;
    unsigned __int128 nano = (units > length ? units : length) + PACKET_NANO;
    return nano / NANO < TIME_MOST ? sound_seconds_of((uint64_t)(nano / NANO) + 1, 1)
                                   : SOUND_UNBOUNDED;
}

int64_t sound_of_webm(struct text file)
{
    struct webm webm = {.rest = file, .scale = 1000000};

    while (webm.rest.size > 0) {
        if (!next_element(&webm)) {
            return SOUND_UNBOUNDED;
        }
    }
    if (webm.tracks != 1) {
        return SOUND_UNBOUNDED;
    }
    int64_t written = claimed(&webm);
    int64_t held = sound_seconds_of(webm.samples, SOUND_OPUS_RATE);
    return written > held ? written : held;
}
