/*
 * The simulator's world: several instances, each with a core and a lease as they are shipped, and
 * around them everything that is not shipped with them: clocks, disks, a network, the store's
 * servers, upstreams that bill, and all that can go wrong with these. One seed is one world of 60
 * virtual seconds; the same seed is always the same world.
 *
 *     world.c     the world's definitions, its queue of events, and its one loop
 *     traffic.c   requests, calls and what upstreams bill for them
 *     instance.c  a process: its start from what is on disk, its treasury, its end
 *     disk.c      the journal of ceilings and the ledger: what is written, synced, lost
 *     network.c   requests to the store and replies; its servers
 *     faults.c    what goes wrong, and when it is mended
 *     spans.c     what must fit under one limit together
 *     idle.c      hours that pass at once, and what is over by then
 *     checks.c    the invariants
 *     judge.c     what must be true once all is well again
 *
 * Amounts are in the core's units (nano-dollars, tokens, requests), the store's in `step`s.
 */
#ifndef PURSER_TESTS_SIM_H
#define PURSER_TESTS_SIM_H

#include "budget/core_state.h"
#include "budget/lease.h"

enum {
    INSTANCES = 6,
    JOURNALS = 32,
    ACCOUNTS = 320,
    SLOTS = 1024,
    BUDGETS = 4,
    STAKES = 12,
    CALLS = 1024,
    PRICES = 3,
    VERSIONS = 16,
    SERVERS = 2,
    IDS = 12
};

#define MS     INT64_C(1000) /* virtual time is in microseconds */
#define SECOND INT64_C(1000000)

/* Faults until then, then healing; nobody asks for anything after QUIET. */
#define HEAL_AT  (40 * SECOND)
#define QUIET_AT (42 * SECOND)
#define JUDGE_AT (55 * SECOND)
#define END_AT   (60 * SECOND)

/* The store counts micro-dollars. */
#define USD_STEP 1000

enum event_kind {
    EVENT_ARRIVE,    /* a client asks */
    EVENT_TIME_UP,   /* one that waits has waited long enough */
    EVENT_SEND,      /* a granted call's line is written, and it goes to its upstream */
    EVENT_STEP,      /* something happens to a running call */
    EVENT_RELY,      /* an extension's line is written */
    EVENT_TREASURY,  /* the lease wanted to be asked again by now */
    EVENT_COMMITTED, /* the journal's commit ends */
    EVENT_REQUEST,   /* a message reaches a server */
    EVENT_REPLY,     /* and its reply the instance */
    EVENT_TIMEOUT,   /* or does not */
    EVENT_SYNC,      /* the ledger is synced */
    EVENT_START,     /* a process starts */
    EVENT_ADOPT,     /* an instance gets other limits, */
    EVENT_ROUTE,     /* finds the server that is the first one now */
    EVENT_TICK,      /* twice a second: replicas, and checks of everything */
    EVENT_FAULT,
    EVENT_HEAL,
    EVENT_JUDGE,
    EVENT_LEAP, /* hours pass at once */
    EVENT_KIND_COUNT
};

struct event {
    int64_t at;
    enum event_kind kind;
    size_t who;    /* an instance or a call */
    uint64_t what; /* its life or serial at the time: a later one is not meant */
    void *load;
};

/* ---- disk.c ---- */

enum line_kind { LINE_RESERVE, LINE_EXTEND, LINE_SETTLE };

struct line {
    enum line_kind kind;
    uint64_t call; /* its serial; 0: none */
    int64_t at_s;  /* when that was held first */
    size_t count;
    struct {
        size_t account;
        int64_t amount;
    } parts[STAKES];
};

/* A data_dir: what of an instance outlives its processes. */
struct journal {
    char id[STORE_JOURNAL_SIZE];
    size_t instance;
    int64_t incarnation;
    struct store_mark mark;
    bool gone;         /* the data_dir was emptied */
    bool left;         /* an operator said so to the store */
    int64_t joined_at; /* when the store knew it first; -1: not yet */
    bool has[ACCOUNTS];
    int64_t ceiling[ACCOUNTS];   /* on disk, */
    int64_t overdraft[ACCOUNTS]; /* likewise, of that: as the lease said */
    int64_t drawn[ACCOUNTS];     /* of the ceiling: what no store has granted */
    struct line *lines;
    size_t count, room, synced;
    int64_t day;               /* of the ledger's file */
    int64_t until_s[ACCOUNTS]; /* the ceiling is of use until then */
    int64_t billed[ACCOUNTS];  /* by upstreams, for calls of its processes, dead ones too */
    int64_t over[ACCOUNTS];    /* of that: lies */
    unsigned begun[ACCOUNTS];  /* of a session: the account's when it used that last */
};

/* ---- the rest of the world ---- */

struct commit {
    bool marks;
    struct store_mark mark;
    size_t count;
    struct {
        size_t account;
        int64_t amount, overdraft, drawn, until_s;
    } rows[ACCOUNTS];
};

struct instance {
    bool up, closing, retiring;
    uint64_t life; /* counts its processes */
    size_t journal;
    size_t route; /* the server it talks to */
    bool cut;     /* it reaches none */
    size_t version;
    struct core *core;
    struct lease *lease;
    enum lease_step busy; /* the action under way; LEASE_REST: none */
    uint64_t action;      /* counts actions */
    int64_t rest_until, wake_at;
    bool eager; /* it rests, but not if something is wanted */
    struct commit commit;
    int64_t clock_off_s;
    int64_t booted_at;
    bool booted_anew;              /* since the last process: its power was lost */
    int64_t spent[ACCOUNTS];       /* what the core should have booked, */
    int64_t held[ACCOUNTS];        /* and what it should hold */
    char windows[SCOPE_COUNT][20]; /* the last that it reserved on at once */
    int64_t forfeited[ACCOUNTS];   /* of `spent`: as the core was told at its start */
    int64_t drawn[ACCOUNTS];       /* of its ceilings: what no store has granted */
    int64_t fails_until;           /* its disk fails until then */
    int64_t until_s[ACCOUNTS];     /* of sessions: its core remembers it until then */
};

struct call {
    uint64_t serial; /* 0: free */
    size_t instance, journal;
    uint64_t life;
    uint64_t hold, waiter;
    const struct price *price;
    struct bound bound;
    bool probe;
    int64_t slice;
    int64_t max_output, held_output, relied_output;
    int64_t need[UNIT_COUNT]; /* held */
    size_t count;
    size_t accounts[STAKES];
    int64_t begun_s; /* when it held something first */
    bool sent;
    bool forgotten;        /* its journal does not know any more which sessions it used */
    int64_t input, output; /* used so far */
    int64_t billed[UNIT_COUNT], lied[UNIT_COUNT];
    int steps; /* before its end */
};

struct sim_account {
    struct charge name;
    char id[SUBJECT_MAX_ID + 1];
    size_t budget;
    size_t earlier, later; /* sub-buckets of the same rolling window; NOBODY: none */
    int64_t most;          /* L_eff, of the span that ends with it */
    int64_t billed;        /* T, by all instances alive and dead */
    int64_t over;          /* of that: lies; and for each of them what rounding to steps adds */
    int64_t lies;          /* so many */
    int64_t excess; /* booked after losses of power or of the store, and cannot have been spent */
    int64_t left;   /* of `over`: idle_note_left */
    int64_t drawn;  /* what no store has granted, on disk of all journals */
    size_t open;    /* so many calls use it now; */
    int64_t used_s; /* or one did, the last time */
    unsigned begun; /* counts how often it began anew: of a session T is what was billed since */
};

/* What a server knows, and what was applied there. */
struct server {
    struct store *store;
    int run, replication; /* its fence */
    bool empty;           /* it has lost everything */
    int64_t incarnation[JOURNALS], sequence[JOURNALS];
    struct store_seat left[JOURNALS]; /* as an operator said so; an empty one: never */
    int64_t taken_at;                 /* of a replica */
    int64_t stalled_until;
    int64_t epoch; /* as it said last */
};

struct profile {
    size_t instances;
    bool shared;
    bool lonely;             /* its store is one server that never has a replica */
    bool confirms;           /* store.wait_replicas names all servers */
    int64_t arrive_us;       /* between two requests to an instance, in the mean */
    int lost, doubled, late; /* messages, in a thousand */
    int64_t latency_us;
    int commit_fails; /* in a thousand */
    int64_t commit_us;
    int64_t sync_us;                        /* of the ledger */
    int lies, rolls, waits, posts, unnamed; /* calls, in a thousand */
    int64_t wait_us;
    bool crowded;
    bool rolling; /* some windows do */
    bool open;    /* some budgets let instances go on without a store */
    bool disk_fails;
    bool jumps;      /* clocks do: so an account may be forgotten before its time */
    bool idle;       /* some budget is of sessions, and hours pass */
    int64_t leap_us; /* between two leaps, in the mean */
    unsigned faults; /* a bit for each kind */
    int64_t fault_us;
    bool flips; /* of all that befalls a store, failovers and back alone, and some close together */
};

struct world {
    uint64_t seed, random;
    bool trace;
    int64_t now;
    uint64_t order, serial;
    uint64_t *queue; /* what world.c says of each event, */
    struct event *events;
    size_t *places; /* and where those are that are not queued, from `queued` on */
    size_t queued, queue_room;
    struct profile profile;
    struct zone *zone;
    int64_t wall_s;  /* at the beginning, and */
    int64_t leapt_s; /* the hours that have passed at once since then */
    struct price prices[PRICES];
    int64_t tokens; /* of input and of output a request has up to so many */
    struct budget budgets[BUDGETS];
    int64_t limits[VERSIONS][BUDGETS][UNIT_COUNT];
    size_t budget_count, version_count;
    int64_t version_at; /* when the newest one came */
    struct core_options rules;
    struct instance instances[INSTANCES];
    size_t journal_count;
    struct sim_account accounts[ACCOUNTS];
    size_t account_count;
    struct {
        uint64_t number;
        size_t account; /* its index + 1; 0: free */
    } slots[SLOTS];
    size_t free_calls[CALLS], free_count;
    struct server servers[SERVERS];
    struct server replica;
    size_t primary;
    int runs, replications;
    bool set_back;       /* the store has lost something at some time */
    bool careless;       /* an operator set up the store without saying that it was in use */
    bool doubt;          /* the store may not know what was granted, */
    int64_t doubt_epoch; /* until a later epoch than this is open */
    bool stuck;          /* it cannot be mended without an operator who knows what was spent */
    bool healed;
    size_t probes, admitted; /* of the judge */
    size_t lone;             /* nobody else uses sessions */
    int64_t lone_until;
    struct grant grant;
    struct store_reply reply;
    int64_t before[ACCOUNTS]; /* g of a SYNC's rows, before it was applied */
    int64_t totals[ACCOUNTS]; /* what check_all adds up */
    char failure[300];        /* empty: none so far */
    uint64_t digest;          /* of all that happened: equal seeds must have equal ones */

    /* Large, and few are used: a journal is cleared when it is made, and a call, but for the serial
     * of all, when it begins. */
    struct journal journals[JOURNALS];
    struct call calls[CALLS];
};

/* ---- world.c ---- */

struct world *world_open(uint64_t seed, bool trace);
void world_close(struct world *world);
/* True if nothing failed; else world->failure says what. */
bool world_run(struct world *world);

int64_t below(struct world *world, int64_t bound); /* 0 to bound - 1 */
/* Likewise, but of the seed alone: nothing else that is drawn depends on it. */
enum { LOT_ROLLING, LOT_OPEN, LOT_BUDGETS, LOT_FLIPS = 1000, LOT_IDLE, LOT_SESSIONS };
int64_t lot_below(const struct world *world, int lot, int64_t bound);
bool chance(struct world *world, int thousandths);
/* About `mean`, at least 1. */
int64_t around(struct world *world, int64_t mean);

struct event *world_at(struct world *world, int64_t at, enum event_kind kind, size_t who,
                       uint64_t what);
void world_say(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The first failure counts. */
void world_fail(struct world *world, const char *invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The account that a charge names; known from now on. */
size_t world_account(struct world *world, const struct charge *charge);
size_t world_account_by_number(const struct world *world, uint64_t number); /* SIZE_MAX: unknown */
/* An account's enforced limit in one version of the definitions. */
int64_t world_limit(const struct world *world, size_t account, size_t version);
int64_t world_step(const struct world *world, size_t account);
const char *world_name(const struct world *world, size_t account);
struct core_options world_rules(struct world *world, size_t version,
                                struct budget budgets[BUDGETS]);

/* ---- traffic.c ---- */

void traffic_arrive(struct world *world, size_t instance);
void traffic_time_up(struct world *world, size_t call);
void traffic_send(struct world *world, size_t call);
void traffic_step(struct world *world, size_t call);
void traffic_rely(struct world *world, size_t call);
/* A call ends now, whatever it is about. */
void traffic_finish(struct world *world, size_t call);
/* Those who waited and are decided. */
void traffic_wakes(struct world *world, struct instance *instance);
/* One request for so much on all accounts of a subject, which is used up when it is granted. */
void traffic_probe(struct world *world, size_t instance, const struct subject *subject,
                   int64_t input);

/* ---- instance.c ---- */

void instance_start(struct world *world, size_t at);
/* Its process ends now, without a word. */
void instance_die(struct world *world, size_t at, bool power);
/* Carries on with what the lease wants, after whatever happened to its core. */
void instance_go_on(struct world *world, struct instance *instance);
/* The lease wanted to be asked at this moment. */
void instance_woken(struct world *world, struct instance *instance);
void instance_committed(struct world *world, struct instance *instance);
void instance_replied(struct world *world, struct instance *instance,
                      const struct store_reply *reply);
void instance_adopt(struct world *world, struct instance *instance);
int64_t instance_wall_s(const struct world *world, const struct instance *instance);
/* The core believes the wall clock as far as steady time went on. */
void instance_check_clock(const struct world *world, struct instance *instance);
int64_t instance_steady_ms(const struct world *world, const struct instance *instance);

/* ---- disk.c ---- */

size_t journal_new(struct world *world, size_t instance);
void journal_close(struct journal *journal);
void disk_note(struct world *world, const struct call *call, enum line_kind kind,
               const int64_t amounts[UNIT_COUNT]);
void disk_sync(struct world *world, struct instance *instance);
void disk_sync_now(struct world *world, const struct instance *instance);
/* The rows of the commit under way are on disk. */
void disk_apply(struct world *world, struct instance *instance);
/* What was not synced is lost, or a part of it. */
void disk_lose(struct world *world, struct journal *journal);
/* What the ledger says was spent, holds of the dead booked in full (and noted so). */
void disk_replay(struct world *world, struct journal *journal, int64_t spent[ACCOUNTS]);
/* The ledger's word on until when a session counts that it says was spent on. */
int64_t disk_until_s(const struct world *world, const struct journal *journal, size_t account);
/* With each day the ledger begins a new file, and takes over only what counts still. */
void disk_rotate(struct world *world, const struct instance *instance);

/* ---- network.c ---- */

void network_open(struct world *world);
void network_close(struct world *world);
void network_send(struct world *world, struct instance *instance,
                  const struct store_request *request);
void network_request(struct world *world, void *load);
void network_reply(struct world *world, struct instance *instance, void *load);
/* An event's load. */
void network_drop(void *load);
/* An operator's words: lets a journal go; sets up an empty store that waits for so many. */
void network_leave(struct world *world, size_t journal);
/* One that the store does not know of, where nobody can vouch. */
void network_leave_unknown(struct world *world);
/* He says what a journal has really spent that was let go, as its bill shows it. */
void network_reconcile(struct world *world, size_t journal);
void network_init(struct world *world, int64_t instances);
/* Now and then the replica is what the primary is. */
void network_replicate(struct world *world);
void network_copy(struct world *world, struct server *to, const struct server *from);
/* Its fence changes. */
void network_rename(struct world *world, struct server *server, bool restarted);
void network_wipe(struct world *world, struct server *server);
/* The journal is in its registry. */
bool network_has(const struct world *world, const struct server *server, size_t journal);
int64_t network_gone_by(const struct world *world, const struct server *server, size_t account);
int64_t network_granted_by(const struct world *world, const struct server *server, size_t account,
                           size_t journal);
/* What is granted of an account to a journal, what was and is gone, and what is in all, in the
 * core's units. */
int64_t network_granted(const struct world *world, size_t account, size_t journal);
int64_t network_gone(const struct world *world, size_t account);
int64_t network_total(const struct world *world, size_t account);

/* ---- faults.c ---- */

void faults_profile(struct world *world);
void faults_strike(struct world *world);
void faults_heal(struct world *world);
/* An operator lets go of a journal that will not come back, if the store knows all that it was
 * granted: else nobody can tell what was spent of it. */
void faults_let_go(struct world *world, size_t journal);
void faults_let_unknown_go(struct world *world);
/* He says what it has spent, now and then and again, once nothing more can be billed for it. */
void faults_reconcile(struct world *world, size_t journal);
/* Nor does one come back that nobody knows, once all that there are have told what they have. */
const char *faults_list(const struct world *world, char out[200]);

/* ---- spans.c ---- */

#define NOBODY SIZE_MAX

/* An account is in the world from now on. */
void span_join(struct world *world, size_t account);
bool span_rolls(const struct world *world, size_t account);
/* Of an account, or of a rolling window of those that end with it. */
__int128 span_sum(const struct world *world, size_t last,
                  int64_t (*of)(const struct world *world, size_t account));
/* Spans that the account lies in end with it, and with each that this tells; NOBODY: no more. */
size_t span_next(const struct world *world, size_t account, size_t last);
/* The number that the sub-bucket of that moment has, or would have, in the rolling window of one of
 * that number. */
uint64_t span_number(const struct budget *budget, uint64_t number, int64_t now_s);
/* It lies in the span that ends with the sub-bucket of that moment. */
bool span_counts(const struct world *world, size_t account, int64_t now_s);

/* ---- idle.c ---- */

int64_t world_wall_s(const struct world *world);
/* Hours pass. No call lasts for longer than one: so some end before. An `extra` leap is a long one,
 * which is followed by no other. */
void idle_leap(struct world *world, bool extra);
/* An instance was just cut off: perhaps it is for long, and the only one that uses sessions
 * meanwhile, so that the store forgets what it still spends. */
void idle_note_cut(struct world *world, size_t instance);
bool idle_is_session(const struct world *world, size_t account);
/* The store may have forgotten it: it is a session, or a window that ended hours ago. */
bool idle_lapses(const struct world *world, size_t account);
/* Until when a session is remembered that was used then; and the other way round. */
int64_t idle_until_s(const struct world *world, size_t account, int64_t used_s);
int64_t idle_used_s(const struct world *world, size_t account, int64_t until_s);
/* Used now, and from now on, or until now, by a call. */
void idle_open(struct world *world, const struct call *call, size_t account);
void idle_close(struct world *world, size_t account);
/* A process holds or books something on it, and remembers it for so long. */
void idle_note_use(struct world *world, struct instance *instance, size_t account);
/* Its core has rightly forgotten what was spent there. */
void idle_note_forgotten(struct world *world, struct instance *instance, size_t account,
                         const struct account *now);
/* Sessions that nobody has used for so long, and that the store does not know any more, begin anew.
 */
void idle_look(struct world *world);
/* What an instance has spent on a session and forgotten, because others use that for longer, is
 * only known to the store. What a store knows that is `to` be followed by one that knows less
 * (NULL: nothing) is spent again; so is what one that was left behind hears: called with -1 before
 * it does something, and with 1 after that. */
void idle_note_lost(struct world *world, const struct server *to);
/* All go back to the server that was left. Once, however often they do. */
void idle_note_left(struct world *world, const struct server *to);
void idle_note_gone(struct world *world, const struct server *server, int sign);
/* What a journal has of it counts no more. */
bool idle_is_over(const struct world *world, size_t journal, size_t account);

/* ---- checks.c ---- */

void check_instance(struct world *world, struct instance *instance);
void check_account(struct world *world, size_t account);
void check_applied(struct world *world, struct server *server, const struct store_request *request,
                   const struct store_reply *reply);
void check_all(struct world *world);
/* What an instance is about to note: what of it no store has granted. */
void check_overdraft(struct world *world, size_t account, int64_t booked, int64_t drawn);
/* L_eff follows a limit that was lowered, as what was granted comes back. */
void check_lower(struct world *world);
/* What was granted to an instance may be unknown to it: the process died, or a commit failed,
 * before it was noted; or the store was set back to a time before it was given back. It goes back
 * when the account is used next. */
bool check_may_forget(const struct world *world, size_t instance);
/* Where room for accounts is short, one goes that has nothing and spent nothing: what was drawn for
 * it was given back whole, and may be drawn again. */
bool check_forgot_drawn(const struct world *world, const struct account *account);
/* The core's account of that number, if it is in use. */
const struct account *check_find(const struct core *core, uint64_t number);

/* ---- judge.c ---- */

void judge(struct world *world);
void judge_end(struct world *world);

#endif
