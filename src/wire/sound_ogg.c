/* How long an Ogg file is (RFC 3533, 7845; Vorbis I): see wire/sound_parts.h. */
#include "wire/sound_parts.h"

#define PAGE_HEAD   27
#define OPUS_HEAD   19
#define VORBIS_HEAD 30

struct ogg {
    bool opus;
    uint64_t rate;
    uint64_t packet_samples; /* of Vorbis: a packet's, at the most */
    uint64_t stream;         /* its number */
    uint64_t pages, samples, position;
    bool inside; /* a packet goes on */
};

struct page {
    uint64_t flags, position, stream;
    struct text sizes, body;
};

static uint64_t little_endian(struct text text, size_t at, size_t bytes)
{
    uint64_t number = 0;

    for (size_t i = bytes; i > 0; i--) {
        number = number << 8 | (unsigned char)text.at[at + i - 1];
    }
    return number;
}

/* A last page may be cut off. */
static bool read_page(struct text rest, struct page *page)
{
    if (!text_starts(rest, TEXT("OggS")) || rest.size < PAGE_HEAD) {
        return false;
    }
    size_t count = (unsigned char)rest.at[26];
    page->flags = little_endian(rest, 5, 1);
    page->position = little_endian(rest, 6, 8);
    page->stream = little_endian(rest, 14, 4);
    page->sizes = text_slice(rest, PAGE_HEAD, PAGE_HEAD + count);
    size_t size = 0;
    for (size_t i = 0; i < page->sizes.size; i++) {
        size += (unsigned char)page->sizes.at[i];
    }
    page->body = text_slice(text_from(rest, PAGE_HEAD + count), 0, size);
    return page->sizes.size == count;
}

/* The first packet says what it is. */
static bool read_head(struct ogg *ogg, struct text packet)
{
    if (text_starts(packet, TEXT("OpusHead")) && packet.size >= OPUS_HEAD) {
        ogg->opus = true;
        ogg->rate = SOUND_OPUS_RATE;
        return true;
    }
    if (!text_starts(packet, TEXT("\1vorbis")) || packet.size < VORBIS_HEAD) {
        return false;
    }
    ogg->rate = little_endian(packet, 12, 4);
    ogg->packet_samples = (UINT64_C(1) << ((unsigned char)packet.at[28] >> 4)) / 2;
    return ogg->rate > 0;
}

/* A size of 255 goes on in the next one, also on the next page. */
static void add_packets(struct ogg *ogg, const struct page *page)
{
    size_t at = 0;

    for (size_t i = 0; i < page->sizes.size; i++) {
        size_t size = (unsigned char)page->sizes.at[i];
        struct text part = text_slice(page->body, at, at + size);
        if (!ogg->inside) {
            ogg->samples += ogg->opus ? sound_of_opus_packet(part) : ogg->packet_samples;
        }
        ogg->inside = size == 255;
        at += size;
    }
}

/* Several streams, one beside the other or one after the other, are not read. */
static bool take_page(struct ogg *ogg, const struct page *page)
{
    bool first = (page->flags & 2) != 0;

    if (first != (ogg->pages == 0) || (!first && page->stream != ogg->stream) ||
        (first && !read_head(ogg, page->body))) {
        return false;
    }
    ogg->stream = page->stream;
    ogg->pages++;
    if (page->position != UINT64_MAX && page->position > ogg->position) {
        ogg->position = page->position;
    }
    add_packets(ogg, page);
    return true;
}

int64_t sound_of_ogg(struct text file)
{
    struct ogg ogg = {.pages = 0};
    struct page page;

    while (file.size > 0) {
        if (!read_page(file, &page) || !take_page(&ogg, &page)) {
            return SOUND_UNBOUNDED;
        }
        file = text_from(file, PAGE_HEAD + page.sizes.size + page.body.size);
    }
    return sound_seconds_of(ogg.samples > ogg.position ? ogg.samples : ogg.position, ogg.rate);
}
