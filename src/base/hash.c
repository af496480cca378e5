/*
 * SHA-256 and Poly1305: libcrypto's. Besides, only budget/redis_tls.c knows that library.
 */
#include "base/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct hasher {
    EVP_MD *method;
    EVP_MD_CTX *state;
};

struct hasher *hasher_open(void)
{
    struct hasher *hasher = memory_new(sizeof(*hasher));
    hasher->method = EVP_MD_fetch(NULL, "SHA256", NULL);
    ASSERT(hasher->method != NULL);
    hasher->state = EVP_MD_CTX_new();
    ASSERT(hasher->state != NULL);
    return hasher;
}

void hasher_close(struct hasher *hasher)
{
    if (hasher == NULL)
        return;
    EVP_MD_CTX_free(hasher->state);
    EVP_MD_free(hasher->method);
    free(hasher);
}

void hasher_begin(struct hasher *hasher)
{
    int good = EVP_DigestInit_ex2(hasher->state, hasher->method, NULL);
    ASSERT(good == 1);
}

void hasher_put(struct hasher *hasher, struct text bytes)
{
    int good = EVP_DigestUpdate(hasher->state, bytes.at, bytes.size);
    ASSERT(good == 1);
}

void hasher_end(struct hasher *hasher, uint8_t out[HASH_SIZE])
{
    unsigned size = 0;
    int good = EVP_DigestFinal_ex(hasher->state, out, &size);
    ASSERT(good == 1);
    ASSERT(size == HASH_SIZE);
}

void hasher_digest(struct hasher *hasher, const struct text *parts, size_t count,
                   uint8_t out[HASH_SIZE])
{
    hasher_begin(hasher);
    for (size_t i = 0; i < count; i++)
        hasher_put(hasher, parts[i]);
    hasher_end(hasher, out);
}

void hash_text(struct text bytes, uint8_t out[HASH_SIZE])
{
    struct hasher *hasher = hasher_open();
    hasher_digest(hasher, &bytes, 1, out);
    hasher_close(hasher);
}

/* ---- the keyed one ---- */

struct keyed_hasher {
    EVP_MAC *method;
    EVP_MAC_CTX *state;
    uint8_t key[KEYED_HASH_KEY];
};

struct keyed_hasher *keyed_hasher_open(const uint8_t key[KEYED_HASH_KEY])
{
    struct keyed_hasher *hasher = memory_new(sizeof(*hasher));
    hasher->method = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    ASSERT(hasher->method != NULL);
    hasher->state = EVP_MAC_CTX_new(hasher->method);
    ASSERT(hasher->state != NULL);
    memcpy(hasher->key, key, KEYED_HASH_KEY);
    return hasher;
}

void keyed_hasher_close(struct keyed_hasher *hasher)
{
    if (hasher == NULL)
        return;
    EVP_MAC_CTX_free(hasher->state);
    EVP_MAC_free(hasher->method);
    free(hasher);
}

void keyed_hasher_begin(struct keyed_hasher *hasher)
{
    int good = EVP_MAC_init(hasher->state, hasher->key, KEYED_HASH_KEY, NULL);
    ASSERT(good == 1);
}

void keyed_hasher_put(struct keyed_hasher *hasher, struct text bytes)
{
    int good = EVP_MAC_update(hasher->state, (const unsigned char *)bytes.at, bytes.size);
    ASSERT(good == 1);
}

void keyed_hasher_end(struct keyed_hasher *hasher, uint8_t out[KEYED_HASH_SIZE])
{
    size_t size = 0;
    int good = EVP_MAC_final(hasher->state, out, &size, KEYED_HASH_SIZE);
    ASSERT(good == 1);
    ASSERT(size == KEYED_HASH_SIZE);
}

void hash_hex(const uint8_t *bytes, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}

/* -1 if it is no hex digit. */
static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    char small = (char)(digit | 0x20);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

bool hash_from_hex(struct text hex, uint8_t *out, size_t size)
{
    if (hex.size % 2 != 0 || hex.size / 2 != size)
        return false;
    for (size_t i = 0; i < hex.size; i++)
        if (hex_digit(hex.at[i]) < 0)
            return false;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(hex_digit(hex.at[2 * i]) << 4 | hex_digit(hex.at[2 * i + 1]));
    return true;
}
