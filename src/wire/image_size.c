/* Reading the size of an image from its file's header: see wire/image_size.h. */
#include "wire/image_size.h"

#include <string.h>

/* The file's bytes, one after the other, decoded as they are asked for. */
struct file {
    struct text base64;
    size_t at;           /* in base64 */
    uint8_t waiting[3];  /* decoded and not taken */
    unsigned have, used; /* of them */
    size_t taken;
    bool failed;
};

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters; at the end of the text padding stands in for bytes that are not there. */
static bool decode(struct file *file)
{
    uint32_t bits = 0;
    unsigned padding = 0;
    if (file->base64.size - file->at < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        char c = file->base64.at[file->at + i];
        int digit = digit_of(c);
        bool pads = c == '=' && i >= 2 && file->at + 4 == file->base64.size;
        if ((!pads && digit < 0) || (padding > 0 && !pads))
            return false;
        padding += pads ? 1 : 0;
        bits = bits << 6 | (pads ? 0 : (uint32_t)digit);
    }
    for (unsigned i = 0; i < 3; i++)
        file->waiting[i] = (uint8_t)(bits >> (16 - 8 * i));
    file->have = 3 - padding;
    file->used = 0;
    file->at += 4;
    return true;
}

/* 0 once it has failed. */
static uint8_t take(struct file *file)
{
    if (file->failed || (file->used == file->have && !decode(file)) ||
        file->taken == IMAGE_SIZE_LOOKED_AT) {
        file->failed = true;
        return 0;
    }
    file->taken++;
    return file->waiting[file->used++];
}

static void pass(struct file *file, size_t count)
{
    while (count-- > 0 && !file->failed)
        (void)take(file);
}

static bool is_next(struct file *file, struct text mark)
{
    bool same = true;
    for (size_t i = 0; i < mark.size; i++)
        same = take(file) == (uint8_t)mark.at[i] && same;
    return same && !file->failed;
}

static int64_t take_big(struct file *file, unsigned bytes)
{
    int64_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | take(file);
    return value;
}

static int64_t take_little(struct file *file, unsigned bytes)
{
    int64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (int64_t)take(file) << (8 * i);
    return value;
}

struct size {
    int64_t width, height;
};

/* ---- the formats; each begins behind the byte that tells it ---- */

/* PNG, third edition, 5.2 and 11.2.1: the signature, then IHDR. */
static bool read_png(struct file *file, struct size *size)
{
    if (!is_next(file, TEXT("PNG\r\n\x1A\n")) || take_big(file, 4) != 13 ||
        !is_next(file, TEXT("IHDR")))
        return false;
    size->width = take_big(file, 4);
    size->height = take_big(file, 4);
    return true;
}

/* GIF89a, 17 to 25: the screen, then blocks up to the first picture, which may be larger. */
static void pass_colors(struct file *file, uint8_t flags)
{
    if ((flags & 0x80) != 0)
        pass(file, (size_t)3 << ((flags & 7) + 1));
}

static void pass_extension(struct file *file)
{
    uint8_t length;
    (void)take(file); /* its label */
    while ((length = take(file)) != 0)
        pass(file, length);
}

static bool read_gif(struct file *file, struct size *size)
{
    if (!is_next(file, TEXT("IF8")))
        return false;
    uint8_t version = take(file);
    if ((version != '7' && version != '9') || !is_next(file, TEXT("a")))
        return false;
    struct size screen = {.width = take_little(file, 2)};
    screen.height = take_little(file, 2);
    uint8_t flags = take(file);
    pass(file, 2);
    pass_colors(file, flags);
    uint8_t block = take(file);
    for (; block == 0x21 && !file->failed; block = take(file))
        pass_extension(file);
    if (block != 0x2C)
        return false;
    int64_t left = take_little(file, 2), top = take_little(file, 2);
    int64_t right = left + take_little(file, 2), bottom = top + take_little(file, 2);
    size->width = right > screen.width ? right : screen.width;
    size->height = bottom > screen.height ? bottom : screen.height;
    return true;
}

/* "WebP Container Specification"; RFC 6386, 9.1 (VP8); RFC 9649, 3.4 (VP8L). */
static bool read_webp(struct file *file, struct size *size)
{
    if (!is_next(file, TEXT("IFF")))
        return false;
    pass(file, 4);
    if (!is_next(file, TEXT("WEBPVP8")))
        return false;
    uint8_t kind = take(file);
    pass(file, 4);
    if (kind == 'X') {
        pass(file, 4);
        size->width = take_little(file, 3) + 1;
        size->height = take_little(file, 3) + 1;
        return true;
    }
    if (kind == 'L') {
        if (take(file) != 0x2F)
            return false;
        int64_t bits = take_little(file, 4);
        size->width = (bits & 0x3FFF) + 1;
        size->height = (bits >> 14 & 0x3FFF) + 1;
        return true;
    }
    pass(file, 3); /* the frame's tag */
    if (kind != ' ' || !is_next(file, TEXT("\x9D\x01\x2A")))
        return false;
    size->width = take_little(file, 2) & 0x3FFF;
    size->height = take_little(file, 2) & 0x3FFF;
    return true;
}

/* ITU-T T.81, B.1.1.4 and B.2.2: segments up to the first start of frame. */
static bool is_frame(uint8_t marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/* With parts that come between the frame and the picture: tables, comments, an application's. */
static bool has_length(uint8_t marker)
{
    return marker == 0xC4 || marker == 0xCC || (marker >= 0xDB && marker <= 0xFE);
}

static bool read_jpeg(struct file *file, struct size *size)
{
    if (take(file) != 0xD8)
        return false;
    while (!file->failed) {
        if (take(file) != 0xFF)
            return false;
        uint8_t marker = take(file);
        while (marker == 0xFF)
            marker = take(file);
        if (!is_frame(marker) && !has_length(marker))
            return false;
        int64_t length = take_big(file, 2);
        if (length < 2)
            return false;
        if (is_frame(marker)) {
            pass(file, 1); /* bits of a sample */
            size->height = take_big(file, 2);
            size->width = take_big(file, 2);
            return true;
        }
        pass(file, (size_t)length - 2);
    }
    return false;
}

bool image_size_base64(struct text base64, int64_t *width, int64_t *height)
{
    static const struct {
        uint8_t first;
        bool (*read)(struct file *file, struct size *size);
    } formats[] = {{0x89, read_png}, {'G', read_gif}, {'R', read_webp}, {0xFF, read_jpeg}};
    struct file file = {.base64 = base64};
    struct size size = {0, 0};
    uint8_t first = take(&file);
    bool read = false;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (formats[i].first == first)
            read = formats[i].read(&file, &size);
    }
    if (!read || file.failed || size.width < 1 || size.height < 1)
        return false;
    *width = size.width;
    *height = size.height;
    return true;
}

/* ---- the URL (RFC 2397) ---- */

static bool split_url(struct text url, struct text *base64)
{
    struct text head = text_slice(url, 0, 200);
    size_t comma = text_find(head, TEXT(","), 0);
    if (comma == SIZE_MAX || !text_starts_nocase(head, TEXT("data:")) || comma < 7 ||
        !text_equal_nocase(text_slice(head, comma - 7, comma), TEXT(";base64")))
        return false;
    *base64 = text_from(url, comma + 1);
    return true;
}

bool image_is_inline(struct text url)
{
    struct text base64;
    return split_url(url, &base64);
}

bool image_size(struct text url, int64_t *width, int64_t *height)
{
    struct text base64;
    return split_url(url, &base64) && image_size_base64(base64, width, height);
}
