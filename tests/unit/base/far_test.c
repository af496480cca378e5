/*
 * Going far in text: what is passed never holds what is looked for, wherever that stands, and what
 * json_run makes of it is what a plain loop finds.
 */
#include "../unit.h"
#include "base/json_run.h"

#define ROOM 700

static bool stops(char byte, char one, char other, int8_t least)
{
    return byte == one || byte == other || (signed char)byte < least;
}

static void check_byte(char *room, int byte, size_t place, bool strict)
{
    int8_t least = strict ? FAR_PLAIN : FAR_NONE;
    bool stop = stops((char)byte, '"', '\\', least);
    room[place] = (char)byte;
    size_t passed = far_run(room, room + ROOM, '"', '\\', least);
    ck_assert_uint_eq(passed % FAR_STEP, 0);
    if (stop && passed > place)
        ck_abort_msg("byte %d at %zu is passed, strict %d", byte, place, strict);
    if (json_run(room, room + ROOM, strict) != (stop ? place : ROOM))
        ck_abort_msg("byte %d at %zu, strict %d", byte, place, strict);
    room[place] = 'x';
}

START_TEST(every_byte_at_every_place_is_passed_or_not)
{
    char room[ROOM];
    memset(room, 'x', sizeof(room));
    for (size_t place = 0; place < ROOM; place++)
        for (int byte = 0; byte < 256; byte++) {
            check_byte(room, byte, place, false);
            check_byte(room, byte, place, true);
        }
}
END_TEST

START_TEST(one_byte_alone_is_looked_for)
{
    char room[ROOM];
    memset(room, 'x', sizeof(room));
    for (size_t place = 0; place < ROOM; place++) {
        room[place] = '\\';
        ck_assert_uint_eq(far_run(room, room + ROOM, '"', '"', FAR_NONE) % FAR_STEP, 0);
        room[place] = '"';
        ck_assert_uint_le(far_run(room, room + ROOM, '"', '"', FAR_NONE), place);
        room[place] = 'x';
    }
}
END_TEST

START_TEST(nothing_is_read_behind_the_end)
{
    for (size_t size = 0; size < 2 * FAR_STEP + 2; size++) {
        char *room = malloc(size > 0 ? size : 1); /* with the sanitizer a look behind it is seen */
        ck_assert_ptr_nonnull(room);
        memset(room, 'x', size);
        ck_assert_uint_le(far_run(room, room + size, '"', '\\', FAR_PLAIN), size);
        ck_assert_uint_eq(json_run(room, room + size, true), size);
        free(room);
    }
}
END_TEST

UNIT_MAIN(every_byte_at_every_place_is_passed_or_not, one_byte_alone_is_looked_for,
          nothing_is_read_behind_the_end)
