/*
 * How long sound is that comes as a file, in whole seconds, begun ones counted.
 *
 * Of a WAV file with plain samples (PCM, float) its head tells how many bytes a second has, and no
 * file holds more seconds than its bytes. Everything else is compressed: it is taken to have at
 * least SOUND_LEAST_RATE bytes a second, which is 4 kbit/s, below the lowest setting of the codecs
 * for speech in files that the services take (Opus from 6 kbit/s, MP3 from 8). Formats without loss
 * can compress silence beyond that: `fLaC` is not bounded.
 */
#ifndef PURSER_WIRE_SOUND_H
#define PURSER_WIRE_SOUND_H

#include "base/text.h"

#define SOUND_LEAST_RATE 500       /* bytes per second */
#define SOUND_UNBOUNDED  INT64_MAX /* nothing bounds it */

/* The most seconds that the file can be; *exact is true if it is that. */
int64_t sound_seconds(struct text file, bool *exact);

#endif
