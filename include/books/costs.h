/*
 * The answers of GET /costs (JSON or CSV), GET /costs/{request_id} and GET /requests (shapes:
 * http-api). Errors have OpenAI's shape.
 */
#ifndef PURSER_BOOKS_COSTS_H
#define PURSER_BOOKS_COSTS_H

#include "books/rollup.h"

/* No answer has more lines of one request. */
#define COSTS_LINES_MOST 1000

/* The sums a query asks for, from roll-ups that are fed. */
void costs_of_sums(struct rollup *rollup, const struct books_query *query,
                   struct books_answer *answer);

/* The newest calls, costs booked from elsewhere, and refusals. */
void costs_of_recent(struct rollup *rollup, const struct books_query *query,
                     struct books_answer *answer);

/* Whether something was booked under a name: 200 with its line, or 404. */
void costs_of_booking(struct rollup *rollup, const struct books_query *query,
                      struct books_answer *answer);

/* A request's ledger lines, from the files of the directory. The id carries the request's time
 * ("req_", 12 hex digits of milliseconds since 1970, 12 random ones), so that only the files of
 * that day and the three after it that can hold it are read. Lines of another key than the
 * query's are not found. */
void costs_of_request(int dir_fd, const struct books_query *query, struct books_answer *answer);

/* The answer to a question that could not be worked on; logged by the caller. */
void costs_failed(struct books_answer *answer);

#endif
