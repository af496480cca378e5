/* Sizes of images from the first bytes of their files. */
#include "../unit.h"
#include "wire/image_size.h"

/* A file's begin, to be put together. */
struct sample {
    uint8_t bytes[4096];
    size_t size;
    char url[8192];
};

static void put(struct sample *sample, const char *bytes, size_t size)
{
    memcpy(sample->bytes + sample->size, bytes, size);
    sample->size += size;
}
#define PUT(sample, literal) put(sample, literal, sizeof(literal) - 1)

static void put_number(struct sample *sample, uint32_t value, unsigned bytes, bool big)
{
    for (unsigned i = 0; i < bytes; i++)
        sample->bytes[sample->size++] = (uint8_t)(value >> 8 * (big ? bytes - 1 - i : i));
}

static struct text url_of(struct sample *sample, const char *head)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = strlen(head);
    memcpy(sample->url, head, at);
    for (size_t i = 0; i < sample->size; i += 3) {
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < sample->size ? sample->bytes[i + j] : 0u);
        for (size_t j = 0; j < 4; j++)
            sample->url[at++] = i + j > sample->size ? '=' : digits[bits >> (18 - 6 * j) & 63];
    }
    return text_make(sample->url, at);
}

static void expect(struct sample *sample, int64_t width, int64_t height)
{
    int64_t w = -1, h = -1;
    struct text url = url_of(sample, "data:image/any;base64,");
    ck_assert(image_is_inline(url));
    ck_assert(image_size(url, &w, &h));
    ck_assert_int_eq(w, width);
    ck_assert_int_eq(h, height);
    ck_assert(image_size_base64(text_from(url, 22), &w, &h));
}

static void expect_unknown(struct text url)
{
    int64_t w = -1, h = -1;
    ck_assert(!image_size(url, &w, &h));
    ck_assert_int_eq(w, -1);
    ck_assert_int_eq(h, -1);
}

static void fill_png(struct sample *sample, uint32_t width, uint32_t height)
{
    PUT(sample, "\x89PNG\r\n\x1A\n\0\0\0\rIHDR");
    put_number(sample, width, 4, true);
    put_number(sample, height, 4, true);
    PUT(sample, "\x08\x06\0\0\0");
}

static void fill_gif(struct sample *sample, uint32_t screen, uint32_t left, uint32_t width)
{
    PUT(sample, "GIF89a");
    put_number(sample, screen, 2, false);
    put_number(sample, screen, 2, false);
    PUT(sample, "\x80\0\0aaabbb\x21\xFF\x03xyz\x02uv\0\x2C");
    put_number(sample, left, 2, false);
    put_number(sample, 0, 2, false);
    put_number(sample, width, 2, false);
    put_number(sample, 9, 2, false);
}

static void fill_jpeg(struct sample *sample, size_t filler)
{
    PUT(sample, "\xFF\xD8\xFF\xE1");
    put_number(sample, (uint32_t)filler + 2, 2, true);
    for (size_t i = 0; i < filler; i++) /* a thumbnail's frame, perhaps */
        put(sample, i % 2 == 0 ? "\xFF" : "\xC0", 1);
    PUT(sample, "\xFF\xFF\xDB\0\x05xyz\xFF\xC2\0\x11\x08");
    put_number(sample, 480, 2, true);
    put_number(sample, 640, 2, true);
}

START_TEST(png)
{
    struct sample sample = {.size = 0};
    fill_png(&sample, 3840, 2160);
    expect(&sample, 3840, 2160);
}
END_TEST

START_TEST(jpeg_whatever_stands_before_its_frame)
{
    for (size_t filler = 0; filler < 3000; filler += 599) {
        struct sample sample = {.size = 0};
        fill_jpeg(&sample, filler);
        expect(&sample, 640, 480);
    }
}
END_TEST

START_TEST(a_gif_is_as_large_as_its_screen_or_its_first_picture)
{
    struct sample small = {.size = 0}, large = {.size = 0};
    fill_gif(&small, 50, 10, 20);
    expect(&small, 50, 50);
    fill_gif(&large, 1, 100, 4000);
    expect(&large, 4100, 9);
}
END_TEST

START_TEST(webp_of_all_three_kinds)
{
    struct sample lossy = {.size = 0}, lossless = {.size = 0}, extended = {.size = 0};
    PUT(&lossy, "RIFF\0\0\0\0WEBPVP8 \0\0\0\0\x10\0\0\x9D\x01\x2A");
    put_number(&lossy, 0x4000 | 800, 2, false); /* the upper bits say how to scale */
    put_number(&lossy, 600, 2, false);
    expect(&lossy, 800, 600);
    PUT(&lossless, "RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2F");
    put_number(&lossless, 799 | 599u << 14, 4, false);
    expect(&lossless, 800, 600);
    PUT(&extended, "RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0");
    put_number(&extended, 99999, 3, false);
    put_number(&extended, 0, 3, false);
    expect(&extended, 100000, 1);
}
END_TEST

START_TEST(padding_stands_at_the_end_only)
{
    struct sample sample = {.size = 0};
    fill_png(&sample, 5, 6);
    sample.size = 25; /* one byte more than what is read, in a group with padding */
    expect(&sample, 5, 6);
    struct text url = url_of(&sample, "data:image/png;base64,");
    sample.url[url.size - 6] = '=';
    expect_unknown(url);
}
END_TEST

START_TEST(what_another_reader_might_see_otherwise_is_unknown)
{
    struct sample sample = {.size = 0};
    fill_jpeg(&sample, 600);
    struct text url = url_of(&sample, "data:image/jpeg;base64,");
    for (const char *strange = " \n-_=.%"; *strange != '\0'; strange++) {
        char before = sample.url[300];
        sample.url[300] = *strange; /* within what is passed over */
        expect_unknown(url);
        sample.url[300] = before;
    }
    int64_t w, h;
    ck_assert(image_size(url, &w, &h));
}
END_TEST

START_TEST(what_is_cut_off_or_no_image_is_unknown)
{
    struct sample sample = {.size = 0};
    fill_jpeg(&sample, 20);
    for (size_t cut = 0; cut + 1 < sample.size; cut++) {
        struct sample part = sample;
        part.size = cut;
        expect_unknown(url_of(&part, "data:image/jpeg;base64,"));
    }
    struct sample none = {.size = 0};
    fill_png(&none, 0, 7);
    expect_unknown(url_of(&none, "data:image/png;base64,"));
    struct sample text = {.size = 0};
    PUT(&text, "this is no image at all, whatever its address says of it");
    expect_unknown(url_of(&text, "data:image/png;base64,"));
}
END_TEST

START_TEST(only_data_urls_in_base64_are_inline)
{
    static const char *const others[] = {"",
                                         "https://example.org/a.png",
                                         "data:image/png,AAAA",
                                         "data:;base64",
                                         "base64,AAAA",
                                         ";base64,"};
    for (size_t i = 0; i < UNIT_COUNT(others); i++) {
        ck_assert_msg(!image_is_inline(text_of(others[i])), "%s", others[i]);
        expect_unknown(text_of(others[i]));
    }
    ck_assert(image_is_inline(TEXT("DATA:image/png;charset=x;BASE64,AAAA")));
}
END_TEST

UNIT_MAIN(png, jpeg_whatever_stands_before_its_frame,
          a_gif_is_as_large_as_its_screen_or_its_first_picture, webp_of_all_three_kinds,
          padding_stands_at_the_end_only, what_another_reader_might_see_otherwise_is_unknown,
          what_is_cut_off_or_no_image_is_unknown, only_data_urls_in_base64_are_inline)
