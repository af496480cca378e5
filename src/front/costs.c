/*
 * Questions to the books: GET /costs, /costs/{request_id} and /requests. A question that is not
 * understood is refused, never guessed at: a misspelt filter that was passed over would show
 * everybody's sums as one's own.
 */
#include "front/endpoints.h"
#include "pipeline/refusal.h"

enum {
    ROWS_MOST = 50000, /* of sums on a page */
    ROWS = 1000,       /* where nothing is said; of CSV all */
    RECENT_MOST = 1000,
    RECENT = 100,
};

enum member {
    MEMBER_FROM,
    MEMBER_TO,
    MEMBER_LIMIT,
    MEMBER_CURSOR,
    MEMBER_GROUP_BY,
    MEMBER_FORMAT,
    MEMBER_STATUS,
    MEMBER_ERROR,
    MEMBER_FILTERS, /* the first of the filters, in the order of enum books_group */
    MEMBER_COUNT = MEMBER_FILTERS + GROUP_COUNT - GROUP_FIRST_FILTER
};

/* What a path understands beside the filters, and how to say so. */
struct question {
    unsigned members; /* bits */
    const char *list;
};

#define PAGE_MEMBERS                                                                               \
    (1u << MEMBER_FROM | 1u << MEMBER_TO | 1u << MEMBER_LIMIT | 1u << MEMBER_CURSOR)
#define FILTER_NAMES "model, upstream, service, key, user, team, session, tag, endpoint"

static const struct question of_sums = {
    PAGE_MEMBERS | 1u << MEMBER_GROUP_BY | 1u << MEMBER_FORMAT,
    "there is no such parameter; there are from, to, group_by, format, limit, cursor, and the "
    "filters " FILTER_NAMES,
};
static const struct question of_recent = {
    PAGE_MEMBERS | 1u << MEMBER_STATUS | 1u << MEMBER_ERROR,
    "there is no such parameter; there are from, to, limit, cursor, and the filters status, "
    "error, " FILTER_NAMES,
};
static const struct question of_one = {0, "GET /costs/{request_id} takes no parameters"};

struct members {
    struct text value[MEMBER_COUNT]; /* decoded; TEXT_NONE: absent */
};

static bool bad_query(struct request *request, const char *param, const char *remedy)
{
    refuse(request, REFUSAL_BAD_REQUEST, param, "%s: %s", param, remedy);
    return false;
}

/* ---- reading the query ---- */

static struct text member_name(int member)
{
    static const struct text names[MEMBER_FILTERS] = {
        [MEMBER_FROM] = {"from", 4},         [MEMBER_TO] = {"to", 2},
        [MEMBER_LIMIT] = {"limit", 5},       [MEMBER_CURSOR] = {"cursor", 6},
        [MEMBER_GROUP_BY] = {"group_by", 8}, [MEMBER_FORMAT] = {"format", 6},
        [MEMBER_STATUS] = {"status", 6},     [MEMBER_ERROR] = {"error", 5},
    };
    if (member < MEMBER_FILTERS)
        return names[member];
    return books_group_name((enum books_group)(member - MEMBER_FILTERS + GROUP_FIRST_FILTER));
}

static int member_find(const struct question *question, struct text name)
{
    for (int i = 0; i < MEMBER_COUNT; i++) {
        bool understood =
            i < MEMBER_FILTERS ? (question->members & 1u << i) != 0 : question->members != 0;
        if (understood && text_equal(member_name(i), name))
            return i;
    }
    return MEMBER_COUNT;
}

static bool read_member(struct request *request, const struct question *question, struct text raw,
                        struct members *members)
{
    struct text name = text_split(&raw, '=');
    struct text plain;
    const char *param = arena_copy(&request->arena, text_slice(name, 0, 100)).at;
    int member = member_find(question, name);
    if (member == MEMBER_COUNT)
        return bad_query(request, param, question->list);
    if (members->value[member].at != NULL)
        return bad_query(request, param, "stands twice");
    if (raw.at == NULL)
        return bad_query(request, param, "has no value; write name=value");
    if (!percent_decode(&request->arena, raw, true, &plain))
        return bad_query(request, param, "has a malformed percent escape");
    members->value[member] = plain;
    return true;
}

static bool read_members(struct request *request, const struct question *question,
                         struct members *members)
{
    struct text rest = request->query;
    while (rest.size > 0) {
        struct text raw = text_split(&rest, '&');
        if (raw.size > 0 && !read_member(request, question, raw, members))
            return false;
    }
    return true;
}

/* ---- what the members mean ---- */

static bool read_moment(struct request *request, const char *name, struct text value,
                        int64_t *moment_us)
{
    if (value.at == NULL || clock_parse(value, moment_us))
        return true;
    return bad_query(request, name,
                     "write a day (2026-11-21) or a moment (2026-11-21T15:00:00Z) in UTC");
}

static bool read_range(struct request *request, const struct members *members,
                       struct books_query *query)
{
    query->to_us = INT64_MAX;
    if (!read_moment(request, "from", members->value[MEMBER_FROM], &query->from_us) ||
        !read_moment(request, "to", members->value[MEMBER_TO], &query->to_us))
        return false;
    return query->from_us < query->to_us || bad_query(request, "from", "is not before to");
}

static bool read_groups(struct request *request, struct text list, unsigned *groups)
{
    while (list.size > 0) {
        struct text name = text_split(&list, ',');
        int group = 0;
        while (group < GROUP_COUNT && !text_equal(name, books_group_name((enum books_group)group)))
            group++;
        if (group == GROUP_COUNT)
            return bad_query(request, "group_by",
                             "any of hour, day, month, " FILTER_NAMES ", with commas");
        *groups |= GROUP_BIT(group);
    }
    return true;
}

static bool read_format(struct request *request, struct text format, bool *csv)
{
    *csv = text_equal(format, TEXT("csv"));
    return *csv || format.at == NULL || text_equal(format, TEXT("json")) ||
           bad_query(request, "format", "json or csv");
}

static bool read_limit(struct request *request, struct text value, int64_t most, int64_t *limit)
{
    int64_t read = 0;
    if (value.at == NULL)
        return true;
    if (!text_to_int(value, &read) || read < 1 || read > most) {
        refuse(request, REFUSAL_BAD_REQUEST, "limit", "limit: a whole number from 1 to %lld",
               (long long)most);
        return false;
    }
    *limit = read;
    return true;
}

static bool read_status(struct request *request, struct text value, int64_t *status)
{
    return value.at == NULL || (text_to_int(value, status) && *status >= 100 && *status <= 599) ||
           bad_query(request, "status", "an HTTP status, 100 to 599");
}

/* A caller sees what is its own. Its own sums under another key's name would be a lie. */
static bool take_filters(struct request *request, const struct members *members,
                         struct books_query *query)
{
    for (int i = GROUP_FIRST_FILTER; i < GROUP_COUNT; i++)
        query->filter[i] = members->value[MEMBER_FILTERS + i - GROUP_FIRST_FILTER];
    if (request->admin)
        return true;
    struct text asked = query->filter[GROUP_KEY];
    query->filter[GROUP_KEY] = request->key->id;
    if (asked.at == NULL || text_equal(asked, request->key->id))
        return true;
    refuse(request, REFUSAL_NOT_ALLOWED, "key",
           "A key sees its own books only; the admin token sees all.");
    return false;
}

static bool bad_cursor(struct request *request)
{
    return bad_query(request, "cursor",
                     "none of this question; take `next` of its last page, unchanged");
}

static bool read_sums(struct request *request, const struct members *members,
                      struct books_query *query)
{
    struct text cursor = members->value[MEMBER_CURSOR];
    if (!read_groups(request, members->value[MEMBER_GROUP_BY], &query->groups) ||
        !read_format(request, members->value[MEMBER_FORMAT], &query->csv))
        return false;
    query->limit = query->csv ? ROWS_MOST : ROWS;
    query->has_after = cursor.at != NULL;
    if (query->has_after && !cursor_read(cursor, query->groups, &request->arena, query->after))
        return bad_cursor(request);
    return read_limit(request, members->value[MEMBER_LIMIT], ROWS_MOST, &query->limit);
}

static bool read_recent(struct request *request, const struct members *members,
                        struct books_query *query)
{
    struct text cursor = members->value[MEMBER_CURSOR];
    query->limit = RECENT;
    query->error = members->value[MEMBER_ERROR];
    if (cursor.at != NULL && (!text_to_int(cursor, &query->before) || query->before < 1))
        return bad_cursor(request);
    return read_status(request, members->value[MEMBER_STATUS], &query->status) &&
           read_limit(request, members->value[MEMBER_LIMIT], RECENT_MOST, &query->limit);
}

/* ---- asking, and the answer ---- */

static void ask(struct request *request, const struct books_query *query)
{
    if (!clerk_ask(request->worker->house->clerk, query))
        refuse(request, REFUSAL_BOOKS_BUSY, NULL,
               "Too many questions to the books are waiting for an answer.");
}

static void ask_about_one(struct request *request, struct text raw, struct books_query *query)
{
    struct members members = {0};
    if (!read_members(request, &of_one, &members) || !take_filters(request, &members, query))
        return;
    query->subject = BOOKS_REQUEST;
    if (percent_decode(&request->arena, raw, false, &query->request_id))
        ask(request, query);
    else
        bad_query(request, "request_id", "not a request id");
}

void endpoint_costs(struct request *request, struct text rest)
{
    struct books_query query = {
        .to = request->id, .mailbox = request->worker->mailbox, .subject = BOOKS_SUMS};
    struct members members = {0};
    if (endpoint_guest_unknown(request))
        return;
    if (rest.size > 0) {
        ask_about_one(request, rest, &query);
    } else if (read_members(request, &of_sums, &members) && read_range(request, &members, &query) &&
               read_sums(request, &members, &query) && take_filters(request, &members, &query)) {
        ask(request, &query);
    }
}

void endpoint_recent(struct request *request, struct text rest)
{
    (void)rest;
    struct books_query query = {
        .to = request->id, .mailbox = request->worker->mailbox, .subject = BOOKS_RECENT};
    struct members members = {0};
    if (!endpoint_guest_unknown(request) && read_members(request, &of_recent, &members) &&
        read_range(request, &members, &query) && read_recent(request, &members, &query) &&
        take_filters(request, &members, &query))
        ask(request, &query);
}

static void put_csv_headers(struct request *request, const struct books_answer *answer)
{
    struct reply *reply = &request->reply;
    reply_header(reply, "Content-Type", "text/csv; charset=utf-8; header=present");
    reply_header(reply, "Content-Disposition", "attachment; filename=\"costs.csv\"");
    reply_header(reply, "X-Content-Type-Options", "nosniff");
    if (answer->next.size > 0)
        reply_header_text(reply, &request->arena, "x-purser-next", buffer_text(&answer->next));
}

void endpoint_books_answer(struct request *request, struct books_answer *answer)
{
    if (answer->status == 404) {
        refuse(request, REFUSAL_NOT_FOUND, NULL, "The books know no request of that id.");
        return;
    }
    if (answer->status >= 500)
        reply_header(&request->reply, "x-purser-error", "books_unavailable");
    if (answer->csv)
        put_csv_headers(request, answer);
    else
        reply_header(&request->reply, "Content-Type", "application/json");
    reply_whole_take(&request->reply, answer->status, &answer->body);
}
