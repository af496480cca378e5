/*
 * Fingerprints of whatever body_read takes: another spelling of the white space has the same one,
 * one member more has another.
 *
 * The first byte chooses the endpoint and whether to normalize, the rest is the body.
 */
#include "cache/fingerprint.h"
#include "fuzz.h"

/* Puts white space around everything that is a token of its own. */
static void space_out(struct text raw, struct buffer *out)
{
    bool inside = false;

    for (size_t i = 0; i < raw.size; i++) {
        bool bracket = !inside && strchr("{}[],:", raw.at[i]) != NULL && raw.at[i] != '\0';
        buffer_put(out, bracket ? TEXT(" ") : TEXT(""));
        buffer_put_byte(out, raw.at[i]);
        buffer_put(out, bracket ? TEXT("\n\t") : TEXT(""));
        if (inside && raw.at[i] == '\\')
            buffer_put_byte(out, raw.at[++i]);
        else if (raw.at[i] == '"')
            inside = !inside;
    }
}

static void add_member(struct text raw, struct buffer *out)
{
    size_t end = text_trim(raw).size;
    struct text whole = text_slice(text_trim(raw), 0, end - 1);
    buffer_put(out, whole);
    buffer_put(out, TEXT(",\"one member more\":0}"));
}

struct scene {
    struct arena arena;
    struct keyed_hasher *hasher;
    enum endpoint endpoint;
    bool normalized;
};

static bool take(struct scene *scene, struct text raw, uint8_t digest[FINGERPRINT_SIZE])
{
    const struct fingerprint_rules rules = {.temperature_most_nano = 1000000000};
    struct body body;
    struct body_error error;

    if (!body_read(scene->endpoint, raw, &scene->arena, &body, &error))
        return false;
    struct fingerprint_ask ask = {.body = &body, .normalized = scene->normalized};
    fingerprint_request(&ask, scene->hasher, digest);
    demand(fingerprint_why(fingerprint_fits(&body, &rules)) != NULL);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[KEYED_HASH_KEY] = "for the fuzzer";
    uint8_t first[FINGERPRINT_SIZE], second[FINGERPRINT_SIZE];
    struct buffer other = {0};

    if (size == 0 || !endpoint_facts((enum endpoint)((data[0] & 3) % ENDPOINT_COUNT))->kept)
        return 0;
    struct scene scene = {.hasher = keyed_hasher_open(secret),
                          .endpoint = (enum endpoint)((data[0] & 3) % ENDPOINT_COUNT),
                          .normalized = (data[0] & 4) != 0};
    struct text raw = text_make((const char *)data + 1, size - 1);
    if (take(&scene, raw, first)) {
        space_out(raw, &other);
        demand(take(&scene, buffer_text(&other), second));
        demand(memcmp(first, second, FINGERPRINT_SIZE) == 0);
        buffer_clear(&other);
        add_member(raw, &other);
        demand(take(&scene, buffer_text(&other), second));
        demand(memcmp(first, second, FINGERPRINT_SIZE) != 0);
    }
    buffer_close(&other);
    keyed_hasher_close(scene.hasher);
    arena_close(&scene.arena);
    return 0;
}
