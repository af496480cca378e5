/*
 * The reference of rates.lua: the same fields, in lists.
 */
#include "budget/rates_store.h"

#include <stdlib.h>

#include "base/table.h"

struct instance {
    char id[RATES_ID_SIZE];
    int64_t sequence, seen_us;
};

/* A share; or of sub-windows, without an id, the sum of all shares. */
struct field {
    char id[RATES_ID_SIZE];
    int64_t subwindow; /* parallel: 0 */
    int64_t share;
    int64_t ends_us; /* parallel */
};

/* All that is known of one account and what is rated. */
struct ring {
    struct field *fields;
    size_t count, room;
};

struct rates_store {
    bool there;
    int64_t born_us, instance_count, sweep_us;
    struct instance *instances;
    size_t count, room;
    struct table rings; /* by account and rated */
};

struct rates_store *rates_store_open(void)
{
    return memory_new(sizeof(struct rates_store));
}

void rates_store_close(struct rates_store *store)
{
    size_t at = 0;
    void *value;
    if (store == NULL)
        return;
    while (table_next(&store->rings, &at, NULL, &value)) {
        free(((struct ring *)value)->fields);
        free(value);
    }
    table_close(&store->rings);
    free(store->instances);
    free(store);
}

/* ---- instances ---- */

static struct instance *find_instance(struct rates_store *store, const char *id)
{
    for (size_t i = 0; i < store->count; i++) {
        if (strcmp(store->instances[i].id, id) == 0)
            return &store->instances[i];
    }
    return NULL;
}

static struct instance *add_instance(struct rates_store *store, const char *id)
{
    if (store->count == store->room) {
        store->room = 2 * store->room + 4;
        store->instances = memory_resize(store->instances, store->room * sizeof *store->instances);
    }
    struct instance *instance = &store->instances[store->count++];
    *instance = (struct instance){0};
    memcpy(instance->id, id, sizeof instance->id);
    store->instance_count++;
    return instance;
}

static void look_for_the_dead(struct rates_store *store, int64_t now_us, int64_t life_us)
{
    for (size_t i = store->count; i > 0; i--) {
        if (store->instances[i - 1].seen_us + life_us < now_us)
            store->instances[i - 1] = store->instances[--store->count];
    }
    store->instance_count = (int64_t)store->count;
    store->sweep_us = now_us + life_us / 4;
}

static void note(struct rates_store *store, int64_t now_us, const struct rates_request *request)
{
    struct instance *instance = find_instance(store, request->id);
    if (!store->there)
        store->born_us = now_us;
    store->there = true;
    if (request->leaving && instance != NULL) {
        *instance = store->instances[--store->count];
        store->instance_count--;
    } else if (!request->leaving) {
        if (instance == NULL)
            instance = add_instance(store, request->id);
        instance->seen_us = now_us;
        instance->sequence = request->sequence;
    }
    if (now_us >= store->sweep_us)
        look_for_the_dead(store, now_us, request->life_us);
}

/* ---- fields ---- */

static struct ring *ring_of(struct rates_store *store, const struct rates_row *row)
{
    const uint64_t parts[] = {row->account, row->rated};
    struct text key = text_make((const char *)parts, sizeof parts);
    struct ring *ring = table_get(&store->rings, key);
    if (ring == NULL) {
        ring = memory_new(sizeof *ring);
        table_put(&store->rings, key, ring);
    }
    return ring;
}

static struct field *find_field(struct ring *ring, int64_t subwindow, const char *id)
{
    for (size_t i = 0; i < ring->count; i++) {
        struct field *field = &ring->fields[i];
        if (field->subwindow == subwindow && strcmp(field->id, id) == 0)
            return field;
    }
    return NULL;
}

static int64_t share_of(struct ring *ring, int64_t subwindow, const char *id)
{
    const struct field *field = find_field(ring, subwindow, id);
    return field != NULL ? field->share : 0;
}

static struct field *put_field(struct ring *ring, int64_t subwindow, const char *id)
{
    struct field *field = find_field(ring, subwindow, id);
    if (field != NULL)
        return field;
    if (ring->count == ring->room) {
        ring->room = 2 * ring->room + 4;
        ring->fields = memory_resize(ring->fields, ring->room * sizeof *ring->fields);
    }
    field = &ring->fields[ring->count++];
    *field = (struct field){.subwindow = subwindow};
    memcpy(field->id, id, strlen(id));
    return field;
}

static void drop_field(struct ring *ring, struct field *field)
{
    *field = ring->fields[--ring->count];
}

static void forget_old(struct ring *ring, int64_t subwindow)
{
    for (size_t i = ring->count; i > 0; i--) {
        if (ring->fields[i - 1].subwindow < subwindow - RATES_COUNTING)
            drop_field(ring, &ring->fields[i - 1]);
    }
}

/* ---- rows ---- */

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t grow(const struct rates_store *store, const struct rates_row *row, int64_t room)
{
    if (room <= 0 || room < row->useful)
        return 0;
    int64_t fair = room / (2 * most_of(1, store->instance_count));
    return least_of(room, most_of(row->wanted, least_of(row->ahead, fair)));
}

/* What the sub-windows hold that count with `last`, but for this share. */
static int64_t sum_until(struct ring *ring, int64_t last)
{
    int64_t sum = 0;
    for (int64_t ago = 0; ago < RATES_COUNTING; ago++)
        sum += share_of(ring, last - ago, "");
    return sum;
}

static void by_minute(struct rates_store *store, const char *id, const struct rates_row *row,
                      struct rates_row_answer *answer)
{
    struct ring *ring = ring_of(store, row);
    int64_t mine = share_of(ring, row->subwindow, id);
    int64_t others = share_of(ring, row->subwindow, "") - mine;
    int64_t sum = most_of(sum_until(ring, row->subwindow), sum_until(ring, row->subwindow + 1));
    answer->moved = grow(store, row, row->limit - (sum - mine + row->have));
    int64_t share = row->have + answer->moved;
    for (int64_t i = 0; i < RATES_COUNTING; i++) {
        int64_t subwindow = row->subwindow - RATES_SUBWINDOWS + i;
        answer->others[i] = share_of(ring, subwindow, "") - share_of(ring, subwindow, id);
    }
    if (share == 0 && mine == 0)
        return;
    bool known = find_field(ring, row->subwindow, "") != NULL;
    put_field(ring, row->subwindow, "")->share = others + share;
    put_field(ring, row->subwindow, id)->share = share;
    if (!known)
        forget_old(ring, row->subwindow);
}

static void parallel(struct rates_store *store, int64_t now_us, const struct rates_request *request,
                     const struct rates_row *row, struct rates_row_answer *answer)
{
    struct ring *ring = ring_of(store, row);
    for (size_t i = ring->count; i > 0; i--) {
        struct field *field = &ring->fields[i - 1];
        bool mine = strcmp(field->id, request->id) == 0;
        if (!mine && field->ends_us < now_us)
            drop_field(ring, field);
        else if (!mine)
            answer->others[0] += field->share;
    }
    answer->moved = grow(store, row, row->limit - answer->others[0] - row->have);
    struct field *field = put_field(ring, 0, request->id);
    field->share = row->have + answer->moved;
    field->ends_us = now_us + request->life_us;
    if (field->share == 0)
        drop_field(ring, field);
}

void rates_store_apply(struct rates_store *store, int64_t now_us,
                       const struct rates_request *request, struct rates_reply *reply)
{
    const struct instance *instance = find_instance(store, request->id);
    bool stale = instance != NULL && request->sequence <= instance->sequence;
    ASSERT(request->row_count <= RATES_ROWS_MOST);
    if (!stale)
        note(store, now_us, request);
    reply->verdict = stale ? RATES_STORE_STALE : RATES_STORE_OK;
    reply->now_us = now_us;
    reply->born_us = store->born_us;
    reply->instances = store->instance_count;
    reply->row_count = stale ? 0 : request->row_count;
    int64_t current = now_us / request->subwindow_us;
    for (size_t i = 0; i < reply->row_count; i++) {
        const struct rates_row *row = &request->rows[i];
        reply->rows[i] = (struct rates_row_answer){0};
        if (row->rated == RATED_PARALLEL)
            parallel(store, now_us, request, row, &reply->rows[i]);
        else if (row->subwindow >= current - RATES_COUNTING && row->subwindow <= current + 1)
            by_minute(store, request->id, row, &reply->rows[i]);
    }
}
