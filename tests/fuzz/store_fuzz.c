/*
 * Answers of a Redis: whatever it sends, store_wire_read neither steps out of bounds nor believes
 * what cannot be: more than was asked, above a limit, beyond what is exact in a double.
 *
 * The first byte chooses the operation, the rest is what comes from the server.
 */
#include <hiredis/hiredis.h>

#include "budget/store_wire.h"
#include "fuzz.h"

#define ROWS 2

static void check(const struct store_request *request, const struct store_reply *reply)
{
    demand(reply->verdict < STORE_AWAY);
    demand(memchr(reply->fence, '\0', sizeof(reply->fence)) != NULL);
    demand(reply->epoch >= 0 && reply->gseq >= 0 && reply->instances >= 0 && reply->absent >= 0);
    demand(reply->roster.count <= STORE_MEMBERS_MOST && reply->changed >= 0);
    for (size_t i = 0; i < reply->roster.count; i++) {
        const struct store_seat *seat = &reply->roster.at[i];
        demand(memchr(seat->journal, '\0', sizeof(seat->journal)) != NULL);
        demand(seat->incarnation >= 0 && seat->incarnation < STORE_MOST);
        demand(seat->sequence >= 0 && seat->sequence < STORE_MOST);
    }
    demand(reply->row_count == 0 || reply->row_count == request->row_count);
    for (size_t i = 0; i < reply->row_count; i++) {
        const struct store_answer *row = &reply->rows[i];
        const struct store_row *asked = &request->rows[i];
        demand(row->moved >= 0 && row->moved <= row->granted && row->granted <= row->total);
        demand(row->total <= STORE_MOST);
        demand(row->elsewhere >= 0 && row->elsewhere <= STORE_MOST);
        demand(row->moved <= asked->least || row->moved <= asked->most);
        demand(row->moved == 0 || row->total <= asked->limit);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct store_reply reply;
    static const struct store_row rows[ROWS] = {
        {.account = 1, .limit = 100, .least = 10, .most = 20, .value = 5},
        {.account = 2, .limit = STORE_MOST, .most = STORE_MOST, .value = STORE_MOST},
    };
    struct store_request request = {.fence = "f", .epoch = 1, .rows = rows};
    void *answer = NULL;
    if (size == 0)
        return 0;
    request.kind = data[0] % (STORE_RECONCILE + 1);
    if (request.kind == STORE_MOVE || request.kind == STORE_SYNC || request.kind == STORE_BEAT ||
        request.kind == STORE_RECONCILE)
        request.row_count = (data[0] >> 4) % (ROWS + 1);
    /* The library itself would make room for what is only announced. */
    for (size_t i = 1; i + 1 < size; i++)
        if (data[i] == '*' && i + 5 < size && data[i + 4] >= '0' && data[i + 4] <= '9')
            return 0;
    redisReader *reader = redisReaderCreate();
    redisReaderFeed(reader, (const char *)data + 1, size - 1);
    if (redisReaderGetReply(reader, &answer) == REDIS_OK && answer != NULL) {
        if (store_wire_read(answer, &request, &reply, NULL))
            check(&request, &reply);
        freeReplyObject(answer);
    }
    redisReaderFree(reader);
    return 0;
}
