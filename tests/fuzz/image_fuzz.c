/*
 * The size of an image in any data URL: sane if there is one, and the same however much follows.
 *
 * The bytes are a file, which is written as base64 here, for a fuzzer finds no formats in base64;
 * if they begin with "data:" they are the URL itself.
 */
#include "fuzz.h"
#include "wire/image_size.h"

static void put_base64(struct buffer *out, const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < size ? data[i + j] : 0u);
        for (size_t j = 0; j < 4; j++)
            buffer_put_byte(out, i + j > size ? '=' : digits[bits >> (18 - 6 * j) & 63]);
    }
}

static bool read_size(struct text url, int64_t *width, int64_t *height)
{
    *width = *height = -1;
    bool known = image_size(url, width, height);
    demand(known ? *width > 0 && *height > 0 && *width <= UINT32_MAX && *height <= UINT32_MAX
                 : *width == -1 && *height == -1);
    return known;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer url = {0};
    struct text raw = text_make((const char *)data, size);
    int64_t width, height, more_width, more_height;
    if (text_starts_nocase(raw, TEXT("data:"))) {
        (void)read_size(raw, &width, &height);
        return 0;
    }
    buffer_put(&url, TEXT("data:image/png;base64,"));
    put_base64(&url, data, size - size % 3);
    bool known = read_size(buffer_text(&url), &width, &height);
    buffer_put(&url, TEXT("////AAAA"));
    bool still = read_size(buffer_text(&url), &more_width, &more_height);
    demand(!known || (still && width == more_width && height == more_height));
    buffer_close(&url);
    return 0;
}
