/*
 * The gate of the rate limits: their core behind its one short lock. Any worker may call; nothing
 * here does I/O.
 */
#ifndef PURSER_BUDGET_RATES_GATE_H
#define PURSER_BUDGET_RATES_GATE_H

#include "base/mailbox.h"
#include "budget/rates.h"

struct rates_gate;

struct rates_gate *rates_gate_open(size_t most);
void rates_gate_close(struct rates_gate *gate); /* NULL-safe */

/* The kind of a letter without a body: what its addressee waited for has been answered, or will not
 * be. It asks again. */
#define RATES_LETTER 6

/* One who may have to wait; zeroed at first, and the waiter's own. It must not go while it waits.
 */
struct rates_waiter {
    struct mailbox *mailbox;
    uint64_t to;
    struct rates_waiter *before, *after;
    bool waiting, asked;
};

/* As in rates.h. On RATES_WAIT a letter (RATES_LETTER) will come, unless rates_gate_forget comes
 * first: `waiter` (may be NULL unless ask->patient) says to whom. */
void rates_gate_enter(struct rates_gate *gate, struct rates_pass **pass,
                      const struct rates_ask *ask, struct rates_waiter *waiter,
                      struct rates_answer *answer);
/* It waits no more: no letter will be written to it. One that was may still be on its way. */
void rates_gate_forget(struct rates_gate *gate, struct rates_waiter *waiter);
void rates_gate_leave(struct rates_gate *gate, struct rates_pass *pass, enum rates_end end,
                      int64_t tokens);
size_t rates_gate_accounts(struct rates_gate *gate);
size_t rates_gate_passes(struct rates_gate *gate);

/* ---- for the warden (warden.h) alone ---- */

/* The core, which nobody else uses until rates_gate_exit. */
struct rates_core *rates_gate_hold(struct rates_gate *gate);
void rates_gate_exit(struct rates_gate *gate);

/* Within rates_gate_hold: what is asked of the store now is for all who wait so far; and they are
 * answered, and asked to come again. */
void rates_gate_note_waiters(struct rates_gate *gate);
void rates_gate_wake_waiters(struct rates_gate *gate);

/* Within rates_gate_hold: waits, while others use the core, for at most `wait_ms` or until
 * something is urgent (rates_is_urgent). Also ended by rates_gate_rouse, from any thread. */
void rates_gate_doze(struct rates_gate *gate, int64_t wait_ms);
void rates_gate_rouse(struct rates_gate *gate);

#endif
