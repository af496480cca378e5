/* How long sound is: see wire/sound.h. */
#include "wire/sound.h"

#define CHUNK_HEAD  8
#define FORMAT_SIZE 16 /* of what is read of a "fmt " chunk */

static uint32_t number_at(struct text file, size_t at, size_t bytes)
{
    uint32_t number = 0;

    for (size_t i = 0; i < bytes; i++) {
        number |= (uint32_t)(unsigned char)file.at[at + i] << (8 * i);
    }
    return number;
}

static int64_t seconds_of(size_t bytes, uint64_t rate)
{
    return (int64_t)((bytes + rate - 1) / rate);
}

/* Bytes per second by the samples themselves, not by the member that says so: players go by them.
 * 0: they are not plain. */
static uint64_t rate_of(struct text file, size_t format)
{
    uint32_t kind = number_at(file, format, 2);
    uint64_t channels = number_at(file, format + 2, 2);
    uint64_t samples = number_at(file, format + 4, 4);
    uint64_t bits = number_at(file, format + 14, 2);
    bool plain = kind == 1 || kind == 3; /* PCM, float */

    return plain && bits % 8 == 0 ? channels * samples * (bits / 8) : 0;
}

/* The chunks of a WAV file, one after the other: the first format counts, the data may end early.
 */
static bool read_wave(struct text file, uint64_t *rate, size_t *data, bool *exact)
{
    size_t at = 12;

    *rate = 0;
    while (at + CHUNK_HEAD <= file.size) {
        struct text name = text_slice(file, at, at + 4);
        size_t size = number_at(file, at + 4, 4);
        at += CHUNK_HEAD;
        if (text_equal(name, TEXT("data"))) {
            *data = file.size - at;
            *exact = *data == size;
            return *rate > 0;
        }
        if (size > file.size - at) {
            return false;
        }
        if (text_equal(name, TEXT("fmt "))) {
            if (*rate > 0 || size < FORMAT_SIZE) {
                return false;
            }
            *rate = rate_of(file, at);
        }
        at += size + size % 2;
    }
    return false;
}

int64_t sound_seconds(struct text file, bool *exact)
{
    uint64_t rate;
    size_t data;

    if (text_starts(file, TEXT("RIFF")) && file.size >= 12 &&
        text_equal(text_slice(file, 8, 12), TEXT("WAVE")) && read_wave(file, &rate, &data, exact)) {
        return seconds_of(data, rate);
    }
    *exact = false;
    return text_starts(file, TEXT("fLaC")) ? SOUND_UNBOUNDED
                                           : seconds_of(file.size, SOUND_LEAST_RATE);
}
