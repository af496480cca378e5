/*
 * purser's own endpoints. Each takes an identified request and decides its reply (those about the
 * books: later, when the clerk has answered).
 */
#ifndef PURSER_FRONT_ENDPOINTS_H
#define PURSER_FRONT_ENDPOINTS_H

#include "pipeline/pipeline.h"

void endpoint_models(struct request *request, struct text rest);   /* GET /v1/models[/{id}] */
void endpoint_budget(struct request *request, struct text rest);   /* GET /budget */
void endpoint_costs(struct request *request, struct text rest);    /* GET /costs[/{request_id}] */
void endpoint_book(struct request *request, struct text rest);     /* POST /costs */
void endpoint_recent(struct request *request, struct text rest);   /* GET /requests */
void endpoint_reload(struct request *request, struct text rest);   /* POST /admin/reload */
void endpoint_cache(struct request *request, struct text rest);    /* GET /admin/cache */
void endpoint_clear(struct request *request, struct text rest);    /* DELETE /admin/cache */
void endpoint_forfeits(struct request *request, struct text rest); /* GET /admin/forfeits */
/* POST /admin/refunds/{request_id}, and of all: POST /admin/refunds */
void endpoint_refund(struct request *request, struct text rest);
void endpoint_refund_all(struct request *request, struct text rest);
void endpoint_keys(struct request *request, struct text rest);    /* GET, POST /admin/keys */
void endpoint_key(struct request *request, struct text rest);     /* DELETE /admin/keys/{id} */
void endpoint_budgets(struct request *request, struct text rest); /* GET, POST /admin/budgets */
/* DELETE /admin/budgets/{name}; POST, DELETE /admin/budgets/{name}/limits */
void endpoint_one_budget(struct request *request, struct text rest);
void endpoint_metrics(struct request *request, struct text rest); /* GET /metrics */
void endpoint_healthz(struct request *request, struct text rest); /* GET /healthz: alive */
void endpoint_readyz(struct request *request, struct text rest);  /* GET /readyz: can admit */

void endpoint_response(struct request *request, struct text rest); /* /v1/responses/{id}... */
void endpoint_files(struct request *request, struct text rest);    /* GET /v1/files */
void endpoint_upload(struct request *request, struct text rest);   /* POST /v1/files */
void endpoint_file(struct request *request, struct text rest);     /* /v1/files/{id}... */
void endpoint_batches(struct request *request, struct text rest);  /* GET /v1/batches */
void endpoint_batch(struct request *request, struct text rest);    /* /v1/batches/{id}... */

/* The registrar's answer to one of these. */
void endpoint_object_answer(struct request *request, const struct deed_answer *answer);

/* The clerk's answer to one of them; to a booking also if its request is gone (NULL). */
void endpoint_books_answer(struct request *request, struct books_answer *answer);
void endpoint_booking_answer(struct house *house, struct request *request,
                             struct books_answer *answer);

/* What came of a reload, or of a key or budget made at run time (a letter of the bell's). */
void endpoint_bell_answer(struct request *request, struct letter *letter);

/* One row of GET /budget, with its amounts if this caller may see them. */
void endpoint_put_budget(struct buffer *out, const struct request *request,
                         const struct account_view *view);

/* In passthrough mode anybody may bring a key: true (and the request is refused) for one that no
 * upstream has accepted yet. */
bool endpoint_guest_unknown(struct request *request);

/* Percent-decodes ("+" is a space if `form`); false if an escape is malformed. */
MUST_USE bool percent_decode(struct arena *arena, struct text raw, bool form, struct text *plain);

#endif
