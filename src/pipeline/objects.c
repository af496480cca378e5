/* Objects: who owns what, asked and noted without ever waiting for the disk. */
#include "pipeline/objects.h"

#include "base/json.h"
#include "pipeline/refusal.h"

#define ABOUT_MOST (32 * 1024) /* bytes kept of how an upstream shows an object */

/* Nobody waits for it: the registrar logs what it cannot do. */
static void order(struct worker *worker, const struct deed *deed)
{
    bool taken = registrar_ask(worker->house->registrar, deed);
    (void)taken;
}

void objects_claim_with(struct worker *worker, const struct object *object, struct text key,
                        const struct object_notes *notes)
{
    struct deed deed = {
        .kind = DEED_CLAIM,
        .object = *object,
        .key = key,
        .made_s = loop_wall_us(worker->loop) / 1000000,
        .notes = *notes,
    };
    if (deed.notes.about.size > ABOUT_MOST)
        deed.notes.about = TEXT_NONE;
    order(worker, &deed);
}

void objects_claim(struct worker *worker, const struct object *object, struct text key)
{
    objects_claim_with(worker, object, key, &(struct object_notes){.about = TEXT_NONE});
}

void objects_forget(struct worker *worker, const struct object *object)
{
    order(worker, &(struct deed){.kind = DEED_FORGET, .object = *object});
}

/* ---- what upstreams say of them ---- */

bool objects_is_id(struct text id)
{
    bool good = id.size > 0 && id.size <= OBJECTS_ID_MOST && id.at[0] != '.';
    for (size_t i = 0; good && i < id.size; i++) {
        char c = id.at[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    }
    return good;
}

static bool id_at(struct json_value object, const char *member, struct arena *arena,
                  struct text *id)
{
    struct json_value value;
    if (!json_member(object, text_of(member), &value) || value.kind != JSON_STRING)
        return false;
    struct text found = json_string(arena, value);
    if (!objects_is_id(found))
        return false;
    *id = arena_copy(arena, found);
    return true;
}

bool objects_id_of(struct text answer, struct arena *arena, struct text *id)
{
    struct json_value object;
    return json_parse(answer, &object, NULL) == JSON_OK && id_at(object, "id", arena, id);
}

void objects_claim_item(struct worker *worker, struct output of, struct json_value item)
{
    struct arena arena = {0};
    struct object object = {.kind = OBJECT_ITEM, .upstream = of.upstream};
    if (item.kind == JSON_OBJECT && (of.stored || body_item_is_far(item)) &&
        id_at(item, "id", &arena, &object.id))
        objects_claim(worker, &object, of.key);
    arena_close(&arena);
}

void objects_claim_items(struct worker *worker, struct output of, struct text answer)
{
    struct json_value whole, output, item;
    if (json_parse(answer, &whole, NULL) != JSON_OK ||
        !json_member(whole, TEXT("output"), &output) || output.kind != JSON_ARRAY)
        return;
    struct json_walk walk = json_walk(output);
    while (json_next(&walk, NULL, &item))
        objects_claim_item(worker, of, item);
}

/* What is known of a file before anybody asked its upstream. */
static void claim_result(struct worker *worker, const struct object *batch, struct text key,
                         struct text id)
{
    struct buffer about = {0};
    buffer_put_byte(&about, '{');
    json_put_text_member(&about, TEXT("id"), id);
    json_put_text_member(&about, TEXT("object"), TEXT("file"));
    json_put_text_member(&about, TEXT("purpose"), TEXT("batch_output"));
    json_put_int_member(&about, TEXT("created_at"), loop_wall_us(worker->loop) / 1000000);
    buffer_put_byte(&about, '}');
    const struct object file = {OBJECT_FILE, batch->upstream, id};
    objects_claim_with(worker, &file, key, &(struct object_notes){.about = buffer_text(&about)});
    buffer_close(&about);
}

static void claim_results(struct worker *worker, const struct object *batch, struct text key,
                          struct json_value answer)
{
    static const char *const members[] = {"output_file_id", "error_file_id"};
    struct arena arena = {0};
    struct text id;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (id_at(answer, members[i], &arena, &id))
            claim_result(worker, batch, key, id);
    }
    arena_close(&arena);
}

void objects_show(struct worker *worker, const struct object *object, struct text key,
                  struct text answer)
{
    struct json_value shown;
    if (object->kind == OBJECT_RESPONSE) {
        objects_claim_items(worker, (struct output){object->upstream, key, true}, answer);
        return;
    }
    if (answer.size > ABOUT_MOST || json_parse(answer, &shown, NULL) != JSON_OK ||
        shown.kind != JSON_OBJECT)
        return;
    order(worker, &(struct deed){.kind = DEED_NOTE, .object = *object, .notes.about = shown.raw});
    if (object->kind == OBJECT_BATCH)
        claim_results(worker, object, key, shown);
}

/* ---- who owns them ---- */

enum next objects_ask(struct request *request, const struct object *object)
{
    struct worker *worker = request->worker;
    const struct deed deed = {
        .kind = DEED_LOOK, .mailbox = worker->mailbox, .to = request->id, .object = *object};
    if (registrar_ask(worker->house->registrar, &deed))
        return GO_WAIT;
    refuse(request, REFUSAL_OVERLOADED, NULL,
           "Too many questions about who owns what are waiting for an answer.");
    return GO_BOOKS;
}

bool objects_judge(struct request *request, struct text id, const char *param)
{
    const struct deed_answer *answer = request->found;
    bool passthrough = request->terms->admission.mode == ADMISSION_PASSTHROUGH;
    if (objects_is_own(request) ||
        (passthrough && !answer->failed && answer->owner == OWNER_NOBODY))
        return true;
    if (answer->failed)
        objects_refuse_failed(request);
    else
        objects_refuse(request, id, param);
    return false;
}

bool objects_is_own(const struct request *request)
{
    const struct deed_answer *answer = request->found;
    return !answer->failed && answer->owner == OWNER_KNOWN &&
           text_equal(answer->owned.key, request->key->id);
}

void objects_refuse_failed(struct request *request)
{
    refuse(request, REFUSAL_STORE, NULL,
           "purser cannot read its ceilings.db, which tells who owns what. The operator finds the "
           "reason in the log.");
}

void objects_refuse(struct request *request, struct text id, const char *param)
{
    refuse(request, REFUSAL_NO_SUCH_OBJECT, param,
           "'%.*s' was not found: nothing of that id was made through purser with this key.",
           TEXT_ARG(text_slice(id, 0, 200)));
}

bool objects_letter(struct worker *worker, struct letter *letter)
{
    struct request *request = roster_find(&worker->requests, letter->to);
    if (letter->kind != REGISTRAR_LETTER_ANSWER ||
        (request != NULL && request->step == STEP_OVER && !request->client_gone))
        return false;
    if (request != NULL && request->step == STEP_ROUTE) {
        request->found = letter->body;
        pipeline_awake(request);
        request->found = NULL;
    }
    letter_free(letter);
    return true;
}

/* ---- what a request names ---- */

struct mentions {
    struct object *objects;
    size_t count, at;
};

/* How a request names an object of a kind. */
static const char *const params[OBJECT_KIND_COUNT] = {
    [OBJECT_RESPONSE] = "previous_response_id", [OBJECT_FILE] = "file_id", [OBJECT_ITEM] = "input"};

/* Among several keys what nobody made here may be anybody's secret. */
static bool nobodys_is_free(const struct request *request)
{
    const struct admission_options *admission = &request->terms->admission;
    return admission->mode != ADMISSION_KEYS || admission->foreign_objects;
}

static enum next ask_next(struct request *request)
{
    const struct mentions *mentions = request->mentions;
    return mentions->at < mentions->count ? objects_ask(request, &mentions->objects[mentions->at])
                                          : GO_ON;
}

static enum next too_many(struct request *request, enum object_kind kind, int most)
{
    refuse(request, REFUSAL_BAD_REQUEST, params[kind],
           "More than %d files or items are named by their ids.", most);
    return GO_BOOKS;
}

static enum next refuse_conversation(struct request *request)
{
    refuse(request, REFUSAL_NO_SUCH_OBJECT, "conversation",
           "Conversations are not made through purser, so it cannot know whose this one is. Go on "
           "from an answer with previous_response_id. (An operator who shares all that lies at the "
           "provider sets auth.foreign_objects: allow.)");
    return GO_BOOKS;
}

static void mention(struct request *request, enum object_kind kind, const struct text *ids,
                    size_t count)
{
    struct mentions *mentions = request->mentions;
    for (size_t i = 0; i < count; i++)
        mentions->objects[mentions->count++] =
            (struct object){kind, request->upstream->name, ids[i]};
}

/* Nearly all requests name nothing. */
enum next objects_check(struct request *request)
{
    const struct body *body = &request->body;
    size_t before = body->previous_response.size > 0 ? 1 : 0;
    size_t count = before + body->file_count + body->item_count;
    if (body->file_count > BODY_MOST_FILES)
        return too_many(request, OBJECT_FILE, BODY_MOST_FILES);
    if (body->item_count > BODY_MOST_ITEMS)
        return too_many(request, OBJECT_ITEM, BODY_MOST_ITEMS);
    if (body->conversation && !nobodys_is_free(request))
        return refuse_conversation(request);
    if (count == 0)
        return GO_ON;
    request->mentions = arena_new(&request->arena, sizeof *request->mentions);
    request->mentions->objects = arena_new(&request->arena, count * sizeof(struct object));
    mention(request, OBJECT_RESPONSE, &body->previous_response, before);
    mention(request, OBJECT_FILE, body->files, body->file_count);
    mention(request, OBJECT_ITEM, body->items, body->item_count);
    return ask_next(request);
}

enum next objects_checked(struct request *request)
{
    struct mentions *mentions = request->mentions;
    const struct object *object = &mentions->objects[mentions->at++];
    const struct deed_answer *answer = request->found;
    bool free = nobodys_is_free(request) && !answer->failed && answer->owner == OWNER_NOBODY;
    if (!free && !objects_judge(request, object->id, params[object->kind]))
        return GO_BOOKS;
    return ask_next(request);
}
