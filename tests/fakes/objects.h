/*
 * Files and batches: /v1/files and /v1/batches. A batch is worked on when it is due: each line of
 * its file is a call of its own, on the bill at the batch price.
 *
 * What a batch is to do says its x-fake header: delay_ms (until it is due; 0), die_after=N (it
 * expires after N lines), fail_after=N (it is cancelled by the provider after N lines). Lines have
 * directives of their own.
 */
#ifndef FAKES_OBJECTS_H
#define FAKES_OBJECTS_H

#include "call.h"

struct objects;

struct objects *objects_open(const struct call_place *place);
void objects_close(struct objects *objects);
void objects_reset(struct objects *objects);

/* Works on what is due. */
void objects_advance(struct objects *objects, int64_t now_ns);

/* Answers everything below /v1/files and /v1/batches; returns the status. */
int objects_serve(struct objects *objects, const struct http_request *request, int64_t now_ns,
                  struct bytes *body);

#endif
