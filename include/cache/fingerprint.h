/*
 * Fingerprints: which requests have the same answer.
 *
 * A fingerprint is a keyed hash (base/hash.h; the key is a secret of the process) over everything
 * that can change the answer, the route or its limits: name space, dialect and endpoint, where
 * calls go, headers that reach the upstream, and every top-level member of the body but those that
 * only say who asks or in which shape the answer is wanted (the table is in the source). What is
 * not known counts.
 *
 * The canonical form. Top-level members are sorted by their unescaped names, those of the same name
 * stay in their order (so do all if there are more than 64); white space between tokens is left
 * out; strings count by what they say ("\u0041" is "A"); a top-level number by its value ("0",
 * "0.0" and "-0"). Deeper members keep their order and numbers their digits: models read schemas as
 * they are written. What comes before the body is in parts, each preceded by its kind and size; the
 * body is JSON itself. So no two different requests give the same bytes.
 */
#ifndef PURSER_CACHE_FINGERPRINT_H
#define PURSER_CACHE_FINGERPRINT_H

#include "cache/cache.h"
#include "wire/body.h"

struct fingerprint_header {
    struct text name, value;
};

struct fingerprint_ask {
    struct text name_space;  /* "key alice", "team research", "all": who shares */
    struct text routes;      /* a version of where calls go; other routes, other answers */
    const struct body *body; /* read by body_read */
    const struct fingerprint_header *headers; /* those that matter, in any order (up to 64) */
    size_t header_count;
    bool normalized; /* white space, case and final punctuation of the last user message do not
                        count: runs of ASCII white space are one space, none at the ends; ASCII
                        letters lose their case; final . ! ? are dropped. Texts only: a string, or
                        one part of type text; else, and if nothing were left, it counts exactly */
};

/* One pass over the body. The hasher's key is the process's secret. */
void fingerprint_request(const struct fingerprint_ask *ask, struct keyed_hasher *hasher,
                         uint8_t digest[FINGERPRINT_SIZE]);

/* The same for each input of an embeddings request by itself: all but `input`, which is this one
 * element (raw JSON). Never equal to a fingerprint of a whole request. Another pass over the body,
 * and one over the inputs. */
void fingerprint_inputs(const struct fingerprint_ask *ask, const struct text *inputs, size_t count,
                        struct keyed_hasher *hasher, uint8_t (*digests)[FINGERPRINT_SIZE]);

/* False for headers that upstreams do not read for their answers: agents, tracing, ids, connection
 * management, SDK telemetry. What is not known matters. */
bool fingerprint_header_matters(struct text name);

/* ---- what may be kept ---- */

struct fingerprint_rules {
    int64_t temperature_most_nano; /* 1.0 is 1000000000 */
    bool absent_temperature;       /* a request that names none counts as deterministic */
    bool embeddings;
};

/* Whether answers to such a request may be stored and shared. Never: hosted tools, `store`,
 * `previous_response_id`, `background`, audio. */
enum fingerprint_fit {
    FINGERPRINT_FITS,
    FINGERPRINT_NOT_DETERMINISTIC,
    FINGERPRINT_KEPT_BY_PROVIDER, /* `store` and the like */
    FINGERPRINT_HOSTED,           /* hosted tools, plug-ins, whatever has a cost without a bound */
    FINGERPRINT_AUDIO,
    FINGERPRINT_OFF,      /* embeddings, and they are not to be */
    FINGERPRINT_ENDPOINT, /* answers of this endpoint are never kept */
};

enum fingerprint_fit fingerprint_fits(const struct body *body,
                                      const struct fingerprint_rules *rules);
const char *fingerprint_why(enum fingerprint_fit fit); /* a clause for people */

#endif
