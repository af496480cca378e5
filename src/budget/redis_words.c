/* The words of a command, as Redis' protocol has them. */
#include "budget/redis_words.h"

#include <inttypes.h>
#include <stdio.h>

void redis_words_begin(struct buffer *out, size_t count)
{
    buffer_put_byte(out, '*');
    buffer_put_int(out, (int64_t)count);
    buffer_put(out, TEXT("\r\n"));
}

void redis_words_put(struct buffer *out, struct text word)
{
    buffer_put_byte(out, '$');
    buffer_put_int(out, (int64_t)word.size);
    buffer_put(out, TEXT("\r\n"));
    buffer_put(out, word);
    buffer_put(out, TEXT("\r\n"));
}

void redis_words_put_number(struct buffer *out, int64_t number)
{
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%" PRId64, number);
    redis_words_put(out, text_make(digits, (size_t)size));
}
