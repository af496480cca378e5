/* How long sound is. */
#include "wire/sound.h"

#include <stdlib.h>

#include "../unit.h"

/* Bytes per second and the size of a block are left zero: nobody goes by them. */
#define FMT(kind, channels, rate, bits) "fmt \x10\0\0\0" kind channels rate "\0\0\0\0\0\0" bits

/* 16000 bytes a second. */
#define MONO_8K FMT("\1\0", "\1\0", "\x40\x1f\0\0", "\x10\0")

#define WAVE "RIFF\0\0\0\0WAVE"

static int64_t seconds(struct text head, size_t more, bool *exact)
{
    struct buffer file = {0};
    buffer_put(&file, head);
    for (size_t i = 0; i < more; i++)
        buffer_put_byte(&file, 0);
    int64_t found = sound_seconds(buffer_text(&file), exact);
    buffer_close(&file);
    return found;
}

START_TEST(a_wave_file_tells_its_seconds_and_a_begun_one_counts)
{
    bool exact;
    ck_assert_int_eq(seconds(TEXT(WAVE MONO_8K "data\x80\x3e\0\0"), 16000, &exact), 1);
    ck_assert(exact);
    ck_assert_int_eq(seconds(TEXT(WAVE MONO_8K "data\x81\x3e\0\0"), 16001, &exact), 2);
    ck_assert(exact);
    ck_assert_int_eq(
        seconds(TEXT(WAVE "LIST\3\0\0\0abc\0" MONO_8K "data\x80\x3e\0\0"), 16000, &exact), 1);
    ck_assert(exact);
}
END_TEST

START_TEST(what_a_wave_file_says_of_its_size_is_not_believed)
{
    bool exact;
    ck_assert_int_eq(seconds(TEXT(WAVE MONO_8K "data\1\0\0\0"), 32000, &exact), 2);
    ck_assert(!exact);
    ck_assert_int_eq(seconds(TEXT(WAVE MONO_8K "data\xff\xff\xff\xff"), 32000, &exact), 2);
    ck_assert(!exact);
}
END_TEST

START_TEST(waves_of_other_kinds_are_read_or_have_no_bound)
{
    bool exact;
    /* 8000 samples of a byte a second: mu-law; the same written at length */
    ck_assert_int_eq(
        seconds(TEXT(WAVE FMT("\7\0", "\1\0", "\x40\x1f\0\0", "\x8\0") "data\x80\x3e\0\0"), 16000,
                &exact),
        2);
#define LONG_FMT(kind)                                                                             \
    "fmt \x28\0\0\0\xfe\xff\1\0\x40\x1f\0\0\0\0\0\0\0\0\x8\0\0\0\0\0\0\0\0\0" kind                 \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    ck_assert_int_eq(seconds(TEXT(WAVE LONG_FMT("\1\0") "data\x40\x1f\0\0"), 8000, &exact), 1);
    ck_assert(seconds(TEXT(WAVE LONG_FMT("\x55\0") "data\x40\x1f\0\0"), 8000, &exact) ==
              SOUND_UNBOUNDED);
    static const struct text heads[] = {
        TEXT(WAVE),
        TEXT(WAVE "data\0\0\0\0"),
        TEXT(WAVE "fmt \x10\0\0\0"),
        TEXT(WAVE "junk\xff\xff\xff\xff" MONO_8K "data\0\0\0\0"),
        TEXT(WAVE FMT("\x55\0", "\1\0", "\x40\x1f\0\0", "\x10\0") "data\0\0\0\0"), /* MP3 within */
        TEXT(WAVE FMT("\xac\xf1", "\1\0", "\x40\x1f\0\0", "\x10\0") "data\0\0\0\0"), /* FLAC */
        TEXT(WAVE FMT("\1\0", "\0\0", "\x40\x1f\0\0", "\x10\0") "data\0\0\0\0"),
        TEXT(WAVE MONO_8K MONO_8K "data\0\0\0\0"),
    };
    for (size_t i = 0; i < UNIT_COUNT(heads); i++)
        ck_assert(seconds(heads[i], 100, &exact) == SOUND_UNBOUNDED);
}
END_TEST

START_TEST(what_is_not_known_or_without_loss_has_no_bound)
{
    static const struct text heads[] = {
        TEXT(""),
        TEXT("RIFF"),
        TEXT("fLaC"),
        TEXT("OggS"),
        TEXT("ID3"),
        TEXT("ID3\4\0\0\0\0\0\2__fLaC"),
        TEXT("\xff\xf1\x50\x80"), /* AAC */
        TEXT("\xff\xfb\x00\x00"), /* frames of a free size */
        TEXT("wvpk"),
        TEXT("MAC "),
        TEXT("caff"),
        TEXT("\0\0\0\0ftyp"),
        TEXT("\x1a\x45\xdf\xa3"),
        TEXT("FORM\0\0\0\0AIFF"),
    };
    for (size_t i = 0; i < UNIT_COUNT(heads); i++) {
        bool exact = true;
        ck_assert_msg(seconds(heads[i], 1000, &exact) == SOUND_UNBOUNDED, "%zu", i);
        ck_assert(!exact);
    }
}
END_TEST

/* ---- MP3 ---- */

#define FRAME "\xff\xfb\x90\x00" /* MPEG 1, layer III, 44,100 a second: 1152 samples each */

START_TEST(mp3_has_500_bytes_a_second_or_what_it_claims)
{
    bool exact;
    ck_assert_int_eq(seconds(TEXT(FRAME), 996, &exact), 2);
    ck_assert(!exact);
    ck_assert_int_eq(seconds(TEXT("ID3\4\0\0\0\0\0\3abc" FRAME), 996, &exact), 2);
    ck_assert_int_eq(seconds(TEXT("ID3\4\0\x10\0\0\0\1a__________" FRAME), 996, &exact), 2);
    ck_assert_int_eq(seconds(TEXT(FRAME "________Xing\0\0\0\1\0\0\x95\xb3"), 900, &exact),
                     1002); /* 38323 frames */
    ck_assert_int_eq(seconds(TEXT(FRAME "________Info\0\0\0\2\0\0\x95\xb3"), 976, &exact), 2);
    ck_assert_int_eq(seconds(TEXT(FRAME "____VBRI__________\0\0\x95\xb3"), 974, &exact), 1002);
    ck_assert_int_eq(seconds(TEXT("\xff\xf3\x90\x00____VBRI__________\0\0\x95\xb3"), 974, &exact),
                     1002); /* MPEG 2: half as many samples, at half the rate */
}
END_TEST

/* ---- files that are put together ---- */

static void put_number(struct buffer *out, uint64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        buffer_put_byte(out, (char)(number >> (8 * i) & 255));
}

static void put_little(struct buffer *out, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buffer_put_byte(out, (char)(number >> (8 * i) & 255));
}

static int64_t seconds_of(struct buffer *file)
{
    bool exact;
    int64_t found = sound_seconds(buffer_text(file), &exact);
    /* whatever is cut off, nothing is read behind the end */
    for (size_t size = 0; size < file->size && size < 400; size++) {
        char *part = memory_copy(text_slice(buffer_text(file), 0, size));
        (void)sound_seconds(text_make(part, size), &exact);
        free(part);
    }
    buffer_close(file);
    return found;
}

/* A page with `packets` equal packets. */
static void put_page(struct buffer *out, int flags, uint64_t position, struct text packet,
                     int packets)
{
    buffer_put(out, TEXT("OggS"));
    put_number(out, (uint64_t)flags, 2);
    put_little(out, position, 8);
    put_little(out, 7, 4);
    put_little(out, 0, 8);
    put_number(out, (uint64_t)packets, 1);
    for (int i = 0; i < packets; i++)
        put_number(out, packet.size, 1);
    for (int i = 0; i < packets; i++)
        buffer_put(out, packet);
}

#define OPUS_HEAD "OpusHead\1\1\0\0\x80\xbb\0\0\0\0\0"
#define VORBIS    "\1vorbis\0\0\0\0\1\x40\x1f\0\0____________\xb8\1"
#define FLAC_HEAD                                                                                  \
    "\x7f"                                                                                         \
    "FLAC\1\0\0\1fLaC"

START_TEST(packets_of_opus_say_how_long_they_are)
{
    static const struct {
        const char *packet;
        int64_t seconds; /* of 100 */
    } cases[] = {
        {"\x08", 2},      /* 20 ms */
        {"\x18", 6},      /* 60 ms: a byte for silence */
        {"\x19", 12},     /* two of them */
        {"\xfb\x06", 12}, /* six of 20 ms */
        {"\xe0", 1},      /* 2.5 ms */
        {"\xfb\x3f", 12}, /* more than there may be */
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct buffer file = {0};
        put_page(&file, 2, 0, TEXT(OPUS_HEAD), 1);
        put_page(&file, 4, 0, text_of(cases[i].packet), 100);
        int64_t found = seconds_of(&file);
        ck_assert_int_ge(found, cases[i].seconds);
        ck_assert_int_le(found, cases[i].seconds + 1); /* the head counts as a packet */
    }
}
END_TEST

START_TEST(an_ogg_file_has_what_its_pages_claim)
{
    struct buffer file = {0};
    put_page(&file, 2, 0, TEXT(OPUS_HEAD), 1);
    put_page(&file, 0, UINT64_MAX, TEXT("\x08"), 1);
    put_page(&file, 4, 48000 * 3600, TEXT("\x08"), 1);
    ck_assert_int_eq(seconds_of(&file), 3600);
    put_page(&file, 2, 0, TEXT(VORBIS), 1); /* 8000 a second, 1024 a packet at the most */
    put_page(&file, 4, 0, TEXT("x"), 124);
    ck_assert_int_eq(seconds_of(&file), 16);
}
END_TEST

START_TEST(other_streams_in_ogg_have_no_bound)
{
    static const struct text heads[] = {TEXT(FLAC_HEAD), TEXT("fLaC"), TEXT("Speex   "),
                                        TEXT("\x80theora"), TEXT("")};
    struct buffer file = {0};
    for (size_t i = 0; i < UNIT_COUNT(heads); i++) {
        put_page(&file, 2, 0, heads[i], 1);
        put_page(&file, 4, 0, TEXT("\x08"), 9);
        ck_assert(seconds_of(&file) == SOUND_UNBOUNDED);
    }
    for (int second = 0; second < 2; second++) { /* one behind the other */
        put_page(&file, 2, 0, TEXT(OPUS_HEAD), 1);
        put_page(&file, 2, 0, second == 0 ? TEXT(OPUS_HEAD) : TEXT(FLAC_HEAD), 1);
        ck_assert(seconds_of(&file) == SOUND_UNBOUNDED);
    }
    put_page(&file, 2, 0, TEXT(OPUS_HEAD), 1);
    buffer_put(&file, TEXT("fLaC"));
    ck_assert(seconds_of(&file) == SOUND_UNBOUNDED);
}
END_TEST

/* ---- MP4 ---- */

struct movie {
    uint64_t packets, movie_s, media_s, times_s, edits_s;
    const char *kind;   /* of the packets */
    struct text config; /* of the decoder */
    const char *more;   /* a box more in moov */
};

static const struct movie usual = {.packets = 43, /* a second at 44,100 */
                                   .kind = "mp4a",
                                   .config = {"\x12\x10", 2}};

static size_t begin_box(struct buffer *out, const char *type)
{
    put_number(out, 0, 4);
    buffer_put(out, text_of(type));
    return out->size - 8;
}

static void end_box(struct buffer *out, size_t at)
{
    for (int i = 0; i < 4; i++)
        out->at[at + (size_t)i] = (char)((out->size - at) >> (8 * (3 - i)) & 255);
}

/* mvhd, mdhd: a timescale of 1000 */
static void put_header(struct buffer *out, const char *type, uint64_t length_s)
{
    size_t at = begin_box(out, type);
    put_number(out, 0, 8);
    put_number(out, 0, 4);
    put_number(out, 1000, 4);
    put_number(out, length_s * 1000, 4);
    end_box(out, at);
}

static void put_kind(struct buffer *out, const struct movie *movie)
{
    size_t at = begin_box(out, "stsd");
    put_number(out, 1, 8);
    size_t entry = begin_box(out, movie->kind);
    put_number(out, 0, 8);
    put_number(out, 0, 8);
    put_number(out, 0, 8);
    put_number(out, 0, 4);
    size_t stream = begin_box(out, "esds");
    put_number(out, 0, 4);
    buffer_put(out, TEXT("\3\x19\0\1\0\4\x11\x40____________\5\2"));
    buffer_put(out, movie->config);
    end_box(out, stream);
    end_box(out, entry);
    end_box(out, at);
}

static void put_media(struct buffer *out, const struct movie *movie)
{
    size_t media = begin_box(out, "mdia");
    put_header(out, "mdhd", movie->media_s);
    size_t inner = begin_box(out, "minf"), table = begin_box(out, "stbl");
    put_kind(out, movie);
    size_t at = begin_box(out, "stts");
    put_number(out, 1, 8);
    put_number(out, movie->times_s, 4);
    put_number(out, 1000, 4);
    end_box(out, at);
    at = begin_box(out, "stsz");
    put_number(out, 0, 8);
    put_number(out, movie->packets, 4);
    end_box(out, at);
    end_box(out, table);
    end_box(out, inner);
    end_box(out, media);
}

static int64_t movie_seconds(struct movie movie)
{
    struct buffer file = {0};
    size_t at = begin_box(&file, "ftyp");
    buffer_put(&file, TEXT("M4A \0\0\0\0"));
    end_box(&file, at);
    at = begin_box(&file, "moov");
    put_header(&file, "mvhd", movie.movie_s);
    size_t track = begin_box(&file, "trak");
    size_t edits = begin_box(&file, "edts"), list = begin_box(&file, "elst");
    put_number(&file, 1, 8);
    put_number(&file, movie.edits_s * 1000, 4);
    put_number(&file, 0, 8);
    end_box(&file, list);
    end_box(&file, edits);
    put_media(&file, &movie);
    end_box(&file, track);
    if (movie.more != NULL)
        end_box(&file, begin_box(&file, movie.more));
    end_box(&file, at);
    end_box(&file, begin_box(&file, "mdat"));
    return seconds_of(&file);
}

START_TEST(an_mp4_file_has_its_packets_or_what_it_claims)
{
    struct movie movie = usual;
    ck_assert_int_eq(movie_seconds(movie), 1);
    movie.packets = 44;
    ck_assert_int_eq(movie_seconds(movie), 2);
    movie.movie_s = 30;
    ck_assert_int_eq(movie_seconds(movie), 30);
    movie.media_s = 40;
    ck_assert_int_eq(movie_seconds(movie), 40);
    movie.times_s = 50;
    ck_assert_int_eq(movie_seconds(movie), 50);
    movie.edits_s = 60;
    ck_assert_int_eq(movie_seconds(movie), 60);
    movie = usual;
    movie.packets = UINT32_MAX; /* of a byte each: silence */
    ck_assert_int_gt(movie_seconds(movie), 90000000);
}
END_TEST

START_TEST(other_packets_in_mp4_have_no_bound)
{
    struct movie movie = usual;
    static const char *const kinds[] = {"alac", "fLaC", "Opus", "avc1"};
    for (size_t i = 0; i < UNIT_COUNT(kinds); i++) {
        movie.kind = kinds[i];
        ck_assert(movie_seconds(movie) == SOUND_UNBOUNDED);
    }
    movie = usual;
    movie.config = TEXT("\xf9\x10"); /* ALS: without loss */
    ck_assert(movie_seconds(movie) == SOUND_UNBOUNDED);
    movie.config = TEXT("\x17\x90"); /* a rate of its own */
    ck_assert(movie_seconds(movie) == SOUND_UNBOUNDED);
    movie = usual;
    static const char *const boxes[] = {"mvex", "trak", "mvhd", "cmov"};
    for (size_t i = 0; i < UNIT_COUNT(boxes); i++) {
        movie.more = boxes[i];
        ck_assert(movie_seconds(movie) == SOUND_UNBOUNDED);
    }
}
END_TEST

START_TEST(boxes_within_boxes_are_not_followed_for_ever)
{
    struct buffer file = {0};
    size_t ats[20000];
    end_box(&file, begin_box(&file, "ftyp"));
    ats[0] = begin_box(&file, "moov");
    ats[1] = begin_box(&file, "trak");
    ats[2] = begin_box(&file, "mdia");
    for (size_t i = 3; i < UNIT_COUNT(ats); i++)
        ats[i] = begin_box(&file, "minf");
    for (size_t i = UNIT_COUNT(ats); i > 0; i--)
        end_box(&file, ats[i - 1]);
    ck_assert(seconds_of(&file) == SOUND_UNBOUNDED);
}
END_TEST

/* ---- WebM ---- */

#define WEBM "\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" /* Segment */
#define OPUS                                                                                       \
    "\x16\x54\xae\x6b\x8a\xae\x88\x86\x86"                                                         \
    "A_OPUS"
#define CLUSTER "\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff"
#define BLOCK   "\xa3\x85\x81\0\0\0\x08" /* 20 ms */

static int64_t webm_seconds(struct text file)
{
    struct buffer copy = {0};
    buffer_put(&copy, file);
    return seconds_of(&copy);
}

START_TEST(a_webm_file_has_its_packets_or_what_it_claims)
{
    struct buffer file = {0};
    buffer_put(&file, TEXT(WEBM OPUS CLUSTER "\xe7\x81\0"));
    for (int i = 0; i < 100; i++)
        buffer_put(&file, TEXT(BLOCK));
    ck_assert_int_eq(seconds_of(&file), 2);
    ck_assert_int_eq(webm_seconds(TEXT(WEBM OPUS CLUSTER "\xe7\x82\x0f\xa0" BLOCK)), 5); /* 4000 */
    ck_assert_int_eq(webm_seconds(TEXT(WEBM OPUS CLUSTER "\xe7\x81\0\xa3\x85\x81\x0f\xa0\0\x08")),
                     5);
    ck_assert_int_eq(webm_seconds(TEXT(WEBM OPUS CLUSTER "\xe7\x81\0\xa0\x8b\xa1\x85\x81\0\0\0\x08"
                                                         "\x9b\x82\x0f\xa0")),
                     5);
    ck_assert_int_eq(webm_seconds(TEXT(WEBM "\x15\x49\xa9\x66\x87\x44\x89\x84\x45\x7a\0\0" OPUS)),
                     5); /* a length of 4000.0 */
    ck_assert_int_eq(webm_seconds(TEXT(WEBM "\x15\x49\xa9\x66\x8e\x2a\xd7\xb1\x83\x1e\x84\x80"
                                            "\x44\x89\x84\x45\x7a\0\0" OPUS)),
                     9); /* at 2 ms a unit */
}
END_TEST

START_TEST(other_tracks_in_webm_have_no_bound)
{
    static const struct text files[] = {
        TEXT(WEBM CLUSTER BLOCK),
        TEXT(WEBM "\x16\x54\xae\x6b\x8a\xae\x88\x86\x86"
                  "A_FLAC" CLUSTER BLOCK),
        TEXT(WEBM OPUS OPUS CLUSTER BLOCK),
        TEXT(WEBM OPUS "\x6d\x80\x80" CLUSTER BLOCK),
        TEXT(WEBM OPUS CLUSTER "\xa3\x85\x81\0\0\2\x08"), /* several packets in one block */
        TEXT(WEBM OPUS CLUSTER "\xa3\x82\x81\0"),
        TEXT(WEBM "\x15\x49\xa9\x66\x87\x44\x89\x84\xff\xff\xff\xff" OPUS), /* no number */
        TEXT(WEBM OPUS CLUSTER "\xa3\xff"),
        TEXT(WEBM OPUS "\0"),
    };
    for (size_t i = 0; i < UNIT_COUNT(files); i++)
        ck_assert_msg(webm_seconds(files[i]) == SOUND_UNBOUNDED, "%zu", i);
}
END_TEST

UNIT_MAIN(a_wave_file_tells_its_seconds_and_a_begun_one_counts,
          what_a_wave_file_says_of_its_size_is_not_believed,
          waves_of_other_kinds_are_read_or_have_no_bound,
          what_is_not_known_or_without_loss_has_no_bound,
          mp3_has_500_bytes_a_second_or_what_it_claims, packets_of_opus_say_how_long_they_are,
          an_ogg_file_has_what_its_pages_claim, other_streams_in_ogg_have_no_bound,
          an_mp4_file_has_its_packets_or_what_it_claims, other_packets_in_mp4_have_no_bound,
          boxes_within_boxes_are_not_followed_for_ever,
          a_webm_file_has_its_packets_or_what_it_claims, other_tracks_in_webm_have_no_bound)
