/* How long a packet of Opus is: see wire/sound_parts.h. */
#include "wire/sound_parts.h"

#define SAMPLES_MOST 5760 /* 120 ms */

static uint64_t samples_of_frame(unsigned config)
{
    static const uint64_t silk[] = {480, 960, 1920, 2880};
    static const uint64_t hybrid[] = {480, 960};
    static const uint64_t celt[] = {120, 240, 480, 960};

    if (config < 12) {
        return silk[config & 3];
    }
    return config < 16 ? hybrid[config & 1] : celt[config & 3];
}

uint64_t sound_of_opus_packet(struct text packet)
{
    static const uint64_t frames_by_code[] = {1, 2, 2, 0};

    if (packet.size == 0) {
        return SAMPLES_MOST;
    }
    unsigned first = (unsigned char)packet.at[0];
    uint64_t frames = frames_by_code[first & 3];
    if (frames == 0) {
        frames = packet.size > 1 ? (unsigned char)packet.at[1] & 63 : 0;
    }
    uint64_t samples = frames * samples_of_frame(first >> 3);
    return samples == 0 || samples > SAMPLES_MOST ? SAMPLES_MOST : samples;
}
