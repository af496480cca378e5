/*
 * Recovery: what the process before has left of budgets, from the ledger and from the vault.
 *
 *     spent, held   as the ledger says: calls that were in flight are booked at their holds
 *                   (ledger.h), those that somebody goes on with are held
 *     ceilings      as the vault says
 *
 * If both are whole (the last process ended cleanly, or the machine ran on, so that everything that
 * was written is there), this is exact, and what is left below a ceiling is used further.
 *
 * Otherwise (power loss, or a ledger that is gone) lines may be missing. No more was used than the
 * ceilings allowed: so what the ledger does not prove of them is forfeited, which means booked as
 * spent, by a `forfeit` line without a call for each account. The same money is missing on all the
 * accounts that a call has: so only the lines of one budget, the one with the most, have it as
 * their cost.
 *
 * Without a ceiling (a new vault, or one that was lost) an account begins with one that is used up:
 * what it has spent and holds.
 *
 * Where budgets are shared, the store knows what each vault was granted, and a new vault begins
 * with nothing: what the ledger has from before is charged there to the one that spent it. And
 * after a power loss lines that end holds may be missing, while no more than a ceiling was used by
 * calls. So a `disown` line takes off the ledger's balances, once and for all, what is above the
 * ceilings: where the vault is new, all of it; else no more than the holds that were given up at
 * this start.
 *
 * What is above a ceiling otherwise is an overrun (a bill above its hold, a cost from elsewhere)
 * that the process before could not tell the store of. The vault's ceiling is raised to it, whoever
 * allows it, as for an overdraft: the lease states it, and the store charges it (lease.h).
 */
#ifndef PURSER_CLI_RECOVERY_H
#define PURSER_CLI_RECOVERY_H

#include "books/ledger.h"
#include "budget/gate.h"
#include "budget/vault.h"

struct recovery {
    struct gate *gate;     /* nothing was reserved yet */
    struct ledger *ledger; /* not started */
    struct vault *vault;
    bool ledger_whole; /* it was not empty */
    bool shared;       /* there is a store */
    const struct clock *clock;
    const struct charge *rows; /* the vault's */
    size_t row_count;
};

/* Books what is forfeited, and restores the gate's accounts. Afterwards the vault may have other
 * rows. */
MUST_USE bool recover(const struct recovery *recovery, struct fault *fault);

#endif
