/* How long sound is: see wire/sound.h. WAV is read here, the others have files of their own. */
#include "wire/sound.h"

#include "wire/sound_parts.h"

#define CHUNK_HEAD      8
#define FORMAT_SIZE     16 /* of what is read of a "fmt " chunk */
#define EXTENSIBLE      0xfffe
#define EXTENSIBLE_SIZE 40

#define SECONDS_MOST UINT64_C(1000000000000)

static uint32_t number_at(struct text file, size_t at, size_t bytes)
{
    uint32_t number = 0;

    for (size_t i = 0; i < bytes; i++) {
        number |= (uint32_t)(unsigned char)file.at[at + i] << (8 * i);
    }
    return number;
}

uint64_t sound_number(struct text file, size_t at, size_t bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes; i++) {
        number = number << 8 | (unsigned char)file.at[at + i];
    }
    return number;
}

int64_t sound_seconds_of(uint64_t units, uint64_t rate)
{
    if (rate == 0) {
        return SOUND_UNBOUNDED;
    }
    uint64_t seconds = units / rate + (units % rate != 0);
    return seconds < SECONDS_MOST ? (int64_t)seconds : SOUND_UNBOUNDED;
}

/* Bytes per second by the samples themselves, not by the member that says so: players go by them.
 * 0: they are compressed. */
static uint64_t rate_of(struct text file, size_t format, size_t size)
{
    uint32_t kind = number_at(file, format, 2);
    uint64_t channels = number_at(file, format + 2, 2);
    uint64_t samples = number_at(file, format + 4, 4);
    uint64_t bits = number_at(file, format + 14, 2);
    if (kind == EXTENSIBLE && size >= EXTENSIBLE_SIZE) {
        kind = number_at(file, format + 24, 2);
    }
    bool plain = kind == 1 || kind == 3 || kind == 6 || kind == 7; /* PCM, float, A-law, mu-law */

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
            *rate = rate_of(file, at, size);
        }
        at += size + size % 2;
    }
    return false;
}

static bool is_wave(struct text file)
{
    return text_starts(file, TEXT("RIFF")) && file.size >= 12 &&
           text_equal(text_slice(file, 8, 12), TEXT("WAVE"));
}

/* What a file is its first bytes tell, as they do to who hears it; its name does not. */
static const struct {
    struct text magic;
    size_t at;
    int64_t (*seconds)(struct text file);
} formats[] = {
    {TEXT("OggS"), 0, sound_of_ogg},
    {TEXT("ftyp"), 4, sound_of_mp4},
    {TEXT("\x1a\x45\xdf\xa3"), 0, sound_of_webm},
    {TEXT("ID3"), 0, sound_of_mp3},
    {TEXT("\xff"), 0, sound_of_mp3},
};

int64_t sound_seconds(struct text file, bool *exact)
{
    uint64_t rate;
    size_t data;

    if (is_wave(file) && read_wave(file, &rate, &data, exact)) {
        return sound_seconds_of(data, rate);
    }
    *exact = false;
    for (size_t i = 0; !is_wave(file) && i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (text_starts(text_from(file, formats[i].at), formats[i].magic)) {
            return formats[i].seconds(file);
        }
    }
    return SOUND_UNBOUNDED;
}
