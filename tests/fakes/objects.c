/*
 * Files and batches; see objects.h.
 */
#include "objects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dialect.h"
#include "form.h"
#include "json.h"

enum { OBJECTS_MAX = 4096, ID_MAX = 48 };

struct file {
    char id[ID_MAX];
    char purpose[32];
    char name[128];
    struct bytes content;
    int64_t created;
};

enum batch_state {
    BATCH_IN_PROGRESS,
    BATCH_COMPLETED,
    BATCH_FAILED,
    BATCH_EXPIRED,
    BATCH_CANCELLED,
};

struct batch {
    char id[ID_MAX];
    char input[ID_MAX], output[ID_MAX], errors[ID_MAX];
    char endpoint[64];
    enum batch_state state;
    int64_t created, due_ns;
    int64_t lines_most; /* worked on; then it ends in `after` */
    enum batch_state after;
    int64_t total, completed, failed;
    struct bytes metadata; /* raw JSON, or empty */
};

struct objects {
    struct call_place place;
    uint64_t birth, next;
    struct file *files[OBJECTS_MAX];
    struct batch *batches[OBJECTS_MAX];
    size_t file_count, batch_count;
};

static int64_t wall_s(void)
{
    return (int64_t)time(NULL);
}

static void make_id(struct objects *objects, const char *prefix, char id[ID_MAX])
{
    snprintf(id, ID_MAX, "%s%011" PRIx64 "%06" PRIx64, prefix, objects->birth, objects->next++);
}

static int refuse(struct bytes *body, int status, const char *message, const char *param)
{
    dialect_error(body, status, message, param);
    return status;
}

/* ---- files */

static struct file *file_new(struct objects *objects, const char *purpose, const char *name)
{
    struct file *file = calloc(1, sizeof *file);
    if (file == NULL || objects->file_count == OBJECTS_MAX)
        abort();
    make_id(objects, "file-", file->id);
    snprintf(file->purpose, sizeof file->purpose, "%s", purpose);
    snprintf(file->name, sizeof file->name, "%s", name);
    file->created = wall_s();
    objects->files[objects->file_count++] = file;
    return file;
}

static struct file *file_find(const struct objects *objects, struct text id)
{
    for (size_t i = 0; i < objects->file_count; i++)
        if (text_equal(text_of(objects->files[i]->id), id))
            return objects->files[i];
    return NULL;
}

static void file_free(struct file *file)
{
    bytes_free(&file->content);
    free(file);
}

static void file_drop(struct objects *objects, struct file *file)
{
    size_t at = 0;
    while (objects->files[at] != file)
        at++;
    objects->files[at] = objects->files[--objects->file_count];
    file_free(file);
}

static void print_file(struct bytes *body, const struct file *file)
{
    bytes_print(body, "{\"id\":\"%s\",\"object\":\"file\",\"bytes\":%zu,\"created_at\":%" PRId64,
                file->id, file->content.size, file->created);
    bytes_print(body, ",\"filename\":");
    bytes_add_json(body, text_of(file->name));
    bytes_print(body, ",\"purpose\":\"%s\",\"status\":\"processed\"}", file->purpose);
}

static int upload(struct objects *objects, const struct http_request *request, struct bytes *body)
{
    struct text type = {"", 0};
    struct form form;
    struct form_part part;
    struct text purpose = {"", 0}, name = {"", 0}, content = {NULL, 0};
    http_header(request->headers, TEXT("content-type"), &type);
    if (!form_begin(&form, type, request->body))
        return refuse(body, 400, "This is not multipart/form-data.", NULL);
    while (form_next(&form, &part)) {
        if (text_equal(part.name, TEXT("purpose")))
            purpose = part.value;
        if (text_equal(part.name, TEXT("file"))) {
            name = part.file;
            content = part.value;
        }
    }
    if (purpose.size == 0 || content.at == NULL)
        return refuse(body, 400, "'purpose' and 'file' are required.", "file");
    char purpose_name[32], file_name[128];
    text_copy(purpose_name, sizeof purpose_name, purpose);
    text_copy(file_name, sizeof file_name, name);
    struct file *file = file_new(objects, purpose_name, file_name);
    bytes_add_text(&file->content, content);
    print_file(body, file);
    return 200;
}

static int list_files(struct objects *objects, struct bytes *body)
{
    bytes_print(body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = objects->file_count; i > 0; i--) {
        print_file(body, objects->files[i - 1]);
        bytes_print(body, i > 1 ? "," : "");
    }
    bytes_print(body, "],\"has_more\":false}");
    return 200;
}

static int serve_file(struct objects *objects, const struct http_request *request, struct text rest,
                      struct bytes *body)
{
    struct text tail = rest;
    struct file *file = file_find(objects, text_cut(&tail, '/'));
    if (file == NULL)
        return refuse(body, 404, "No such File object.", "id");
    if (text_equal(request->method, TEXT("DELETE"))) {
        bytes_print(body, "{\"id\":\"%s\",\"object\":\"file\",\"deleted\":true}", file->id);
        file_drop(objects, file);
    } else if (text_equal(tail, TEXT("content"))) {
        bytes_add_text(body, bytes_text(&file->content));
        if (body->size == 0) /* of nothing, nothing could be told from no answer */
            bytes_print(body, "\n");
    } else {
        print_file(body, file);
    }
    return 200;
}

/* ---- batches: working on them */

struct line {
    struct text id, url, body; /* id with its quotes */
};

static bool read_line(struct text raw, struct line *line)
{
    struct json_walk walk;
    struct text name, value;
    *line = (struct line){0};
    if (!json_whole(raw) || !json_enter(&walk, raw) || !walk.object)
        return false;
    while (json_next(&walk, &name, &value) == JSON_ITEM) {
        if (text_equal(name, TEXT("custom_id")))
            line->id = value;
        if (text_equal(name, TEXT("url")))
            json_raw_string(value, &line->url);
        if (text_equal(name, TEXT("body")))
            line->body = value;
    }
    return line->id.size > 0 && line->url.size > 0 && line->body.size > 0;
}

/* The answer to one line, head and body, as the API gives it. False: its url is no API's. */
static bool make_call(struct objects *objects, const struct line *line, struct bytes *answer)
{
    struct ask ask;
    const struct http_request request = {
        .method = TEXT("POST"),
        .target = line->url,
        .path = line->url,
        .headers = TEXT("content-type: application/json\r\nx-fake: tier=batch\r\n"),
        .body = line->body,
    };
    struct call_place place = objects->place;
    place.api_key = TEXT(""); /* who made the batch had it */
    if (!ask_find(&ask, line->url))
        return false;
    struct call *call = call_open(&place, &ask, &request, 0);
    while (call_step(call, answer, INT64_MAX) != CALL_OVER)
        continue;
    call_close(call);
    return true;
}

static void work_on_line(struct objects *objects, struct batch *batch, struct text raw,
                         struct bytes *outputs[2])
{
    struct line line;
    struct bytes answer = {0};
    int status = 400;
    struct text body = TEXT("{\"error\":{\"message\":\"This line is not understood.\"}}");
    bool good = read_line(raw, &line);
    if (good && make_call(objects, &line, &answer)) {
        struct text rest = bytes_text(&answer);
        struct text code = text_after(rest, sizeof "HTTP/1.1");
        int64_t number = 0;
        text_number(text_cut(&code, ' '), &number);
        status = (int)number;
        for (struct text head = text_cut(&rest, '\n'); head.size > 1;)
            head = text_cut(&rest, '\n');
        body = text_trim(rest);
    }
    struct bytes *out = outputs[status < 300 ? 0 : 1];
    bytes_print(out, "{\"id\":\"batch_req_%" PRIx64 "\",\"custom_id\":", objects->next++);
    bytes_add_text(out, good ? line.id : TEXT("null"));
    bytes_print(out, ",\"response\":{\"status_code\":%d,\"request_id\":\"r\",\"body\":", status);
    bytes_add_text(out, body);
    bytes_print(out, "},\"error\":null}\n");
    *(status < 300 ? &batch->completed : &batch->failed) += 1;
    bytes_free(&answer);
}

static void keep_output(struct objects *objects, struct bytes *content, char id[ID_MAX])
{
    if (content->size == 0)
        return;
    struct file *file = file_new(objects, "batch_output", "output.jsonl");
    file->content = *content;
    snprintf(id, ID_MAX, "%s", file->id);
}

static void work_on(struct objects *objects, struct batch *batch)
{
    const struct file *input = file_find(objects, text_of(batch->input));
    struct bytes output = {0}, errors = {0};
    struct bytes *outputs[2] = {&output, &errors};
    struct text rest = input == NULL ? (struct text){"", 0} : bytes_text(&input->content);
    int64_t done = 0;
    while (rest.size > 0 && done != batch->lines_most) {
        struct text raw = text_trim(text_cut(&rest, '\n'));
        if (raw.size == 0)
            continue;
        work_on_line(objects, batch, raw, outputs);
        done++;
    }
    batch->state = done == batch->lines_most ? batch->after : BATCH_COMPLETED;
    keep_output(objects, &output, batch->output);
    keep_output(objects, &errors, batch->errors);
}

void objects_advance(struct objects *objects, int64_t now_ns)
{
    for (size_t i = 0; i < objects->batch_count; i++) {
        struct batch *batch = objects->batches[i];
        if (batch->state == BATCH_IN_PROGRESS && now_ns >= batch->due_ns)
            work_on(objects, batch);
    }
}

/* ---- batches: what clients see */

static struct batch *batch_find(const struct objects *objects, struct text id)
{
    for (size_t i = 0; i < objects->batch_count; i++)
        if (text_equal(text_of(objects->batches[i]->id), id))
            return objects->batches[i];
    return NULL;
}

static void print_id(struct bytes *body, const char *name, const char *id)
{
    if (id[0] == '\0')
        bytes_print(body, ",\"%s\":null", name);
    else
        bytes_print(body, ",\"%s\":\"%s\"", name, id);
}

static void print_batch(struct bytes *body, const struct batch *batch)
{
    static const char *const states[] = {
        [BATCH_IN_PROGRESS] = "in_progress", [BATCH_COMPLETED] = "completed",
        [BATCH_FAILED] = "failed",           [BATCH_EXPIRED] = "expired",
        [BATCH_CANCELLED] = "cancelled",
    };
    bytes_print(body, "{\"id\":\"%s\",\"object\":\"batch\",\"endpoint\":\"%s\"", batch->id,
                batch->endpoint);
    bytes_print(body, ",\"errors\":null,\"input_file_id\":\"%s\",\"status\":\"%s\"", batch->input,
                states[batch->state]);
    bytes_print(body, ",\"completion_window\":\"24h\",\"created_at\":%" PRId64, batch->created);
    print_id(body, "output_file_id", batch->output);
    print_id(body, "error_file_id", batch->errors);
    bytes_print(body,
                ",\"request_counts\":{\"total\":%" PRId64 ",\"completed\":%" PRId64
                ",\"failed\":%" PRId64 "},\"metadata\":",
                batch->total, batch->completed, batch->failed);
    bytes_add_text(body, batch->metadata.size > 0 ? bytes_text(&batch->metadata) : TEXT("null"));
    bytes_print(body, "}");
}

/* Counts the lines; one that is not understood fails the whole batch, as at the real one. */
static void check_lines(struct batch *batch, const struct file *input)
{
    struct text rest = bytes_text(&input->content);
    while (rest.size > 0) {
        struct line line;
        struct text raw = text_trim(text_cut(&rest, '\n'));
        if (raw.size == 0)
            continue;
        batch->total++;
        if (!read_line(raw, &line) || !text_equal(line.url, text_of(batch->endpoint)))
            batch->state = BATCH_FAILED;
    }
}

static bool read_batch(struct text body, struct batch *batch)
{
    struct json_walk walk;
    struct text name, value, raw;
    if (!json_whole(body) || !json_enter(&walk, body))
        return false;
    while (json_next(&walk, &name, &value) == JSON_ITEM) {
        if (text_equal(name, TEXT("input_file_id")) && json_raw_string(value, &raw))
            text_copy(batch->input, sizeof batch->input, raw);
        if (text_equal(name, TEXT("endpoint")) && json_raw_string(value, &raw))
            text_copy(batch->endpoint, sizeof batch->endpoint, raw);
        if (text_equal(name, TEXT("metadata")))
            bytes_add_text(&batch->metadata, value);
    }
    return true;
}

static void batch_free(struct batch *batch)
{
    bytes_free(&batch->metadata);
    free(batch);
}

static int create_batch(struct objects *objects, const struct http_request *request, int64_t now_ns,
                        struct bytes *body)
{
    struct wish wish;
    struct text wrong;
    if (!wish_read(&wish, request->headers, (struct text){"", 0}, &wrong))
        return refuse(body, 400, "x-fake is not understood.", NULL);
    if (wish_or(wish.status, 0) >= 400)
        return refuse(body, (int)wish.status, "As you wished.", NULL);
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL || objects->batch_count == OBJECTS_MAX)
        abort();
    bool good = read_batch(request->body, batch);
    const struct file *input = good ? file_find(objects, text_of(batch->input)) : NULL;
    if (input == NULL) {
        batch_free(batch);
        return refuse(body, 400, "Invalid input_file_id.", "input_file_id");
    }
    make_id(objects, "batch_", batch->id);
    batch->created = wall_s();
    batch->due_ns = now_ns + wish_or(wish.delay_ms, 0) * 1000000;
    batch->lines_most = wish_or(wish.die_after, wish_or(wish.fail_after, -1));
    batch->after = wish.die_after != WISH_ABSENT ? BATCH_EXPIRED : BATCH_CANCELLED;
    check_lines(batch, input);
    objects->batches[objects->batch_count++] = batch;
    print_batch(body, batch);
    return 200;
}

static int serve_batch(struct objects *objects, struct text rest, struct bytes *body)
{
    struct text tail = rest;
    struct batch *batch = batch_find(objects, text_cut(&tail, '/'));
    if (batch == NULL)
        return refuse(body, 404, "No batch found with that id.", NULL);
    if (text_equal(tail, TEXT("cancel")) && batch->state == BATCH_IN_PROGRESS) {
        batch->lines_most = batch->total / 2; /* what was under way is finished, and billed */
        batch->after = BATCH_CANCELLED;
        work_on(objects, batch);
    }
    print_batch(body, batch);
    return 200;
}

static int list_batches(struct objects *objects, struct bytes *body)
{
    bytes_print(body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = objects->batch_count; i > 0; i--) {
        print_batch(body, objects->batches[i - 1]);
        bytes_print(body, i > 1 ? "," : "");
    }
    bytes_print(body, "],\"has_more\":false}");
    return 200;
}

int objects_serve(struct objects *objects, const struct http_request *request, int64_t now_ns,
                  struct bytes *body)
{
    const struct text files = TEXT("/v1/files"), batches = TEXT("/v1/batches");
    bool post = text_equal(request->method, TEXT("POST"));
    if (text_equal(request->path, files))
        return post ? upload(objects, request, body) : list_files(objects, body);
    if (text_equal(request->path, batches))
        return post ? create_batch(objects, request, now_ns, body) : list_batches(objects, body);
    if (text_starts(request->path, files))
        return serve_file(objects, request, text_after(request->path, files.size + 1), body);
    return serve_batch(objects, text_after(request->path, batches.size + 1), body);
}

/* ---- opening and closing */

struct objects *objects_open(const struct call_place *place)
{
    struct objects *objects = calloc(1, sizeof *objects);
    struct timespec now;
    if (objects == NULL)
        abort();
    clock_gettime(CLOCK_REALTIME, &now);
    objects->place = *place;
    objects->birth = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    return objects;
}

void objects_reset(struct objects *objects)
{
    while (objects->file_count > 0)
        file_free(objects->files[--objects->file_count]);
    while (objects->batch_count > 0)
        batch_free(objects->batches[--objects->batch_count]);
}

void objects_close(struct objects *objects)
{
    if (objects == NULL)
        return;
    objects_reset(objects);
    free(objects);
}
