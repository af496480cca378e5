/* How long an MP4 file is (ISO 14496-12, -14, -3): see wire/sound_parts.h. */
#include "wire/sound_parts.h"

#define PACKET_SAMPLES 1024 /* of AAC, at its core's rate */
#define ENTRIES_MOST   1000000
#define DEPTH_MOST     3 /* mdia, minf, stbl */

struct mp4 {
    uint64_t timescale; /* of the movie; its edits count in it */
    int64_t seconds;    /* the most that anything says */
    int tracks, movies;
};

struct track {
    uint64_t timescale;
    uint64_t core_rate; /* 0: not known */
    uint64_t packets;
    bool packets_told;
};

struct box {
    struct text type, content;
};

/* The next box; a size of 0 goes to the end, of 1 stands behind the type. */
static bool next_box(struct text *rest, struct box *box)
{
    size_t head = 8;

    if (rest->size < head) {
        return false;
    }
    uint64_t size = sound_number(*rest, 0, 4);
    if (size == 0) {
        size = rest->size;
    } else if (size == 1) {
        head = 16;
        size = rest->size >= head ? sound_number(*rest, 8, 8) : 0;
    }
    if (size < head || size > rest->size) {
        return false;
    }
    box->type = text_slice(*rest, 4, 8);
    box->content = text_slice(*rest, head, size);
    *rest = text_from(*rest, size);
    return true;
}

static bool is_type(const struct box *box, const char *type)
{
    return text_equal(box->type, text_of(type));
}

static void note(struct mp4 *mp4, uint64_t units, uint64_t rate)
{
    int64_t seconds = units == 0 ? 0 : sound_seconds_of(units, rate);
    mp4->seconds = seconds > mp4->seconds ? seconds : mp4->seconds;
}

/* mvhd and mdhd: version 1 has longer times. */
static bool read_header(struct mp4 *mp4, struct text head, uint64_t *timescale)
{
    bool longer = head.size > 0 && head.at[0] == 1;

    if (head.size < (longer ? 32u : 20u)) {
        return false;
    }
    *timescale = sound_number(head, longer ? 20 : 12, 4);
    uint64_t unknown = longer ? UINT64_MAX : UINT32_MAX;
    uint64_t duration = longer ? sound_number(head, 24, 8) : sound_number(head, 16, 4);
    note(mp4, duration == unknown ? 0 : duration, *timescale);
    return *timescale > 0;
}

/* elst: how long the movie stays at each of its parts. */
static bool read_edits(struct mp4 *mp4, struct text edits)
{
    size_t entry = edits.size > 0 && edits.at[0] == 1 ? 20 : 12, bytes = entry == 20 ? 8 : 4;
    uint64_t count = edits.size >= 8 ? sound_number(edits, 4, 4) : ENTRIES_MOST + 1;
    uint64_t all = 0;

    if (count > ENTRIES_MOST || count * entry > edits.size - 8) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t part = sound_number(edits, 8 + i * entry, bytes);
        all = part > UINT64_MAX - all ? UINT64_MAX : all + part;
    }
    note(mp4, all, mp4->timescale);
    return true;
}

/* stts: so many packets of that length, and so on. */
static bool read_times(struct mp4 *mp4, struct track *track, struct text times)
{
    uint64_t count = times.size >= 8 ? sound_number(times, 4, 4) : ENTRIES_MOST + 1;
    unsigned __int128 all = 0;

    if (count > ENTRIES_MOST || count * 8 > times.size - 8) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        all += (unsigned __int128)sound_number(times, 8 + i * 8, 4) *
               sound_number(times, 12 + i * 8, 4);
    }
    note(mp4, all > UINT64_MAX ? UINT64_MAX : (uint64_t)all, track->timescale);
    return true;
}

/* ---- what the packets are ---- */

/* A descriptor of that tag; its size has seven bits in each byte, at most four of them. */
static bool enter(struct text *rest, unsigned char tag)
{
    size_t at = 1;

    if (rest->size < 2 || (unsigned char)rest->at[0] != tag) {
        return false;
    }
    while (at < rest->size && at < 4 && ((unsigned char)rest->at[at] & 0x80) != 0) {
        at++;
    }
    *rest = text_from(*rest, at + 1);
    return true;
}

static bool skip(struct text *rest, size_t bytes)
{
    bool there = rest->size >= bytes;
    *rest = text_from(*rest, bytes);
    return there;
}

/* Main, LC, SSR and LTP, and what extends them. Others have packets of other lengths, or none of
 * its own loss (ALS, SLS). */
static uint64_t core_rate(struct text config)
{
    static const uint64_t rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                     22050, 16000, 12000, 11025, 8000,  7350};
    if (config.size < 2) {
        return 0;
    }
    unsigned bits = (unsigned)sound_number(config, 0, 2);
    unsigned kind = bits >> 11, rate = bits >> 7 & 15;
    bool aac = (kind >= 1 && kind <= 5) || kind == 29;
    return aac && rate < sizeof(rates) / sizeof(rates[0]) ? rates[rate] : 0;
}

/* esds: a stream's descriptor, in it its decoder's, in it what that needs. */
static uint64_t rate_of_stream(struct text stream)
{
    unsigned char object;

    if (!skip(&stream, 4) || !enter(&stream, 3) || !skip(&stream, 2) || stream.size < 1 ||
        stream.at[0] != 0 || !skip(&stream, 1) || !enter(&stream, 4) || stream.size < 13) {
        return 0;
    }
    object = (unsigned char)stream.at[0];
    bool aac = object == 0x40 || (object >= 0x66 && object <= 0x68);
    return aac && skip(&stream, 13) && enter(&stream, 5) ? core_rate(stream) : 0;
}

/* stsd: one kind of packets, as AAC is written outside QuickTime's own formats. */
static uint64_t rate_of_packets(struct text kinds)
{
    struct box entry, inner;
    struct text rest = text_from(kinds, 8);

    if (kinds.size < 8 || sound_number(kinds, 4, 4) != 1 || !next_box(&rest, &entry) ||
        !is_type(&entry, "mp4a") || entry.content.size < 28 ||
        sound_number(entry.content, 8, 2) != 0) {
        return 0;
    }
    rest = text_from(entry.content, 28);
    while (next_box(&rest, &inner)) {
        if (is_type(&inner, "esds")) {
            return rate_of_stream(inner.content);
        }
    }
    return 0;
}

/* ---- the boxes ---- */

static bool read_media(struct mp4 *mp4, struct track *track, struct text rest, int depth)
{
    struct box box;
    bool good = depth < DEPTH_MOST;

    while (good && next_box(&rest, &box)) {
        if (is_type(&box, "mdhd")) {
            good = track->timescale == 0 && read_header(mp4, box.content, &track->timescale);
        } else if (is_type(&box, "minf") || is_type(&box, "stbl")) {
            good = read_media(mp4, track, box.content, depth + 1);
        } else if (is_type(&box, "stsd")) {
            good = track->core_rate == 0;
            track->core_rate = rate_of_packets(box.content);
            good = good && track->core_rate > 0;
        } else if (is_type(&box, "stts")) {
            good = read_times(mp4, track, box.content);
        } else if (is_type(&box, "stsz")) {
            good = box.content.size >= 12 && !track->packets_told;
            track->packets = good ? sound_number(box.content, 8, 4) : 0;
            track->packets_told = true;
        }
    }
    return good;
}

static bool read_track(struct mp4 *mp4, struct text rest)
{
    struct track track = {.timescale = 0};
    struct box box, edits;
    bool good = ++mp4->tracks == 1;

    while (good && next_box(&rest, &box)) {
        if (is_type(&box, "mdia")) {
            good = read_media(mp4, &track, box.content, 0);
        } else if (is_type(&box, "edts")) {
            struct text inner = box.content;
            while (good && next_box(&inner, &edits)) {
                good = !is_type(&edits, "elst") || read_edits(mp4, edits.content);
            }
        }
    }
    if (!good || track.core_rate == 0 || !track.packets_told) {
        return false;
    }
    note(mp4, track.packets * PACKET_SAMPLES, track.core_rate);
    return true;
}

static bool read_movie(struct mp4 *mp4, struct text rest)
{
    struct box box;
    bool good = ++mp4->movies == 1;

    while (good && next_box(&rest, &box)) {
        if (is_type(&box, "mvhd")) {
            good = mp4->timescale == 0 && read_header(mp4, box.content, &mp4->timescale);
        } else if (is_type(&box, "trak")) {
            good = read_track(mp4, box.content);
        } else if (is_type(&box, "mvex") || is_type(&box, "cmov")) {
            good = false; /* the rest is in fragments, or compressed */
        }
    }
    return good;
}

int64_t sound_of_mp4(struct text file)
{
    struct mp4 mp4 = {.seconds = 0};
    struct box box;

    while (next_box(&file, &box)) {
        if (is_type(&box, "moof") || (is_type(&box, "moov") && !read_movie(&mp4, box.content))) {
            return SOUND_UNBOUNDED;
        }
    }
    return mp4.tracks == 1 ? mp4.seconds : SOUND_UNBOUNDED;
}
