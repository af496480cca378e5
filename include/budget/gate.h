/*
 * The budget gate: the core behind its one short lock, and the mail that wakes those who waited.
 * Any worker may call; nothing here does I/O.
 */
#ifndef PURSER_BUDGET_GATE_H
#define PURSER_BUDGET_GATE_H

#include "base/mailbox.h"
#include "budget/core.h"

struct gate;

/* The kind of a letter whose body is the `struct grant` (malloc'd) of a request that waited.
 * Freeing the letter does not settle the hold: a worker's deliver function that finds the addressee
 * gone must settle a GRANTED hold itself (with nothing used). A mailbox is closed only when none of
 * its owner's requests waits: each was decided by letter, by gate_time_is_up or by gate_leave;
 * where these said false, the letter is on its way and must be received first. */
#define GATE_LETTER_GRANT 1

struct gate *gate_open(const struct core_options *options);
void gate_close(struct gate *gate);

/* Like core_redefine. Who waits gets a letter with VERDICT_AGAIN. */
void gate_redefine(struct gate *gate, const struct core_options *options);

void gate_restore(struct gate *gate, const struct charge *charge);
void gate_restore_ceiling(struct gate *gate, const struct charge *charge);
void gate_restore_forfeited(struct gate *gate, const struct charge *charge);

/* Like core_reserve (core.h), as are all of these. On VERDICT_WAIT a letter (GATE_LETTER_GRANT, to
 * `to`) will come to `mailbox`, unless gate_time_is_up or gate_leave returns true first.
 * ask->cookie is the gate's own. */
void gate_reserve(struct gate *gate, struct ask *ask, struct mailbox *mailbox, uint64_t to,
                  struct grant *grant);
void gate_prepare(struct gate *gate, const struct ask *ask);
void gate_reserve_fact(struct gate *gate, const struct subject *subject, int64_t now_s,
                       struct grant *grant);
void gate_extend(struct gate *gate, uint64_t hold, int64_t output, struct grant *grant);
void gate_rehold(struct gate *gate, const struct subject *subject, const struct spend *held,
                 int64_t made_s, struct grant *grant);
bool gate_time_is_up(struct gate *gate, uint64_t waiter, int64_t now_s, struct grant *grant);
bool gate_waits_for_lessor(struct gate *gate, uint64_t waiter);
bool gate_leave(struct gate *gate, uint64_t waiter);
void gate_book(struct gate *gate, uint64_t hold, const struct spend *used, struct money *over);
void gate_release(struct gate *gate, const uint64_t *holds, size_t count);
void gate_settle(struct gate *gate, uint64_t hold, const struct spend *used, struct money *over);

/* core_refund of many; as what looks at all accounts, in portions: others are let in between. */
void gate_refund(struct gate *gate, const struct refund *list, size_t count);

size_t gate_view(struct gate *gate, const struct subject *subject, bool everything, int64_t now_s,
                 struct account_view *views, size_t most);
bool gate_tightest(struct gate *gate, const struct subject *subject, int64_t now_s,
                   struct account_view *view);
size_t gate_sums(struct gate *gate, int64_t now_s, struct budget_sum *sums, size_t most);
bool gate_has_room(struct gate *gate, int64_t now_s);
bool gate_any_usd(const struct gate *gate); /* lock-free */
size_t gate_open_holds(struct gate *gate);

/* ---- for the treasury (treasury.h) alone ---- */

/* From now on the core is told what this clock says before anybody uses it: whoever is let in first
 * after hours in which the machine stood still grants nothing that was of use before. The clock
 * must outlive the gate. */
void gate_watch(struct gate *gate, const struct clock *clock);

/* The core, which nobody else uses until gate_exit. */
struct core *gate_enter(struct gate *gate);
/* Wakes that came of it are posted. */
void gate_exit(struct gate *gate);

/* Within gate_enter: waits, while others use the core, for at most `wait_ms`; if `eager`, only
 * until the core wants something (core_wants_growth). Also ended by gate_rouse, from any thread. */
void gate_doze(struct gate *gate, int64_t wait_ms, bool eager);
void gate_rouse(struct gate *gate);

#endif
