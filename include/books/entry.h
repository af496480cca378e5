/*
 * A ledger entry: one line of the books, and the only two functions that know its text.
 *
 * The sum of cost_usd (or tokens) over any lines is what they spent: lines that book nothing (open,
 * reserve, extend, disown, refuse, close) have 0. Never prompts, completions or keys.
 */
#ifndef PURSER_BOOKS_ENTRY_H
#define PURSER_BOOKS_ENTRY_H

#include "base/fault.h"
#include "base/json.h"
#include "money/charge.h"
#include "money/saving.h"

enum entry_kind {
    ENTRY_OPEN,    /* first line of a file, and of a process in it: all balances and open holds */
    ENTRY_RESERVE, /* a hold, written before the call is sent */
    ENTRY_EXTEND,  /* what a call's hold has grown to (hold, charges), in all: written before it is
                      relied on. Of what else it says only request_id and call are looked at */
    ENTRY_SETTLE,  /* what a call used; ends its hold. Without a call: a fact that had no hold, as
                      an answer from the cache */
    ENTRY_FORFEIT, /* a hold of a process that died, booked in full; ends it. Without a call: what
                      may have been used of an account, because lines may have been lost */
    ENTRY_REFUND,  /* what a FORFEIT booked and was not used after all: takes it back, so its cost
                      and charges are negative. Of the same request_id and call */
    ENTRY_DISOWN,  /* what balances have and another instance was charged with, or nobody used:
                      their charges are negative. Costs nothing, and takes nothing off costs */
    ENTRY_REFUSE,  /* a request that purser refused; books nothing */
    ENTRY_CLOSE,   /* a process ended cleanly */
    ENTRY_KIND_COUNT
};

enum usage_source { USAGE_NONE, USAGE_REPORTED, USAGE_COUNTED, USAGE_BOUND, USAGE_SOURCE_COUNT };

/* All texts are borrowed. Absent texts (size 0) and zero optional numbers are left out of the
 * line; the eight members that every line has are always there. Only SETTLE, FORFEIT and REFUND
 * may have a cost, tokens or savings (asserted); their lines always have `cost_nano_usd`. */
struct entry {
    enum entry_kind kind;
    int64_t wall_us;
    struct text request_id; /* the client's request, "req_..." */
    struct text call;       /* the upstream call, "<request id>.<attempt>"; key of a hold. Empty:
                               there was none, and no RESERVE line */
    int attempt;            /* above 1: the request counts already */
    struct text model, model_requested, endpoint, service, upstream;
    struct text key, user, team, session, label;
    struct text idempotency_key; /* of a cost from elsewhere: names it once for its key */
    const struct text *tags;
    size_t tag_count;                                         /* at most SUBJECT_MAX_TAGS */
    int64_t prompt_tokens, cached_tokens, cache_write_tokens; /* cached, write: of prompt */
    int64_t completion_tokens, reasoning_tokens;              /* reasoning: of completion */
    struct money cost;
    struct money hold;
    enum usage_source usage_source;
    struct text service_tier; /* as the answer names it: "default", "flex", ... */
    struct text price_version;
    const struct charge *charges; /* RESERVE, EXTEND: the hold's; SETTLE, FORFEIT, REFUND: what was
                                     booked; DISOWN: what balances lose */
    size_t charge_count;          /* at most CHARGE_MOST */
    struct text cache;            /* "hit": answered from the cache, "miss": it was asked; empty:
                                     it was not */
    struct text route;            /* why this model and upstream */
    struct money saved[SAVING_COUNT]; /* by cause; none below zero (asserted) */
    struct text stop_reason;          /* "stop", "length", "client", "upstream", "budget", ... */
    struct text error;                /* the code of a refusal or failure */
    int status;                       /* HTTP status the client got; 0: none */
    int64_t ttft_ms, duration_ms;     /* -1: not known */
};

/* Appends the line without `seq`, `hash`, closing brace and line end: the ledger adds them. */
void entry_put(struct buffer *out, const struct entry *entry, struct text node);

/* What a line of the ledger says, for replay and reports; texts live in the arena or the line.
 * False with a fault if it is not a line of ours. `seq` and `hash` are not looked at; members it
 * does not know are passed over. */
MUST_USE bool entry_read(struct text line, struct arena *arena, struct entry *entry,
                         struct fault *fault);

/* The kind of a line, from its place in it, without reading the rest; false if it is none. */
MUST_USE bool entry_peek_kind(struct text line, enum entry_kind *kind);

const char *entry_kind_name(enum entry_kind kind);

/* One element of `accounts`, and of the `balances` of an open line: an object. */
void entry_put_charge(struct buffer *out, const struct charge *charge);
MUST_USE bool entry_read_charge(struct json_value object, struct arena *arena,
                                struct charge *charge, struct fault *fault);

/* An entry that owns what it points to. Zero-initialised is empty and valid; taking another entry
 * uses the same memory again. It may be moved. */
struct entry_copy {
    struct entry entry;
    struct buffer bytes;
};
void entry_copy_take(struct entry_copy *copy, const struct entry *entry);
void entry_copy_close(struct entry_copy *copy);

#endif
