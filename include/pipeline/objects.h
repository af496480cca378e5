/*
 * Objects: what was made through purser and lives at an upstream (stored responses, files,
 * batches). They belong to the key that made them (ceilings.db, through the registrar's thread);
 * to everybody else they do not exist.
 */
#ifndef PURSER_PIPELINE_OBJECTS_H
#define PURSER_PIPELINE_OBJECTS_H

#include "budget/registrar.h"
#include "pipeline/pipeline.h"

/* The key owns the object at the upstream from now on. Returns at once; whoever asks later finds it
 * so. Overlong ids are nobody's. A failure is logged: then the object stays nobody's. */
void objects_claim(struct worker *worker, const struct object *object, struct text key);

/* For a step: whether the request's key owns the object. GO_WAIT: the request will be woken, and
 * objects_judge tells; GO_BOOKS: it is refused. */
enum next objects_ask(struct request *request, const struct object *object);

/* After that: true if it does. Else the request is refused with 404, as its upstream would refuse
 * an id that it does not know; `param` is the member of the body that names it, or NULL. In
 * passthrough mode what nobody owns is for the upstream to judge, which knows the caller's key. */
bool objects_judge(struct request *request, struct text id, const char *param);

/* The registrar's answer for a request in the chain; see pipeline_letter. */
bool objects_letter(struct worker *worker, struct letter *letter);

#endif
