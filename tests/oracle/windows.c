/*
 * Prints windows, for tests/oracle/windows.py to compare:
 *
 *     windows ZONE < moments
 *
 * A line of the input is a moment in UTC seconds; its answer is a line with id, start and end (UTC
 * seconds) of the hour, the day, the week and the month that hold it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "money/window.h"

static void print_windows(const struct zone *zone, int64_t now_s)
{
    for (enum window_kind kind = WINDOW_HOUR; kind <= WINDOW_MONTH; kind++) {
        struct window window = window_at(kind, zone, now_s);
        printf("%s %" PRId64 " %" PRId64 "%c", window.id, window.start_s, window.end_s,
               kind == WINDOW_MONTH ? '\n' : ' ');
    }
}

int main(int count, char **arguments)
{
    struct fault fault = {0};
    struct zone *zone = count == 2 ? zone_open(NULL, text_of(arguments[1]), &fault) : NULL;
    if (zone == NULL) {
        fprintf(stderr, "usage: windows ZONE < moments\n");
        return 1;
    }
    int64_t now_s;
    while (scanf("%" SCNd64, &now_s) == 1)
        print_windows(zone, now_s);
    zone_close(zone);
    return 0;
}
