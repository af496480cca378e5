/*
 * purser's own endpoints. Each takes an identified request and decides its reply (costs: later,
 * when the clerk has answered).
 */
#ifndef PURSER_FRONT_ENDPOINTS_H
#define PURSER_FRONT_ENDPOINTS_H

#include "pipeline/pipeline.h"

void endpoint_models(struct request *request, struct text rest);  /* GET /v1/models[/{id}] */
void endpoint_budget(struct request *request, struct text rest);  /* GET /budget */
void endpoint_costs(struct request *request, struct text rest);   /* GET /costs[/{request_id}] */
void endpoint_healthz(struct request *request, struct text rest); /* GET /healthz: alive */
void endpoint_readyz(struct request *request, struct text rest);  /* GET /readyz: can admit */

/* A parameter of the query, percent-decoded, in the arena; TEXT_NONE if absent. */
struct text query_value(struct request *request, const char *name);

/* Percent-decodes ("+" is a space if `form`); false if an escape is malformed. */
MUST_USE bool percent_decode(struct arena *arena, struct text raw, bool form, struct text *plain);

#endif
