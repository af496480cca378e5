/* config/prices.json inside the binary, so that one file is all that is needed to run. */
#include "cli/prices.h"

__asm__(".section .rodata\n"
        ".global purser_prices_begin\n"
        ".global purser_prices_end\n"
        "purser_prices_begin:\n"
        ".incbin \"config/prices.json\"\n"
        "purser_prices_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char purser_prices_begin[], purser_prices_end[];

struct text prices_built_in(void)
{
    return text_make(purser_prices_begin, (size_t)(purser_prices_end - purser_prices_begin));
}
