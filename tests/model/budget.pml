/*
 * The budget protocol: holds, ceilings, and a store that loses what it acknowledged.
 *
 * Asked is one thing: does the provider ever bill more than the limit? And on the way, the
 * protocol's own invariants:
 *
 *     I0  bill ≤ Σ spent + excess             excess: what the provider billed above holds
 *     I1  spent + held ≤ ceiling + over       over: what of the excess is not charged yet
 *     I2  ceiling ≤ grant                     in the store, for who takes part in its open epoch
 *     I3  Σ grants ≤ L + excess               in a store that grants
 *     I4  a ceiling is on disk before it is used
 *     I5  an operation applies only if fence, epoch and (incarnation, sequence) are fresh
 *     ⇒   bill ≤ L + excess
 *
 * One account, INSTANCES instances, two servers that may hold the store's data: one is primary, the
 * other has an older copy. The other may be promoted, and the first again later; both may believe
 * to be primary at the same time. Calls hold 1. Sizes (-D): INSTANCES, LIMIT, at most PROMOTIONS
 * and EPOCHS, OVERRUNS (calls billed above their hold), WIPES; LEAVES 1: an operator lets instances
 * go. Nothing else is bounded: any number of operations, crashes, power losses, and of messages
 * that are lost, late or doubled.
 *
 * How that stays finite, and loses nothing by it:
 *  - Of an instance's messages two are remembered: the newest and an older one. A lost message is
 *    one that is never delivered; a delivered one stays and may be delivered again.
 *  - Of sequence numbers only the order matters: the newest message has rank 2, the older one 1,
 *    and the store remembers the rank it has seen. An incarnation is durable before it is used and
 *    comes first in the order, so after a restart the same ranks go on.
 *  - A reply arrives at once or never. One that arrives later would meet an instance that has done
 *    nothing meanwhile that depends on it; a reply to another message than the newest is ignored.
 *  - A call that nobody waits for any more is billed at once, in full: nothing reads the bill.
 *  - An instance that is dead, or cut off, is one that takes no steps.
 *  - All instances are registered, and every registered one is known to a store whose data is
 *    lost: so the protocol must keep the registry in the journals too.
 *
 * MUTANT_... (-D) takes one rule away; tests/model/run lists them. BILL_ALONE asks for the bill and
 * not for I0 to I4: a mutant that is caught then costs money. STORY: see tell().
 */

#define ALL ((1 << INSTANCES) - 1)

/* What an instance does. At most one of its operations is under way. */
#define IDLE     0
#define WAITING  1 /* for the reply to its newest message */
#define DOUBT    2 /* what the store holds is not known: a sync comes next */
#define GROWING  3 /* the store has granted; the journal is being written */
#define CHARGING 4 /* the same for a bill above its hold */
#define LOWERING 5 /* the journal is being written; then the store is told */

/* Operations. */
#define NONE   0
#define GROW   1 /* by 1 */
#define RETURN 2 /* 1 */
#define CHARGE 3 /* 1, whatever the limit */
#define SYNC   4 /* states the journal's ceiling */
#define OPEN   5 /* begins a new epoch, if the present one is still the message's */

#define RANK_OLDER  1
#define RANK_NEWEST 2

/* What the store says. */
#define NOTHING   0
#define DONE      1
#define REFUSED   2
#define NOT_YOURS 3 /* fence or epoch is another */

typedef message {
    unsigned op : 3;
    unsigned value : 3; /* SYNC: the ceiling; OPEN: the sender's epoch */
    unsigned epoch : 3; /* and fence: in which it was sent; OPEN: the store's, as it was seen */
    unsigned fence : 3;
    unsigned server : 1
};

typedef state_of_instance {
    unsigned ceiling : 3; /* usable */
    unsigned written : 3; /* in the journal: survives kill -9 */
    unsigned durable : 3; /* by fdatasync: survives power loss too */
    unsigned spent : 3;
    unsigned held : 1;
    unsigned doing : 3;
    unsigned epoch : 3; /* in which it takes part, durable before it syncs there */
    unsigned fence : 3;
    message newest;
    message older
};

/* A server's data. What is lost is lost together. */
typedef state_of_store {
    unsigned epoch : 3;
    unsigned fence : 3;  /* of the server where the epoch began, then */
    unsigned open : 1;   /* else recovering */
    unsigned synced : 3; /* a bit for each instance: has stated its ceiling in this recovery */
    unsigned left : 3;   /* an operator has let it go: no part in this epoch any more */
    byte grant[INSTANCES];
    byte seen[INSTANCES] /* rank of the last operation applied */
};

state_of_instance inst[INSTANCES];
state_of_store store[2];
bit primary[2]; /* takes operations */
byte replid[2]; /* a new one with each promotion */
byte promotions, wipes, overruns;
byte epochs; /* the highest number given so far */
byte bill, excess;

/* Used within one step only. */
hidden byte k, sum, said, stated, again, number, at;
hidden message m; /* as it arrives, from instance i */

#define USED(i) (inst[i].spent + inst[i].held)
#define OVER(i) (USED(i) > inst[i].ceiling -> USED(i) - inst[i].ceiling : 0)

/* Of a server: its run id, which is its number here, and its master_replid. */
#define FENCE(s) (2 * replid[s] + s)

#if defined MUTANT_NO_FENCE
#define SAME_FENCE(a, b) true
#elif defined MUTANT_RUN_ID_ALONE
#define SAME_FENCE(a, b) ((a) % 2 == (b) % 2)
#else
#define SAME_FENCE(a, b) ((a) == (b))
#endif
#define FENCE_HOLDS(s) SAME_FENCE(store[s].fence, FENCE(s))

#define TAKES_PART(i, s, with)                                                                     \
    (FENCE_HOLDS(s) && with.epoch == store[s].epoch && SAME_FENCE(with.fence, store[s].fence) &&   \
     !(store[s].left & (1 << i)))

#ifdef MUTANT_NO_SEQUENCE
#define FRESH(i, rank, s) true
#else
#define FRESH(i, rank, s) (rank > store[s].seen[i])
#endif

/* ---- what holds after every step ---- */

inline sum_grants(s)
{
    sum = 0;
    for (k : 0 .. INSTANCES - 1) {
        sum = sum + store[s].grant[k]
    }
}

/* A store that recovers grants nothing, and one whose fence is broken is a memory of older times:
 * nothing is claimed of either. */
inline check_store(s)
{
    if
    :: primary[s] && store[s].open && FENCE_HOLDS(s) ->
        for (k : 0 .. INSTANCES - 1) {
            if
            :: TAKES_PART(k, s, inst[k]) ->
                assert(inst[k].durable <= store[s].grant[k]); /* I2 */
                assert(inst[k].written <= store[s].grant[k])  /* I2: what is about to be durable */
            :: else
            fi
        }
        sum_grants(s);
        assert(sum <= LIMIT + excess) /* I3 */
    :: else
    fi
}

/* What the store will refuse for ever is as good as lost. A broken fence does not heal, nor
 * does a sequence number grow younger; and an epoch that ended comes back only with older data,
 * behind a broken fence. */
#define REFUSED_FOR_EVER(i, message, rank)                                                         \
    (message.op == OPEN                                                                            \
         -> message.epoch != store[0].epoch && message.epoch != store[1].epoch                     \
         : !primary[message.server] || !TAKES_PART(i, message.server, message) ||            \
               !FRESH(i, rank, message.server))

#define NO_REPLY_WILL_COME(i, message)                                                             \
    (!primary[message.server] || !FRESH(i, RANK_NEWEST, message.server))

#define CLEAR(message)                                                                             \
    message.op = NONE; message.value = 0; message.epoch = 0; message.fence = 0; message.server = 0

inline forget_dead_messages()
{
    for (k : 0 .. INSTANCES - 1) {
        if
        :: inst[k].older.op != NONE && REFUSED_FOR_EVER(k, inst[k].older, RANK_OLDER) ->
            CLEAR(inst[k].older)
        :: else
        fi;
        if
        :: inst[k].doing == WAITING && NO_REPLY_WILL_COME(k, inst[k].newest) ->
            inst[k].doing = DOUBT
        :: else
        fi;
        if
        :: inst[k].newest.op != NONE && inst[k].doing != WAITING &&
               REFUSED_FOR_EVER(k, inst[k].newest, RANK_NEWEST) ->
            CLEAR(inst[k].newest)
        :: else
        fi;
        if
        :: inst[k].newest.op == NONE && inst[k].older.op == NONE ->
            store[0].seen[k] = 0;
            store[1].seen[k] = 0
        :: inst[k].newest.op != NONE && inst[k].older.op == NONE ->
            store[0].seen[k] = (store[0].seen[k] == RANK_NEWEST -> RANK_NEWEST : 0);
            store[1].seen[k] = (store[1].seen[k] == RANK_NEWEST -> RANK_NEWEST : 0)
        :: inst[k].newest.op == NONE && inst[k].older.op != NONE ->
            store[0].seen[k] = (store[0].seen[k] >= RANK_OLDER -> RANK_OLDER : 0);
            store[1].seen[k] = (store[1].seen[k] >= RANK_OLDER -> RANK_OLDER : 0)
        :: else
        fi
    }
}

/* A line for each step when a trail is played back: for each instance and server what is in its
 * structure, operations by their numbers, the server's own fence behind the store's. */
#ifdef STORY
inline tell()
{
    printf("@ bill %d", bill);
    for (k : 0 .. INSTANCES - 1) {
        printf(" | i%d c%d w%d d%d spent %d held %d doing %d e%d", k, inst[k].ceiling,
            inst[k].written, inst[k].durable, inst[k].spent, inst[k].held, inst[k].doing,
            inst[k].epoch);
        printf(" newest %d/%d/e%d/s%d", inst[k].newest.op, inst[k].newest.value,
            inst[k].newest.epoch, inst[k].newest.server);
        printf(" older %d/%d/e%d/s%d", inst[k].older.op, inst[k].older.value,
            inst[k].older.epoch, inst[k].older.server)
    }
    for (k : 0 .. 1) {
        printf(" | s%d%c e%d f%d/%d open %d synced %d left %d g %d %d seen %d %d", k,
            (primary[k] -> 'P' : 'r'), store[k].epoch, store[k].fence, FENCE(k), store[k].open,
            store[k].synced, store[k].left, store[k].grant[0], store[k].grant[1],
            store[k].seen[0], store[k].seen[1])
    }
    printf("\n")
}
#else
#define tell() skip
#endif

inline check()
{
    tell();
#ifndef MUTANT_INIT_REUSES_EPOCH /* whose store forgets what it has seen, and not the epoch */
    forget_dead_messages();
#endif
    assert(bill <= LIMIT + excess);
#ifndef BILL_ALONE
    sum = 0;
    for (k : 0 .. INSTANCES - 1) {
        sum = sum + inst[k].spent;
        assert(OVER(k) <= excess);                 /* I1 */
        assert(inst[k].ceiling <= inst[k].durable) /* I4 */
    }
    assert(bill <= sum + excess); /* I0 */
    check_store(0);
    check_store(1)
#endif
}

/* ---- messages ---- */

/* The message before becomes the older one, or is lost if there is an older one still. */
inline send(i, what, states, to)
{
    if
    :: inst[i].older.op == NONE ->
        inst[i].older.op = inst[i].newest.op;
        inst[i].older.value = inst[i].newest.value;
        inst[i].older.epoch = inst[i].newest.epoch;
        inst[i].older.fence = inst[i].newest.fence;
        inst[i].older.server = inst[i].newest.server;
        for (k : 0 .. 1) {
            store[k].seen[i] = (store[k].seen[i] == RANK_NEWEST -> RANK_OLDER : 0)
        }
    :: else ->
        for (k : 0 .. 1) {
            store[k].seen[i] = (store[k].seen[i] >= RANK_OLDER -> RANK_OLDER : 0)
        }
    fi;
    inst[i].newest.op = what;
    inst[i].newest.value = states;
    inst[i].newest.epoch = (what == OPEN -> store[to].epoch : inst[i].epoch);
    inst[i].newest.fence = (what == OPEN -> 0 : inst[i].fence);
    inst[i].newest.server = to;
    inst[i].doing = WAITING
}

inline lose_older(i)
{
    CLEAR(inst[i].older);
    for (k : 0 .. 1) {
        store[k].seen[i] = (store[k].seen[i] == RANK_NEWEST -> RANK_NEWEST : 0)
    }
}

/* ---- the store ---- */

/* In the epoch `number`. */
inline begin_epoch(s)
{
    store[s].epoch = number;
    epochs = (number > epochs -> number : epochs);
    store[s].fence = FENCE(s);
    store[s].open = 0;
    store[s].synced = 0;
    store[s].left = 0;
#if !defined MUTANT_BARRIER_SKIPS_ABSENT && !defined MUTANT_LEFT_AS_REMEMBERED
    for (k : 0 .. INSTANCES - 1) {
        store[s].grant[k] = 0
    }
#endif
}

/* Opens when all have stated their ceilings. Those who were let go are charged with all that the
 * others do not account for: what an older store remembers of them may be too little. */
inline open_if_all_are_here(s)
{
    if
#ifdef MUTANT_BARRIER_SKIPS_ABSENT
    :: true ->
#else
    :: (store[s].synced | store[s].left) == ALL ->
#endif
#ifndef MUTANT_LEFT_AS_REMEMBERED
        sum_grants(s);
        for (k : 0 .. INSTANCES - 1) {
            if
            :: (store[s].left & (1 << k)) && sum < LIMIT ->
                store[s].grant[k] = LIMIT - sum;
                sum = LIMIT
            :: else
            fi
        }
#endif
        store[s].open = 1;
        store[s].synced = 0
    :: else
    fi
}

inline apply_sync(i, s)
{
    if
    :: store[s].open ->
        if
#ifdef MUTANT_SYNC_RAISES
        :: true -> store[s].grant[i] = m.value
#else
        :: m.value < store[s].grant[i] -> store[s].grant[i] = m.value
        :: else
#endif
        fi
    :: else ->
        store[s].grant[i] = m.value;
        store[s].synced = store[s].synced | (1 << i);
        open_if_all_are_here(s)
    fi;
    said = DONE
}

inline apply(i, s)
{
    said = REFUSED;
    sum_grants(s);
    if
    :: m.op == SYNC -> apply_sync(i, s)
#ifdef MUTANT_LIMIT_NOT_CHECKED
    :: m.op == GROW && store[s].open ->
#else
    :: m.op == GROW && store[s].open && sum + 1 <= LIMIT ->
#endif
        store[s].grant[i]++;
        said = DONE
    :: m.op == CHARGE && store[s].open ->
        store[s].grant[i]++;
        said = DONE
    :: m.op == RETURN && store[s].open && store[s].grant[i] > 0 ->
        store[s].grant[i]--;
        said = DONE
    :: else
    fi
}

/* A number above the store's and the sender's: so that whoever has taken part in an epoch knows all
 * that are older, wherever they are. */
inline compare_and_set(i, rank, s)
{
    number = (m.value > store[s].epoch -> m.value : store[s].epoch) + 1;
    if
    :: number <= EPOCHS ->
        store[s].seen[i] = rank;
        begin_epoch(s);
        said = DONE
    :: else
    fi
}

/* I5. */
inline receive(i, rank, s)
{
    said = NOTHING;
    if
    :: primary[s] && m.op != NONE && FRESH(i, rank, s) ->
        if
        :: m.op == OPEN && m.epoch == store[s].epoch -> compare_and_set(i, rank, s)
        :: m.op != OPEN && TAKES_PART(i, s, m) ->
            store[s].seen[i] = rank;
            apply(i, s)
        :: else -> said = NOT_YOURS
        fi
    :: else
    fi
}

#define ARRIVES(message)                                                                           \
    m.op = message.op; m.value = message.value; m.epoch = message.epoch;                           \
    m.fence = message.fence; at = message.server

/* ---- an instance hears of it ---- */

inline enter(i, s)
{
    inst[i].epoch = store[s].epoch;
    inst[i].fence = store[s].fence;
    inst[i].doing = DOUBT
}

inline hear_done(i, s)
{
    if
    :: inst[i].newest.op == GROW || inst[i].newest.op == CHARGE ->
        inst[i].doing = (inst[i].newest.op == GROW -> GROWING : CHARGING);
        inst[i].written++;
#ifdef MUTANT_USE_BEFORE_FSYNC
        inst[i].ceiling = inst[i].written
#endif
    :: inst[i].newest.op == OPEN ->
        enter(i, s)
    :: inst[i].newest.op == RETURN ->
        inst[i].doing = IDLE;
#ifdef MUTANT_STORE_BEFORE_DISK
        inst[i].written = inst[i].ceiling;
        inst[i].durable = inst[i].ceiling
#endif
    :: inst[i].newest.op == SYNC ->
        inst[i].doing = IDLE;
#ifdef MUTANT_SYNC_RAISES
        inst[i].written = inst[i].newest.value;
        inst[i].doing = GROWING
#endif
    fi
}

/* An epoch is entered if it is newer than the one before. An older one belongs to a server that was
 * left: others may have grown elsewhere since they synced there. */
inline hear_not_yours(i, s)
{
    if
#ifdef MUTANT_ENTERS_OLDER_EPOCH
    :: FENCE_HOLDS(s) && !(store[s].left & (1 << i)) -> enter(i, s)
#else
    :: FENCE_HOLDS(s) && !(store[s].left & (1 << i)) && store[s].epoch > inst[i].epoch ->
        enter(i, s)
#endif
    :: else -> send(i, OPEN, inst[i].epoch, s)
    fi
}

inline hear(i, s)
{
    if
    :: said == DONE -> hear_done(i, s)
    :: said == NOT_YOURS -> hear_not_yours(i, s)
    :: said == REFUSED -> inst[i].doing = (inst[i].newest.op == RETURN -> DOUBT : IDLE)
    :: said == NOTHING
    fi
}

/* ---- processes: each alternative, and what is checked after it, is one step ---- */

/* The disk is done; a return that was made durable is told to server s. */
inline commit(i, s)
{
    inst[i].durable = inst[i].written;
    if
    :: inst[i].doing == LOWERING -> send(i, RETURN, 0, s)
    :: inst[i].doing == GROWING || inst[i].doing == CHARGING ->
        inst[i].ceiling = inst[i].durable;
        inst[i].doing = IDLE
    fi
}

/* What was in flight is booked in full. What is read at the start is made durable before use. */
inline restart(i)
{
    bill = bill + inst[i].held;
    inst[i].held = 0;
    inst[i].written = inst[i].durable;
    inst[i].ceiling = inst[i].durable;
    inst[i].doing = DOUBT
}

#ifdef MUTANT_CHECK_THEN_SPEND
#define MAY_RESERVE(i) (inst[0].spent + inst[1].spent < LIMIT)
#else
#define MAY_RESERVE(i) (USED(i) < inst[i].ceiling)
#endif

#ifdef MUTANT_SYNC_RAISES
#define STATED(i) (inst[i].newest.op == GROW -> inst[i].durable + 1 : inst[i].durable)
#else
#define STATED(i) inst[i].durable
#endif

#define TALKS_TO(s) primary[s]

#define END k = 0 /* a d_step may not end in a branch */

#define STEP_OF_STORE(s)                                                                           \
    :: d_step { TALKS_TO(s) && inst[i].doing == IDLE && inst[i].ceiling < LIMIT ->                 \
        send(i, GROW, 0, s); END }                                                                 \
    :: d_step { TALKS_TO(s) && inst[i].doing == IDLE && OVER(i) > 0 ->                             \
        send(i, CHARGE, 0, s); END }                                                               \
    :: d_step { TALKS_TO(s) && (inst[i].doing == WAITING || inst[i].doing == DOUBT) ->             \
        stated = STATED(i); send(i, SYNC, stated, s); END }                                        \
    :: d_step { TALKS_TO(s) && (inst[i].doing >= GROWING) -> commit(i, s); END }

proctype an_instance(byte i)
{
end:
    do
    :: atomic { if
    /* Calls: reserved, answered, given up. */
    :: d_step { !inst[i].held && MAY_RESERVE(i) -> inst[i].held = 1 }
    :: d_step { inst[i].held -> inst[i].held = 0 }
    :: d_step { inst[i].held -> inst[i].held = 0; inst[i].spent++; bill++ }
    :: d_step { inst[i].held && overruns < OVERRUNS ->
        inst[i].held = 0; inst[i].spent = inst[i].spent + 2; overruns++;
        bill = bill + 2; excess++ }
#ifdef MUTANT_VOID_ON_TIMEOUT
    :: d_step { inst[i].held -> inst[i].held = 0; bill++ }
#endif

    /* The ceiling. */
    STEP_OF_STORE(0)
    STEP_OF_STORE(1)
#ifdef MUTANT_STORE_BEFORE_DISK
    :: d_step { inst[i].doing == IDLE && USED(i) < inst[i].ceiling ->
        inst[i].ceiling--; send(i, RETURN, 0, !primary[0]); END }
#else
    :: d_step { inst[i].doing == IDLE && USED(i) < inst[i].ceiling ->
        inst[i].ceiling--; inst[i].written--; inst[i].doing = LOWERING }
#endif
#ifdef MUTANT_RESEND
    :: d_step { inst[i].doing == WAITING && inst[i].newest.op <= CHARGE ->
        again = inst[i].newest.op; send(i, again, 0, !primary[0]); END }
#endif

    /* kill -9: what was written is read again. Power loss: what was written may be lost, and
     * all that may have been spent is forfeited. */
    :: d_step { inst[i].durable = inst[i].written; inst[i].spent = USED(i); restart(i) }
    :: d_step { inst[i].durable = inst[i].written; inst[i].spent = inst[i].written; restart(i) }
    :: d_step { inst[i].spent = inst[i].durable; restart(i) }
    fi;
    d_step { check(); END } }
    od
}

/* Messages arrive, with or without a reply, any number of times. */
proctype its_network(byte i)
{
end:
    do
    :: atomic { if
    :: d_step { inst[i].doing == WAITING ->
        ARRIVES(inst[i].newest); receive(i, RANK_NEWEST, at); hear(i, at); END }
    :: d_step { inst[i].newest.op != NONE ->
        ARRIVES(inst[i].newest); receive(i, RANK_NEWEST, at); END }
    :: d_step { inst[i].older.op != NONE ->
        ARRIVES(inst[i].older); receive(i, RANK_OLDER, at); END }
    :: d_step { inst[i].older.op != NONE -> lose_older(i); END }
    fi;
    d_step { check(); END } }
    od
}

inline forget(s)
{
    store[s].epoch = 0;
    store[s].fence = 0;
    store[s].open = 0;
    store[s].synced = 0;
    store[s].left = 0;
    for (k : 0 .. INSTANCES - 1) {
        store[s].grant[k] = 0;
        store[s].seen[k] = 0
    }
}

inline replicate(s)
{
    store[s].epoch = store[1 - s].epoch;
    store[s].fence = store[1 - s].fence;
    store[s].open = store[1 - s].open;
    store[s].synced = store[1 - s].synced;
    store[s].left = store[1 - s].left;
    for (k : 0 .. INSTANCES - 1) {
        store[s].grant[k] = store[1 - s].grant[k];
        store[s].seen[k] = store[1 - s].seen[k]
    }
}

/* A copy that will not be promoted any more need not be remembered. */
inline demote(s)
{
    primary[s] = 0;
    if
    :: promotions == PROMOTIONS -> forget(s)
    :: else
    fi
}

inline promote(s)
{
    primary[s] = 1;
    promotions++;
    replid[s] = promotions
}

/* Emptied, and initialised by an operator: recovering, in an epoch above all (say, the time). */
inline wipe(s)
{
    wipes++;
    for (k : 0 .. INSTANCES - 1) {
        store[s].seen[k] = 0;
        store[s].grant[k] = 0
    }
#ifdef MUTANT_INIT_REUSES_EPOCH
    number = store[s].epoch;
#else
    number = epochs + 1;
#endif
    begin_epoch(s)
}

inline leave(i, s)
{
    store[s].left = store[s].left | (1 << i);
    open_if_all_are_here(s)
}

#define MAY_LEAVE(i, s)                                                                            \
    (LEAVES && primary[s] && !store[s].open && FENCE_HOLDS(s) && !(store[s].synced & (1 << i)))

proctype a_server(byte s)
{
end:
    do
    :: atomic { if
    :: d_step { !primary[s] && promotions < PROMOTIONS -> replicate(s); END }
    :: d_step { !primary[s] && promotions < PROMOTIONS -> promote(s) }
    :: d_step { primary[s] && primary[1 - s] -> demote(s); END }
    :: d_step { primary[s] && wipes < WIPES && epochs < EPOCHS -> wipe(s); END }
    :: d_step { MAY_LEAVE(0, s) -> leave(0, s); END }
    :: d_step { MAY_LEAVE(1, s) -> leave(1, s); END }
    fi;
    d_step { check(); END } }
    od
}

init
{
    atomic {
        byte i;
        primary[0] = 1;
        epochs = 1;
        store[0].epoch = 1;
        store[0].open = 1;
        replicate(1);
        for (i : 0 .. INSTANCES - 1) {
            inst[i].epoch = 1;
            run an_instance(i);
            run its_network(i)
        }
        i = 0;
        run a_server(0);
        run a_server(1)
    }
}
