/*
 * POST /v1/batches: a batch is held when it is created, from the lines of its input file, whose
 * sums were noted when the file came through purser (pipeline/intake.h), at the batch price. Its
 * hold stays open until its results tell what it used (pipeline/pledge.h).
 */
#ifndef PURSER_PIPELINE_BATCH_H
#define PURSER_PIPELINE_BATCH_H

#include "pipeline/pipeline.h"
#include "wire/jobs.h"

/* Of a request that makes a batch; in its arena. */
struct batch {
    struct jobs jobs;
    struct bound sum;
    struct price whole; /* a call costs what all lines may cost together */
};

/* Steps of route: asks who owns the file; then takes model, upstream and bounds from its lines. */
enum next batch_ask(struct request *request);
enum next batch_route(struct request *request);

/* What the batch wants to hold: one sum, for all its lines. */
void batch_fill_ask(const struct request *request, struct ask *ask);

#endif
