/*
 * A ledger entry: one line of the books, and the only two functions that know its text.
 *
 * The sum of cost_usd (or tokens) over any lines is what they spent: lines that book nothing (open,
 * reserve, refuse, close) have 0. Never prompts, completions or keys.
 */
#ifndef PURSER_BOOKS_ENTRY_H
#define PURSER_BOOKS_ENTRY_H

#include "base/fault.h"
#include "base/json.h"
#include "money/charge.h"

enum entry_kind {
    ENTRY_OPEN,    /* first line of a file, and of a process in it: all balances and open holds */
    ENTRY_RESERVE, /* a hold, written before the call is sent */
    ENTRY_SETTLE,  /* what a call used; ends its hold */
    ENTRY_FORFEIT, /* a hold of a process that died, booked in full; ends it */
    ENTRY_REFUSE,  /* a request that purser refused; books nothing */
    ENTRY_CLOSE,   /* a process ended cleanly */
    ENTRY_KIND_COUNT
};

enum usage_source { USAGE_NONE, USAGE_REPORTED, USAGE_COUNTED, USAGE_BOUND };

/* All texts are borrowed. Absent texts (size 0) and zero optional numbers are left out of the
 * line; the eight members that every line has are always there. */
struct entry {
    enum entry_kind kind;
    int64_t wall_us;
    struct text request_id; /* the client's request, "req_..." */
    struct text call;       /* the upstream call, "<request id>.<attempt>"; key of a hold */
    int attempt;
    struct text model, model_requested, endpoint, service, upstream;
    struct text key, user, team, session, label;
    const struct text *tags;
    size_t tag_count;
    int64_t prompt_tokens, cached_tokens, cache_write_tokens; /* cached, write: of prompt */
    int64_t completion_tokens, reasoning_tokens;              /* reasoning: of completion */
    struct money cost;
    struct money hold;
    enum usage_source usage_source;
    struct text price_version;
    const struct charge *charges; /* RESERVE: the hold's; SETTLE, FORFEIT: what was booked */
    size_t charge_count;
    struct text route;            /* why this model and upstream */
    struct text stop_reason;      /* "stop", "length", "client", "upstream", "budget", ... */
    struct text error;            /* the code of a refusal or failure */
    int status;                   /* HTTP status the client got; 0: none */
    int64_t ttft_ms, duration_ms; /* -1: not known */
};

/* Appends the line without `seq`, `hash`, closing brace and line end: the ledger adds them. */
void entry_put(struct buffer *out, const struct entry *entry, struct text node);

/* What a line of the ledger says, for replay and reports; texts live in the arena or the line.
 * False with a fault if it is not a line of ours. `seq` and `hash` are not looked at. */
MUST_USE bool entry_read(struct text line, struct arena *arena, struct entry *entry,
                         struct fault *fault);

const char *entry_kind_name(enum entry_kind kind);

#endif
