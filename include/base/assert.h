/*
 * Assertions that stay on in production.
 *
 * ASSERT guards what this program promises itself (invariants, contracts of functions). Data
 * from outside (clients, upstreams, files, the environment) is never asserted: it is checked
 * and refused. One condition per assertion, so that the message names what broke.
 *
 * A failed assertion prints the condition, the place and the last steps of the requests this
 * thread worked on, then aborts. The ledger makes that safe: open holds are booked at restart.
 */
#ifndef PURSER_BASE_ASSERT_H
#define PURSER_BASE_ASSERT_H

#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__, __func__))

#define MUST_USE __attribute__((warn_unused_result))

_Noreturn void assert_failed(const char *condition, const char *file, int line, const char *where);

/* Remembers, per thread, that `request_id` reached `step`; the last 16 are printed on a failure.
 * `request_id` is copied, `step` must be a string literal. Costs a few nanoseconds. */
void assert_trace(const char *request_id, const char *step);

#endif
