/*
 * The gate of the rate limits: their core behind its one short lock. Any worker may call; nothing
 * here does I/O.
 */
#ifndef PURSER_BUDGET_RATES_GATE_H
#define PURSER_BUDGET_RATES_GATE_H

#include "budget/rates.h"

struct rates_gate;

struct rates_gate *rates_gate_open(size_t most);
void rates_gate_close(struct rates_gate *gate); /* NULL-safe */

/* As in rates.h. */
void rates_gate_enter(struct rates_gate *gate, struct rates_pass **pass,
                      const struct rates_ask *ask, struct rates_answer *answer);
void rates_gate_leave(struct rates_gate *gate, struct rates_pass *pass, enum rates_end end,
                      int64_t tokens);
size_t rates_gate_accounts(struct rates_gate *gate);
size_t rates_gate_passes(struct rates_gate *gate);

/* For a lessor's thread. */
void rates_gate_lease(struct rates_gate *gate);
size_t rates_gate_list(struct rates_gate *gate, struct rates_place *place,
                       struct rates_counter counters[RATES_COUNTERS_MOST]);
MUST_USE bool rates_gate_grant(struct rates_gate *gate, const struct rates_counter *of,
                               int64_t more);
int64_t rates_gate_trim(struct rates_gate *gate, const struct rates_counter *of, int64_t least);

#endif
