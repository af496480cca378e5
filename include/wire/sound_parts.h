/*
 * What is known of each format of sound; for src/wire/sound*.c only. What the others need is in
 * wire/sound.h.
 *
 * Each of these returns the most seconds that a file of its format can be, which it has been found
 * to be by its first bytes: the larger of what its head claims and of what its packets hold; or
 * SOUND_UNBOUNDED. Whatever is irregular in it, or may hold more than is seen here, has no bound.
 */
#ifndef PURSER_WIRE_SOUND_PARTS_H
#define PURSER_WIRE_SOUND_PARTS_H

#include "wire/sound.h"

int64_t sound_of_mp3(struct text file);  /* with or without an ID3v2 tag before it */
int64_t sound_of_ogg(struct text file);  /* one stream of Opus or Vorbis */
int64_t sound_of_mp4(struct text file);  /* AAC, not in fragments */
int64_t sound_of_webm(struct text file); /* one track of Opus */

/* A number of `bytes` bytes, the first one the most significant. Those must be there. */
uint64_t sound_number(struct text file, size_t at, size_t bytes);

/* units / rate, rounded up; SOUND_UNBOUNDED if the rate is 0, or from 10^12 seconds on. */
int64_t sound_seconds_of(uint64_t units, uint64_t rate);

/* Opus always runs at 48,000 a second. The samples of a packet, by its first bytes (RFC 6716, 3.1);
 * of one that says nothing sensible: the most there may be, 120 ms. */
#define SOUND_OPUS_RATE 48000
uint64_t sound_of_opus_packet(struct text packet);

#endif
