/* How long an MP3 file is: see wire/sound_parts.h. */
#include "wire/sound_parts.h"

#define TAG_HEAD    10
#define TAGS_MOST   16
#define FRAME_HEAD  4
#define CLAIM_MOST  256 /* bytes of the first frame in which its claims stand */
#define CLAIM_BYTES 18  /* of a VBRI head up to the end of its frames */

/* Past the ID3v2 tags, whose size has seven bits in each byte; past the end if one is irregular. */
static size_t past_tags(struct text file)
{
    size_t at = 0;

    for (int i = 0; i < TAGS_MOST; i++) {
        struct text rest = text_from(file, at);
        if (!text_starts(rest, TEXT("ID3")) || rest.size < TAG_HEAD) {
            return at;
        }
        size_t size = 0;
        for (size_t k = 6; k < TAG_HEAD; k++) {
            size = size << 7 | ((unsigned char)rest.at[k] & 127);
        }
        bool footer = ((unsigned char)rest.at[5] & 0x10) != 0;
        size += footer ? (size_t)2 * TAG_HEAD : TAG_HEAD;
        if (size > rest.size) {
            return file.size;
        }
        at += size;
    }
    return file.size;
}

struct frame {
    uint64_t rate, samples;
};

/* ISO 11172-3 and 13818-3, and the extension to lower rates ("2.5"). Frames of a free size, and
 * AAC, which looks alike, are not read. */
static bool read_frame(struct text rest, struct frame *frame)
{
    static const uint64_t rates[] = {44100, 48000, 32000};
    static const uint64_t samples[] = {0, 1152, 1152, 384}; /* by layer: none, III, II, I */

    if (rest.size < FRAME_HEAD || sound_number(rest, 0, 2) >> 5 != 0x7ff) {
        return false;
    }
    unsigned kind = (unsigned char)rest.at[1], what = (unsigned char)rest.at[2];
    unsigned version = kind >> 3 & 3, layer = kind >> 1 & 3;
    unsigned bits = what >> 4, rate = what >> 2 & 3;
    if (version == 1 || layer == 0 || bits == 0 || bits == 15 || rate == 3) {
        return false;
    }
    frame->rate = rates[rate] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
    frame->samples = samples[layer] >> (layer == 1 && version != 3 ? 1 : 0);
    return true;
}

static size_t find_claim(struct text frame, struct text name)
{
    size_t at = text_find(frame, name, 0);
    return at != SIZE_MAX && at + CLAIM_BYTES <= frame.size ? at : SIZE_MAX;
}

/* How many frames the first one says that there are; 0: it says nothing. */
static uint64_t claimed_frames(struct text rest)
{
    static const struct text names[] = {TEXT("Xing"), TEXT("Info")};
    struct text frame = text_slice(rest, 0, CLAIM_MOST);
    uint64_t most = 0;

    for (size_t i = 0; i < 2; i++) {
        size_t at = find_claim(frame, names[i]);
        if (at != SIZE_MAX && (sound_number(frame, at + 4, 4) & 1) != 0 &&
            sound_number(frame, at + 8, 4) > most) {
            most = sound_number(frame, at + 8, 4);
        }
    }
    size_t at = find_claim(frame, TEXT("VBRI"));
    if (at != SIZE_MAX && sound_number(frame, at + 14, 4) > most) {
        most = sound_number(frame, at + 14, 4);
    }
    return most;
}

int64_t sound_of_mp3(struct text file)
{
    struct frame frame;
    struct text rest = text_from(file, past_tags(file));

    if (!read_frame(rest, &frame)) {
        return SOUND_UNBOUNDED;
    }
    int64_t claimed = sound_seconds_of(claimed_frames(rest) * frame.samples, frame.rate);
    int64_t held = sound_seconds_of(rest.size, SOUND_LEAST_RATE);
    return claimed > held ? claimed : held;
}
