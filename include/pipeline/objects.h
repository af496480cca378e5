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

/* The same with what is to be noted of it. */
void objects_claim_with(struct worker *worker, const struct object *object, struct text key,
                        const struct object_notes *notes);

/* Of whose response an item is. */
struct output {
    struct text upstream, key;
    bool stored;
};

/* An item of a response's output is the key's, too, as later requests may go on from it by its id;
 * if the response is not stored, only what stands for more than its bytes. Then all items of a
 * whole answer. */
void objects_claim_item(struct worker *worker, struct output of, struct json_value item);
void objects_claim_items(struct worker *worker, struct output of, struct text answer);

void objects_forget(struct worker *worker, const struct object *object);

/* An upstream showed the object that the key owns: notes that, for lists. The files that a batch
 * names as its results become the key's, too; of a response, the items of its output. */
void objects_show(struct worker *worker, const struct object *object, struct text key,
                  struct text answer);

/* The `id` of an answer that is an object, in the arena; false if it is none, or no id that could
 * stand in a path (letters, digits, "-", "_", "."; at most OBJECTS_ID_MOST). */
#define OBJECTS_ID_MOST 256
bool objects_id_of(struct text answer, struct arena *arena, struct text *id);
bool objects_is_id(struct text id);

/* For the step of route: asks who owns what a request names of objects, one after the other: what
 * it goes on from (previous_response_id), files and items. GO_ON: nothing (more) is named. All of
 * it is the key's own, or nobody's where that may be used: in the modes open and passthrough, or as
 * auth.foreign_objects says. It never is another key's. Conversations are never made here. */
enum next objects_check(struct request *request);
enum next objects_checked(struct request *request); /* the step is awake */

/* For a step: whether the request's key owns the object. GO_WAIT: the request will be woken, and
 * objects_judge tells; GO_BOOKS: it is refused. */
enum next objects_ask(struct request *request, const struct object *object);

/* After that: true if it does. Else the request is refused with 404, as its upstream would refuse
 * an id that it does not know; `param` is the member of the body that names it, or NULL. In
 * passthrough mode what nobody owns is for the upstream to judge, which knows the caller's key. */
bool objects_judge(struct request *request, struct text id, const char *param);

/* Whether request->found says that the key owns it; and the two refusals. */
bool objects_is_own(const struct request *request);
void objects_refuse(struct request *request, struct text id, const char *param);
void objects_refuse_failed(struct request *request);

/* The registrar's answer for a request in the chain; see pipeline_letter. */
bool objects_letter(struct worker *worker, struct letter *letter);

#endif
