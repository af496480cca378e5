/*
 * The plain variant of the run-skipping loop, which machines without SSE2 use. (The other one is
 * what json_scan_test runs on.)
 */
#include "../unit.h"

#undef __SSE2__
#include "base/json_run.h"

static size_t naive_run(const char *at, size_t size, bool strict)
{
    size_t run = 0;
    for (; run < size && at[run] != '"' && at[run] != '\\'; run++)
        if (strict && ((unsigned char)at[run] < 0x20 || (unsigned char)at[run] > 0x7F))
            break;
    return run;
}

START_TEST(every_byte_at_every_place_stops_it_or_not)
{
    char room[40];
    memset(room, 'x', sizeof(room));
    for (size_t place = 0; place < sizeof(room); place++)
        for (int byte = 0; byte < 256; byte++) {
            room[place] = (char)byte;
            for (int strict = 0; strict < 2; strict++)
                if (json_run(room, room + sizeof(room), strict) !=
                    naive_run(room, sizeof(room), strict))
                    ck_abort_msg("byte %d at %zu, strict %d", byte, place, strict);
            room[place] = 'x';
        }
}
END_TEST

START_TEST(bytes_next_to_each_other_do_not_disturb)
{
    unsigned seed = 1;
    static const unsigned char bytes[] = {0x20, 0x21, 0x22, 0x23, 0x5B, 0x5C, 0x5D, 0x1F, 0x00,
                                          0x01, 0x7F, 0x80, 0x81, 0xA2, 0xDC, 0xFF, 0x41, 0x61};
    for (int round = 0; round < 200000; round++) {
        char room[20];
        size_t size = (size_t)rand_r(&seed) % sizeof(room);
        for (size_t i = 0; i < size; i++)
            room[i] = (char)bytes[(size_t)rand_r(&seed) % UNIT_COUNT(bytes)];
        bool strict = round % 2 == 0;
        if (json_run(room, room + size, strict) != naive_run(room, size, strict))
            ck_abort_msg("round %d", round);
    }
}
END_TEST

UNIT_MAIN(every_byte_at_every_place_stops_it_or_not, bytes_next_to_each_other_do_not_disturb)
