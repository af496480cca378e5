/* How long sound is. */
#include "wire/sound.h"

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

START_TEST(other_files_have_at_least_500_bytes_a_second)
{
    static const struct text heads[] = {
        TEXT("ID3"),
        TEXT("OggS"),
        TEXT(""),
        TEXT(WAVE),
        TEXT(WAVE "data\0\0\0\0"),
        TEXT(WAVE "fmt \x10\0\0\0"),
        TEXT(WAVE "junk\xff\xff\xff\xff" MONO_8K "data\0\0\0\0"),
        TEXT(WAVE FMT("\x55\0", "\1\0", "\x40\x1f\0\0", "\x10\0") "data\0\0\0\0"), /* MP3 within */
        TEXT(WAVE FMT("\1\0", "\0\0", "\x40\x1f\0\0", "\x10\0") "data\0\0\0\0"),
        TEXT(WAVE MONO_8K MONO_8K "data\0\0\0\0"),
        TEXT("RIFF"),
    };
    for (size_t i = 0; i < UNIT_COUNT(heads); i++) {
        bool exact = true;
        ck_assert_int_eq(seconds(heads[i], 1000 - heads[i].size, &exact), 2);
        ck_assert(!exact);
    }
}
END_TEST

START_TEST(silence_without_loss_has_no_bound)
{
    bool exact;
    ck_assert(seconds(TEXT("fLaC"), 10, &exact) == SOUND_UNBOUNDED);
    ck_assert(!exact);
}
END_TEST

UNIT_MAIN(a_wave_file_tells_its_seconds_and_a_begun_one_counts,
          what_a_wave_file_says_of_its_size_is_not_believed,
          other_files_have_at_least_500_bytes_a_second, silence_without_loss_has_no_bound)
