/*
 * The front desk: which path is what. One table of routes; everything not in it gets 404 with
 * help.
 */
#ifndef PURSER_FRONT_DESK_H
#define PURSER_FRONT_DESK_H

#include "pipeline/pipeline.h"

/* Takes a complete request: decides its reply, now or later. */
void desk_take(struct request *request);

/* Letters that are not the pipeline's: answers of the clerk, and of the main thread to
 * who rang the bell. Takes the letter. */
void desk_letter(void *worker, struct letter *letter);

#endif
