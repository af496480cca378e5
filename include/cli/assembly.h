/*
 * The assembly: puts what is made at run time in force. A petition becomes a motion (motion.h); the
 * configuration with it is made and checked as a reload makes and checks it; then it is kept
 * (council.h), put in force (reload.h), and answered when it holds on all workers. For the main
 * thread.
 */
#ifndef PURSER_CLI_ASSEMBLY_H
#define PURSER_CLI_ASSEMBLY_H

#include "cli/council.h"
#include "cli/reload.h"

/* One ringer's petition, who is answered now or later. NULL: nothing changes. */
struct handover *assembly_hear(struct estate *estate, size_t workers, struct ringer *ringer);

/* Looks for what other instances have made, if it is time. NULL: nothing changes. */
struct handover *assembly_look(struct estate *estate, size_t workers);

#endif
