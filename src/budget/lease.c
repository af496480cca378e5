/*
 * What the lease does next, and what it makes of how that went. The moves themselves are
 * lease_work.c's.
 */
#include "budget/lease_state.h"

#include <stdlib.h>

enum {
    BEAT_MS = 250,      /* signs of life, and reminding those who wait, */
    BUSY_MS = 1000,     /* if not so often while there is something to ask all the time */
    AGAIN_MS = 250,     /* between questions to a store that does not answer, or recovers */
    EMPTY_MS = 1000,    /* and to one that an operator must look at */
    DISK_MS = 1000,     /* between commits while they fail */
    PATIENCE_MS = 2000, /* who waits for growth does so for a recovery of this length */
    IDLE_MS = 1000,     /* alone: between looks for idle headroom */
};

/* ---- opening and closing ---- */

struct lease *lease_open(const struct lease_options *options, const struct charge *rows,
                         size_t count)
{
    struct lease *lease = memory_new(sizeof(*lease));
    lease->options = *options;
    lease->label = memory_copy(options->label);
    lease->options.label = text_of(lease->label);
    lease->phase = options->shared ? PHASE_JOIN : PHASE_OPEN;
    lease->since_ms = INT64_MIN;
    lease->mark = lease->noted_mark = options->mark;
    lease->options.core->tells = options->shared;
    lease->vouched = !options->shared;
    lease->unheard = options->shared;
    if (options->shared)
        apart_begin(lease);
    for (size_t at = 0; options->shared && at < count; at++)
        work_take_journal(lease, &rows[at]);
    return lease;
}

void lease_close(struct lease *lease)
{
    if (lease == NULL)
        return;
    arena_close(&lease->texts);
    lease_rows_close(&lease->rows);
    free(lease->label);
    free(lease);
}

void lease_retire(struct lease *lease)
{
    lease->retiring = true;
}

/* ---- how it stands ---- */

enum lease_state lease_state(const struct lease *lease)
{
    if (!lease->options.shared)
        return LEASE_EMBEDDED;
    if (lease->gone)
        return lease->empty ? LEASE_EMPTY : LEASE_GONE;
    if (lease->phase == PHASE_OPEN)
        return lease->vouched ? LEASE_OPEN : LEASE_NEWCOMER;
    return lease->recovering ? LEASE_RECOVERING : LEASE_GONE;
}

static bool may_grow(const struct lease *lease)
{
    return lease->phase == PHASE_OPEN && lease->vouched;
}

bool lease_grants(const struct lease *lease)
{
    return !lease->failing && !lease->gone && may_grow(lease);
}

/* Who wants growth is told that nobody grants it, instead of waiting. A store that was never heard
 * may be about to start, too. */
static bool refuses(const struct lease *lease)
{
    if (lease->failing || (lease->gone && !lease->unheard))
        return true;
    return !may_grow(lease) && lease->now_ms - lease->since_ms > PATIENCE_MS;
}

/* ---- orders ---- */

static void rest(const struct lease *lease, int64_t until_ms, struct lease_action *action)
{
    *action = (struct lease_action){
        .step = LEASE_REST, .until_ms = until_ms, .eager = refuses(lease) || may_grow(lease)};
}

static void order_commit(struct lease *lease, enum order order, struct lease_action *action)
{
    ASSERT(lease->charge_count > 0);
    lease->order = order;
    *action = (struct lease_action){.step = LEASE_COMMIT,
                                    .rows = lease->charges,
                                    .row_count = lease->charge_count,
                                    .now_s = lease->now_s};
}

static void order_mark(struct lease *lease, struct lease_action *action)
{
    lease->order = ORDER_MARK;
    *action = (struct lease_action){.step = LEASE_MARK, .mark = &lease->mark};
}

/* At once: who waits for it does not wait for the store. */
static void order_overdraft(struct lease *lease, struct lease_action *action)
{
    order_commit(lease, ORDER_GROWTH, action);
    for (size_t at = 0; at < lease->move_count; at++)
        action->overdrawn = action->overdrawn || lease->moves[at].answer.overdrawn > 0;
}

static void order_ask(struct lease *lease, enum store_kind kind, size_t rows,
                      struct lease_action *action)
{
    struct store_request *request = &lease->request;
    *request = (struct store_request){.kind = kind,
                                      .label = lease->options.label,
                                      .epoch = lease->epoch,
                                      .incarnation = lease->options.incarnation,
                                      .sequence = ++lease->sequence,
                                      .vouches = vouch_for_others(lease),
                                      .now_s = lease->now_s,
                                      .rows = lease->store_rows,
                                      .row_count = rows};
    memcpy(request->journal, lease->options.journal, sizeof(request->journal));
    memcpy(request->fence, lease->fence, sizeof(request->fence));
    lease->order = ORDER_ASK;
    lease->asked_ms = lease->now_ms;
    lease->asked_s = lease->wall_s;
    lease->beat_ms = lease->now_ms + BEAT_MS;
    *action = (struct lease_action){.step = LEASE_ASK, .request = request};
}

/* ---- alone ---- */

static void next_alone(struct lease *lease, struct lease_action *action)
{
    bool beats = lease->now_ms >= lease->beat_ms;
    if (beats)
        headroom_remind(lease->options.core);
    /* Gifts first: what they leave may be granted in the same commit. */
    if (lease->retiring || beats || headroom_left_over(lease->options.core))
        work_add_gifts(lease);
    if (lease->retiring || beats)
        lease->beat_ms = lease->now_ms + IDLE_MS;
    work_add_growths(lease, false);
    work_answer_alone(lease);
    work_fill_charges(lease, true);
    if (lease->charge_count > 0) {
        order_commit(lease, ORDER_GROWTH, action);
        return;
    }
    work_settle(lease);
    rest(lease, lease->retiring ? INT64_MAX : lease->beat_ms, action);
}

/* ---- with a store ---- */

static void next_join(struct lease *lease, struct lease_action *action)
{
    order_ask(lease, STORE_JOIN, 0, action);
}

static void next_epoch(struct lease *lease, struct lease_action *action)
{
    order_ask(lease, STORE_EPOCH, 0, action);
    lease->request.lost = lease->lost;
    lease->request.known = lease->mark.epoch;
    vouch_state(lease);
}

static void next_ready(struct lease *lease, struct lease_action *action)
{
    order_ask(lease, STORE_READY, 0, action);
}

/* The next piece of all rows. */
static void next_sync(struct lease *lease, struct lease_action *action)
{
    bool complete = false;
    if (work_renew_rows(lease)) {
        rest(lease, lease->now_ms, action);
        return;
    }
    if (lease->sync_at == 0)
        apart_note_stated(lease);
    size_t count = work_state_rows(lease, &complete);
    order_ask(lease, STORE_SYNC, count, action);
    lease->request.complete = complete;
    if (complete)
        vouch_state(lease);
}

/* Rows of which nobody knows whether the last operation was applied. */
static void sync_doubtful(struct lease *lease, struct lease_action *action)
{
    const struct lease_row *row = NULL;
    size_t at = 0, count = 0;
    while (count < STORE_ROWS_MOST &&
           (row = lease_rows_next(&lease->rows, &at, lease->now_s)) != NULL) {
        if (row->doubtful)
            lease->store_rows[count++] = lease_row_stated(row);
    }
    order_ask(lease, STORE_SYNC, count, action);
}

static void ask_moves(struct lease *lease, struct lease_action *action)
{
    work_fill_rows(lease);
    order_ask(lease, STORE_MOVE, lease->move_count, action);
}

static void next_open(struct lease *lease, struct lease_action *action)
{
    bool due = lease->now_ms >= lease->beat_ms || lease->now_ms - lease->looked_ms >= BUSY_MS;
    bool beats = due && !lease->retiring;
    if (lease->rows.doubtful > 0) {
        sync_doubtful(lease, action);
        return;
    }
    bool gives = beats || lease->retiring || headroom_left_over(lease->options.core);
    if (!lease->noted && gives && lease->move_count < STORE_ROWS_MOST)
        work_add_gifts(lease);
    if (!lease->noted && lease->move_count > 0) {
        work_fill_charges(lease, true);
        order_commit(lease, ORDER_GIFTS, action);
        return;
    }
    if (beats) {
        headroom_remind(lease->options.core);
        headroom_look_behind(lease->options.core);
        lease_rows_sweep(&lease->rows, lease->now_s);
    }
    work_add_mends(lease); /* the store counts what is missing before it grants more */
    if (lease->vouched)
        work_add_growths(lease, beats);
    if (beats) {
        work_add_round(lease);
        work_add_looks(lease);
    }
    if (lease->move_count > 0)
        ask_moves(lease, action);
    else if (beats)
        order_ask(lease, STORE_BEAT, 0, action);
    else
        rest(lease, lease->retiring ? INT64_MAX : lease->beat_ms, action);
}

static void next_shared(struct lease *lease, struct lease_action *action)
{
    static void (*const next[])(struct lease *, struct lease_action *) = {
        [PHASE_JOIN] = next_join,   [PHASE_EPOCH] = next_epoch, [PHASE_SYNC] = next_sync,
        [PHASE_READY] = next_ready, [PHASE_OPEN] = next_open,
    };
    next[lease->phase](lease, action);
}

static bool is_marked(const struct lease *lease)
{
    return lease->mark.epoch == lease->noted_mark.epoch &&
           lease->mark.instances == lease->noted_mark.instances &&
           store_roster_equal(&lease->mark.roster, &lease->noted_mark.roster) &&
           strcmp(lease->mark.fence, lease->noted_mark.fence) == 0;
}

/* An empty store is not one that is away: what it lost an operator must look at first. */
static bool may_overdraw(const struct lease *lease)
{
    return lease->gone && !lease->empty && !lease->failing && !lease->retiring;
}

static void enter(struct lease *lease, enum phase phase)
{
    if (lease->phase == PHASE_OPEN && phase != PHASE_OPEN)
        lease->since_ms = lease->now_ms;
    lease->phase = phase;
    lease->sync_at = 0;
    if (phase != PHASE_OPEN)
        return;
    lease->recovering = false;
    lease->missing = (struct store_seat){0};
    lease->looked_ms = lease->now_ms;
    apart_note_opened(lease);
    if (lease->rows.lacking > 0)
        lease->beat_ms = lease->now_ms; /* what is idle goes back before that is charged */
    headroom_remind(lease->options.core);
}

/* What was granted and is not noted yet is not used: that is told with all rows. */
static void part(struct lease *lease)
{
    apart_begin(lease);
    if (!lease->failing)
        lease->charge_count = 0;
    lease->noted = false;
    work_refuse(lease, true);
    enter(lease, PHASE_JOIN);
}

void lease_next(struct lease *lease, int64_t now_ms, int64_t now_s, struct lease_action *action)
{
    ASSERT(lease->order == ORDER_NONE);
    lease->now_ms = now_ms;
    /* Not the wall clock's word alone: rows must not go before their time. */
    lease->now_s = core_believes_s(lease->options.core, now_s);
    lease->wall_s = now_s;
    if (lease->since_ms == INT64_MIN)
        lease->since_ms = now_ms;
    core_turn(lease->options.core, now_s);
    if (apart_is_due(lease))
        part(lease);
    else if (apart_must_state(lease))
        enter(lease, PHASE_JOIN);
    bool refused = refuses(lease);
    lease->options.core->alone = refused && may_overdraw(lease);
    apart_tell(lease, refused || lease->retiring);
    if ((refused || lease->retiring) && lease->move_count == 0) {
        if (refused && may_overdraw(lease))
            headroom_remind_open(lease->options.core);
        work_add_growths(lease, false);
        if (may_overdraw(lease) && work_overdraw(lease))
            work_fill_charges(lease, false);
        else
            work_refuse(lease, true);
        headroom_postpone(lease->options.core);
    }
    if (lease->retiring && (refused || lease->phase != PHASE_OPEN))
        rest(lease, INT64_MAX, action);
    else if (refused && lease->charge_count > 0 && !lease->failing)
        order_overdraft(lease, action);
    else if (now_ms < lease->not_before_ms)
        rest(lease, lease->not_before_ms, action);
    else if (lease->charge_count > 0)
        order_commit(lease, lease->failing ? ORDER_MEND : ORDER_GROWTH, action);
    else if (lease->phase >= PHASE_SYNC && !is_marked(lease))
        order_mark(lease, action);
    else if (lease->options.shared)
        next_shared(lease, action);
    else
        next_alone(lease, action);
}

/* ---- commits ---- */

static void note_charges(struct lease *lease)
{
    for (size_t at = 0; lease->options.shared && at < lease->charge_count; at++)
        (void)lease_rows_put(&lease->rows, &lease->charges[at], lease->now_s);
    lease->charge_count = 0;
}

static void commit_failed(struct lease *lease, enum order order)
{
    lease->failing = true;
    lease->not_before_ms = lease->now_ms + DISK_MS;
    if (order == ORDER_MEND || order == ORDER_MARK)
        return;
    work_spoil(lease);
    work_doubt(lease);
    work_refuse(lease, true);
}

void lease_committed(struct lease *lease, int64_t now_ms, bool done)
{
    enum order order = lease->order;
    ASSERT(order != ORDER_NONE);
    ASSERT(order != ORDER_ASK);
    lease->order = ORDER_NONE;
    lease->now_ms = now_ms;
    if (!done) {
        commit_failed(lease, order);
        return;
    }
    lease->failing = false;
    if (order == ORDER_MARK) {
        lease->noted_mark = lease->mark;
        return;
    }
    note_charges(lease);
    work_doubt_overdrawn(lease);
    lease->noted = order == ORDER_GIFTS;
    if (order == ORDER_GROWTH)
        work_settle(lease);
}

/* ---- replies ---- */

/* The store must be entered anew. What the moves gave is told by stating all rows. */
static void start_over(struct lease *lease)
{
    if (lease->stumbled)
        lease->not_before_ms = lease->now_ms + AGAIN_MS;
    lease->stumbled = true;
    lease->noted = false;
    work_refuse(lease, false);
    enter(lease, PHASE_JOIN);
}

static void lost(struct lease *lease)
{
    lease->gone = true;
    lease->empty = false;
    lease->not_before_ms = lease->now_ms + AGAIN_MS;
    lease->noted = false;
    work_doubt(lease);
    work_refuse(lease, true);
    lease->sync_at = 0;
}

static void empty(struct lease *lease)
{
    lease->gone = true;
    lease->empty = true;
    lease->not_before_ms = lease->now_ms + EMPTY_MS;
    lease->noted = false;
    work_refuse(lease, true);
    enter(lease, PHASE_JOIN);
}

static void take_identity(struct lease *lease, const struct store_reply *reply)
{
    memcpy(lease->fence, reply->fence, sizeof(lease->fence));
    lease->fence[sizeof(lease->fence) - 1] = '\0';
    lease->epoch = reply->epoch;
    lease->recovering = reply->recovering;
}

/* A server that was left behind, and is found again, has an epoch of before, or one of the same
 * number that began without the others. */
static bool is_left_behind(const struct lease *lease, const struct store_reply *reply)
{
    if (reply->epoch != lease->mark.epoch)
        return reply->epoch < lease->mark.epoch;
    return !reply->unfenced && strcmp(reply->fence, lease->mark.fence) != 0;
}

static void remember_epoch(struct lease *lease, const struct store_reply *reply)
{
    if (reply->epoch < lease->mark.epoch || reply->unfenced)
        return;
    lease->mark.epoch = reply->epoch;
    memcpy(lease->mark.fence, lease->fence, sizeof(lease->mark.fence));
}

static void joined(struct lease *lease, const struct store_reply *reply)
{
    take_identity(lease, reply);
    if (is_left_behind(lease, reply))
        lease->lost = true;
    else
        remember_epoch(lease, reply);
    vouch_begin(lease, reply);
    enter(lease, PHASE_EPOCH);
}

static void epoch_set(struct lease *lease, const struct store_reply *reply)
{
    take_identity(lease, reply);
    if (is_left_behind(lease, reply)) {
        enter(lease, PHASE_JOIN);
        return;
    }
    if (!reply->recovering && !reply->unfenced && reply->epoch != lease->request.epoch)
        return; /* it was asked of another one, so whom it remembers is not held against this */
    remember_epoch(lease, reply);
    lease->lost = false;
    enter(lease, PHASE_SYNC);
}

/* True if as many rows were answered as were asked, each with an amount. */
static bool is_sync_reply(const struct lease *lease, const struct store_reply *reply)
{
    bool possible = reply->row_count == lease->request.row_count;
    for (size_t at = 0; possible && at < reply->row_count; at++)
        possible = reply->rows[at].granted >= 0;
    return possible;
}

static void take_stated(struct lease *lease, const struct store_reply *reply)
{
    for (size_t at = 0; at < reply->row_count; at++) {
        const struct store_row *stated = &lease->store_rows[at];
        struct lease_row *row = lease_rows_find(&lease->rows, stated->account);
        if (row == NULL)
            continue;
        row->granted = reply->rows[at].granted;
        row->anew = false;
        bool full = reply->rows[at].total >= STORE_MOST; /* it takes no more */
        lease_rows_doubt(&lease->rows, row, false);
        lease_rows_lack(&lease->rows, row, row->granted < stated->value && !full);
    }
}

static void synced(struct lease *lease, const struct store_reply *reply)
{
    if (!is_sync_reply(lease, reply)) {
        lost(lease);
        return;
    }
    take_stated(lease, reply);
    lease->recovering = reply->recovering;
    if (lease->phase != PHASE_SYNC)
        return;
    if (lease->request.complete)
        enter(lease, reply->recovering ? PHASE_READY : PHASE_OPEN);
}

static void readied(struct lease *lease, const struct store_reply *reply)
{
    lease->missing =
        reply->recovering && reply->roster.count > 0 ? reply->roster.at[0] : (struct store_seat){0};
    if (!reply->recovering)
        enter(lease, PHASE_OPEN);
    else
        lease->not_before_ms = lease->now_ms + AGAIN_MS;
}

/* What the store forgot, or told in a way that cannot be, is settled by an epoch. */
static void moved(struct lease *lease, const struct store_reply *reply)
{
    lease->noted = false;
    if (!work_take_reply(lease, reply)) {
        lease->lost = true;
        work_doubt(lease);
        start_over(lease);
        return;
    }
    lease->stumbled = false;
    if (reply->verdict == STORE_RECOVERING) {
        lease->recovering = true;
        enter(lease, PHASE_SYNC);
    }
    work_fill_charges(lease, false);
    if (lease->charge_count == 0)
        work_settle(lease);
}

static void beaten(struct lease *lease, const struct store_reply *reply)
{
    if (reply->verdict == STORE_RECOVERING)
        enter(lease, PHASE_SYNC);
}

/* A number that counts what was applied must grow. */
static bool is_later(const struct lease *lease, const struct store_reply *reply)
{
    return lease->request.kind == STORE_JOIN || reply->gseq > lease->gseq;
}

static void take_applied(struct lease *lease, const struct store_reply *reply)
{
    static void (*const take[])(struct lease *, const struct store_reply *) = {
        [STORE_JOIN] = joined,     [STORE_MOVE] = moved,    [STORE_SYNC] = synced,
        [STORE_EPOCH] = epoch_set, [STORE_READY] = readied, [STORE_BEAT] = beaten,
    };
    if (lease->gone && lease->phase != PHASE_OPEN)
        lease->since_ms = lease->now_ms; /* who comes now waits for the rest of the way */
    lease->gone = false;
    if (!is_later(lease, reply)) {
        lease->lost = true;
        work_doubt(lease);
        start_over(lease);
        return;
    }
    lease->gseq = reply->gseq;
    lease->absent = reply->absent;
    bool was_open = lease->phase == PHASE_OPEN;
    take[lease->request.kind](lease, reply);
    if (was_open && lease->phase == PHASE_OPEN)
        apart_note_heard(lease);
    if (lease->request.kind != STORE_JOIN)
        vouch_take(lease, reply);
}

void lease_replied(struct lease *lease, int64_t now_ms, const struct store_reply *reply)
{
    ASSERT(lease->order == ORDER_ASK);
    lease->order = ORDER_NONE;
    lease->now_ms = now_ms;
    lease->unheard = lease->unheard && reply->verdict == STORE_AWAY;
    if (reply->verdict == STORE_OK || reply->verdict == STORE_RECOVERING)
        take_applied(lease, reply);
    else if (reply->verdict == STORE_AWAY)
        lost(lease);
    else if (reply->verdict == STORE_EMPTY)
        empty(lease);
    else
        start_over(lease);
}
