/*
 * Intake: an uploaded file on its way to an upstream. It goes there byte for byte, and belongs to
 * the key from then on. Of one with the purpose "batch" the lines are read first, as their sums are
 * what its batch will hold: by a thread (gear/reader.h), while other requests go on.
 */
#ifndef PURSER_PIPELINE_INTAKE_H
#define PURSER_PIPELINE_INTAKE_H

#include "pipeline/request.h"

/* Takes a complete request whose body is multipart/form-data; decides its reply, now or later. A
 * batch's file goes to the upstream that serves its model, any other to the first one. */
void intake_begin(struct request *request);

/* The reader's answer; see pipeline_letter. A client that is gone leaves nothing to be sent. */
bool intake_letter(struct worker *worker, struct letter *letter);

#endif
