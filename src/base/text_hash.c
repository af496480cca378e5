/*
 * The hash behind tables: SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF";
 * the 1-3 variant is what Rust and Python use for the same purpose), keyed once per process, so
 * that a client who chooses names cannot make a table slow.
 */
#include <pthread.h>
#include <sys/random.h>

#include "base/text.h"

struct sip {
    uint64_t v[4];
};

static struct {
    pthread_once_t once;
    uint64_t words[2];
} key = {.once = PTHREAD_ONCE_INIT};

static void choose_key(void)
{
    ssize_t got = getrandom(key.words, sizeof(key.words), 0);
    ASSERT(got == (ssize_t)sizeof(key.words));
}

static inline uint64_t rotate(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

static inline void sip_round(struct sip *sip)
{
    uint64_t *v = sip->v;
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static inline void sip_take(struct sip *sip, uint64_t word)
{
    sip->v[3] ^= word;
    sip_round(sip);
    sip->v[0] ^= word;
}

uint64_t text_hash(struct text bytes)
{
    pthread_once(&key.once, choose_key);
    struct sip sip = {{
        key.words[0] ^ UINT64_C(0x736f6d6570736575),
        key.words[1] ^ UINT64_C(0x646f72616e646f6d),
        key.words[0] ^ UINT64_C(0x6c7967656e657261),
        key.words[1] ^ UINT64_C(0x7465646279746573),
    }};

    size_t at = 0;
    uint64_t word;
    for (; bytes.size - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, bytes.at + at, sizeof(word));
        sip_take(&sip, word);
    }
    word = 0;
    if (at < bytes.size)
        memcpy(&word, bytes.at + at, bytes.size - at);
    sip_take(&sip, word ^ (uint64_t)bytes.size << 56);

    sip.v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&sip);
    return sip.v[0] ^ sip.v[1] ^ sip.v[2] ^ sip.v[3];
}
