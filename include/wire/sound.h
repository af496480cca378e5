/*
 * How long sound is that comes as a file, in whole seconds, begun ones counted: what its head
 * claims, or what its packets hold, whichever is more.
 *
 *     WAV             its head tells how many bytes a second has, and no file holds more seconds
 *                     than its bytes: PCM, float, A-law and mu-law
 *     MP3             SOUND_LEAST_RATE bytes a second (its lowest setting has twice as many), or
 *                     the frames that a Xing, Info or VBRI head claims
 *     Ogg             Opus, Vorbis: each packet says how long it is, or may be; the last page's
 *                     position
 *     MP4, M4A        AAC: 1024 samples a packet; all durations that are written
 *     WebM            Opus: as in Ogg; all times that are written
 *
 * Everything else has no bound. Formats without loss hold any length of silence in a few bytes
 * (FLAC, also in Ogg or behind an ID3 tag, ALAC); and what is not understood may be one of these.
 */
#ifndef PURSER_WIRE_SOUND_H
#define PURSER_WIRE_SOUND_H

#include "base/text.h"

#define SOUND_LEAST_RATE 500       /* bytes per second of MP3 */
#define SOUND_UNBOUNDED  INT64_MAX /* nothing bounds it */

/* The most seconds that the file can be; *exact is true if it is that. */
int64_t sound_seconds(struct text file, bool *exact);

#endif
