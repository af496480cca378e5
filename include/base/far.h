/*
 * Going far in text of which nearly every byte is passed over: the inner loop of json_run.h and
 * find.h for long texts, 128 bytes at a time where the machine has AVX2, which it is asked for.
 */
#ifndef PURSER_BASE_FAR_H
#define PURSER_BASE_FAR_H

#include "base/text.h"

#define FAR_NEAR  64            /* bytes a caller looks at by itself first: most texts end there */
#define FAR_STEP  128           /* what is passed is a multiple of it */
#define FAR_NONE  INT8_MIN      /* as `least`: no byte is less */
#define FAR_PLAIN ((int8_t)' ') /* as `least`: control characters and all that is not ASCII are */

/*
 * So many of the bytes from `at` to `end` may be passed: none of them is `one` or `other`, or, as a
 * signed number, less than `least`. It stops short of the byte it looks for, and goes nowhere at
 * all on a machine without AVX2: the caller looks closer from there.
 */
size_t far_run(const char *at, const char *end, char one, char other, int8_t least);

#endif
