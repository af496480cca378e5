/*
 * Intake: an uploaded file on its way to an upstream. It goes there byte for byte, and belongs to
 * the key from then on. Of one with the purpose "batch" the lines are read first, as their sums are
 * what its batch will hold; a few at a time, in turns of the loop, for a file of 100,000 lines
 * takes longer than other requests should wait.
 */
#ifndef PURSER_PIPELINE_INTAKE_H
#define PURSER_PIPELINE_INTAKE_H

#include "pipeline/request.h"

/* Takes a complete request whose body is multipart/form-data; decides its reply, now or later. A
 * batch's file goes to the upstream that serves its model, any other to the first one. */
void intake_begin(struct request *request);

/* Its client is gone; NULL-safe. */
void intake_leave(struct request *request);

#endif
