/*
 * The table of the members that matter in a request for images, sound or a moderation; of a form
 * its fields are read as members, too (wire/form.h). See wire/member.h.
 */
#include "wire/member.h"

#define MOST_IMAGES  128
#define MOST_PARTIAL 3 /* OpenAI's own limit, in max_output of what makes them */

static bool pass(struct body_reader *reader, const struct member *member, struct json_value value)
{
    (void)reader;
    (void)member;
    (void)value;
    return true;
}

/* What is spoken is billed by the character: a code point. */
static bool read_spoken(struct body_reader *reader, const struct member *member,
                        struct json_value value)
{
    struct text spoken = json_string(reader->arena, value);
    int64_t characters = 0;

    (void)member;
    for (size_t i = 0; i < spoken.size; i++) {
        characters += ((unsigned char)spoken.at[i] & 0xC0) != 0x80 ? 1 : 0;
    }
    reader->body.media.characters = characters;
    return true;
}

static bool read_partial(struct body_reader *reader, const struct member *member,
                         struct json_value value)
{
    int64_t count;

    if (json_int(value, &count) && count >= 0 && count <= MOST_PARTIAL) {
        return true;
    }
    return body_refuse(reader, "invalid_value", member->name,
                       "'partial_images' must be a whole number from 0 to %d.", MOST_PARTIAL);
}

#define MODERATIONS    (1u << ENDPOINT_MODERATIONS)
#define MAKING         (1u << ENDPOINT_IMAGES | 1u << ENDPOINT_IMAGE_EDITS)
#define SPEECH         (1u << ENDPOINT_SPEECH)
#define TRANSCRIPTIONS (1u << ENDPOINT_TRANSCRIPTIONS)
#define HEARING        (TRANSCRIPTIONS | 1u << ENDPOINT_TRANSLATIONS)
#define BILLED         (MAKING | SPEECH | HEARING)

/* clang-format off */
static const struct member members[] = {
    {ROW("model", BILLED, STRING, member_read_model), .required = true, .raw = AT(body.model_raw)},
    {ROW("model", MODERATIONS, STRING, member_read_model), .raw = AT(body.model_raw)},
    {ROW("input", MODERATIONS, STRING | ARRAY, pass), .required = true},
    {ROW("input", SPEECH, STRING, read_spoken), .required = true},
    {ROW("prompt", MAKING, STRING, pass), .required = true},
    {ROW("n", MAKING, NUMBER, member_read_count), .least = 1, .most = MOST_IMAGES, .field = AT(n)},
    {ROW("size", MAKING, STRING, member_read_text), .field = AT(body.media.size)},
    {ROW("quality", MAKING, STRING, member_read_text), .field = AT(body.media.quality)},
    {ROW("partial_images", MAKING, NUMBER, read_partial)},
    {ROW("stream", MAKING | TRANSCRIPTIONS, BOOL, member_read_flag), .field = AT(body.stream)},
    {ROW("user", MAKING, STRING, member_read_text), .field = AT(body.user)},

    /* Other services' numbers of images. */
    {STRANGE("num_images", MAKING)},
    {STRANGE("num_outputs", MAKING)},
    {STRANGE("number_of_images", MAKING)},
    {STRANGE("number_results", MAKING)},
    {STRANGE("n_images", MAKING)},
    {STRANGE("samples", MAKING)},
    {STRANGE("batch_size", MAKING)},
    {STRANGE("best_of", MAKING)},
};
/* clang-format on */

#define MEMBERS (sizeof(members) / sizeof(members[0]))
_Static_assert(MEMBERS <= MEMBER_MOST, "a bit per row");

const struct member_table *member_media(void)
{
    static const struct member_table table = {members, MEMBERS};

    return &table;
}
