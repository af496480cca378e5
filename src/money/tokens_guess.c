/* Tokens of models whose tokeniser nobody knows: see money/tokens_guess.h. */
#include "money/tokens_guess.h"

#include "money/tokens.h"

#define PERMILLE           1200
#define PERMILLE_OF_CLAUDE 1500
#define PERMILLE_OF_A_BYTE 500 /* that is not ASCII */

int64_t tokens_guess_permille(struct text model)
{
    return text_matches(model, TEXT("*claude*")) ? PERMILLE_OF_CLAUDE : PERMILLE;
}

/* Bytes up to the first that is ASCII, or that is not. */
static size_t run_of(struct text rest, bool ascii)
{
    size_t size = 0;
    while (size < rest.size && ((unsigned char)rest.at[size] < 0x80) == ascii)
        size++;
    return size;
}

size_t tokens_guess(int64_t permille, struct text text)
{
    uint64_t thousandths = 0;
    while (text.size > 0) {
        size_t plain = run_of(text, true);
        struct text words = text_slice(text, 0, plain);
        thousandths += tokens_at_most(TOKENS_O200K_BASE, words) * (uint64_t)permille;
        text = text_from(text, plain);
        size_t other = run_of(text, false);
        thousandths += other * PERMILLE_OF_A_BYTE;
        text = text_from(text, other);
    }
    return (size_t)((thousandths + 999) / 1000);
}
