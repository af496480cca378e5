/* `purser <command> --help`. */
#include "cli/usage.h"

#include <stdio.h>
#include <string.h>

bool usage_asked(int argc, char **argv, const char *text)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("%s", text);
            return true;
        }
    }
    return false;
}
