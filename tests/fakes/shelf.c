/*
 * Responses that are kept; see shelf.h.
 */
#include "shelf.h"

#include <stdlib.h>

#include "dialect.h"

struct item {
    struct answer answer; /* its strings are those below */
    char id[40];          /* empty: nothing is here */
    char model[128];
    char tool[64];
    char tier[32];
    struct bytes input;
};

struct shelf {
    struct item items[SHELF_RING];
    size_t next;
};

struct shelf *shelf_open(void)
{
    struct shelf *shelf = calloc(1, sizeof *shelf);
    if (shelf == NULL)
        abort();
    return shelf;
}

static void drop(struct item *item)
{
    bytes_free(&item->input);
    *item = (struct item){0};
}

void shelf_reset(struct shelf *shelf)
{
    for (size_t i = 0; i < SHELF_RING; i++)
        drop(&shelf->items[i]);
}

void shelf_close(struct shelf *shelf)
{
    if (shelf == NULL)
        return;
    shelf_reset(shelf);
    free(shelf);
}

void shelf_put(struct shelf *shelf, const struct answer *answer, struct text input)
{
    struct item *item = &shelf->items[shelf->next];
    shelf->next = (shelf->next + 1) % SHELF_RING;
    drop(item);
    item->answer = *answer;
    text_copy(item->id, sizeof item->id, text_of(answer->id));
    text_copy(item->model, sizeof item->model, text_of(answer->model));
    text_copy(item->tool, sizeof item->tool, text_of(answer->tool));
    item->answer.id = item->id;
    item->answer.model = item->model;
    item->answer.tool = item->tool;
    item->answer.media = NULL; /* those of the request go with it */
    item->answer.billed = item->model;
    if (answer->tier != NULL) {
        text_copy(item->tier, sizeof item->tier, text_of(answer->tier));
        item->answer.tier = item->tier;
    }
    if (input.size <= SHELF_INPUT_MAX)
        bytes_add_text(&item->input, input);
}

static const struct item *find(const struct shelf *shelf, struct text id)
{
    for (size_t i = 0; i < SHELF_RING && id.size > 0; i++)
        if (text_equal(id, text_of(shelf->items[i].id)))
            return &shelf->items[i];
    return NULL;
}

const struct answer *shelf_find(const struct shelf *shelf, struct text id)
{
    const struct item *item = find(shelf, id);
    return item == NULL ? NULL : &item->answer;
}

void shelf_change(struct shelf *shelf, const char *id, enum answer_state state)
{
    struct item *item = (struct item *)find(shelf, text_of(id));
    if (item != NULL && item->answer.state != ANSWER_CANCELLED)
        item->answer.state = state;
}

bool shelf_cancelled(const struct shelf *shelf, const char *id)
{
    const struct answer *answer = shelf_find(shelf, text_of(id));
    return answer != NULL && answer->state == ANSWER_CANCELLED;
}

/* ---- its endpoints */

static int show(struct item *item, struct bytes *body)
{
    dialect_response(body, &item->answer);
    return 200;
}

static int throw_away(struct item *item, struct bytes *body)
{
    bytes_print(body, "{\"id\":\"%s\",\"object\":\"response\",\"deleted\":true}", item->id);
    drop(item);
    return 200;
}

static int cancel(struct item *item, struct bytes *body)
{
    struct answer *answer = &item->answer;
    if (!answer->background) {
        dialect_error(body, 400, "Cannot cancel a synchronous response.", NULL);
        return 400;
    }
    if (answer->state == ANSWER_QUEUED || answer->state == ANSWER_IN_PROGRESS)
        answer->state = ANSWER_CANCELLED;
    return show(item, body);
}

static int list_input(struct item *item, struct bytes *body)
{
    struct text input = bytes_text(&item->input);
    bool items = input.size > 0 && input.at[0] == '[';
    bytes_print(body, "{\"object\":\"list\",\"data\":");
    if (items || input.size == 0)
        bytes_add_text(body, items ? input : TEXT("[]"));
    else
        bytes_print(body,
                    "[{\"id\":\"msg_in_%s\",\"type\":\"message\",\"role\":\"user\",\"content\":"
                    "[{\"type\":\"input_text\",\"text\":%.*s}]}]",
                    item->id, (int)input.size, input.at);
    bytes_print(body, ",\"first_id\":null,\"last_id\":null,\"has_more\":false}");
    return 200;
}

int shelf_serve(struct shelf *shelf, const struct http_request *request, struct bytes *body)
{
    static const struct {
        const char *method;
        const char *what;
        int (*serve)(struct item *, struct bytes *);
    } endpoints[] = {
        {"GET", "", show},
        {"DELETE", "", throw_away},
        {"POST", "cancel", cancel},
        {"GET", "input_items", list_input},
    };
    struct text what = text_after(request->path, sizeof "/v1/responses/" - 1);
    struct text id = text_cut(&what, '/');
    struct item *item = (struct item *)find(shelf, id);
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0] && item != NULL; i++)
        if (text_equal(request->method, text_of(endpoints[i].method)) &&
            text_equal(what, text_of(endpoints[i].what)))
            return endpoints[i].serve(item, body);
    dialect_error(body, 404, "Response with that id not found.", NULL);
    return 404;
}
