/* Intake: reading what is uploaded, and sending it on. */
#include "pipeline/intake.h"

#include "pipeline/refusal.h"
#include "pipeline/visit.h"
#include "wire/multipart.h"

static bool bad_form(struct request *request, const char *param, const char *why)
{
    refuse(request, REFUSAL_BAD_REQUEST, param, "%s", why);
    return false;
}

/* `file[]` is a file to some, and so is, under any name, what comes with a name of a file. */
static struct text *place_of(const struct multipart_part *part, struct text *purpose,
                             struct text *file)
{
    struct text rest = part->name;
    struct text stem = text_trim(text_split(&rest, '['));
    if (text_equal_nocase(stem, TEXT("purpose")))
        return purpose;
    return text_equal_nocase(stem, TEXT("file")) || part->filename.at != NULL ? file : NULL;
}

/* One purpose and one file: of two, nobody knows which one the provider takes. */
static bool read_form(struct request *request, struct text *purpose, struct text *file)
{
    struct text boundary = multipart_boundary(request_header(request, "Content-Type"));
    struct multipart form = multipart_begin(buffer_text(&request->bytes), boundary);
    struct multipart_part part;
    enum multipart_result result = MULTIPART_BROKEN;
    if (boundary.size == 0 || request_times_sent(request, "Content-Type") != 1)
        return bad_form(request, NULL, "Send the file as multipart/form-data with one boundary.");
    while ((result = multipart_next(&form, &part)) == MULTIPART_PART) {
        struct text *place = place_of(&part, purpose, file);
        if (place != NULL && place->at != NULL)
            return bad_form(request, place == file ? "file" : "purpose", "It stands twice.");
        if (place != NULL)
            *place = part.content;
    }
    if (result == MULTIPART_BROKEN)
        return bad_form(request, NULL,
                        "The body is not multipart/form-data that every reader understands alike.");
    if (purpose->at == NULL || file->at == NULL)
        return bad_form(request, purpose->at == NULL ? "purpose" : "file", "It is missing.");
    return true;
}

/* Files are of no model, but for those whose lines name one. */
static const struct upstream *choose_upstream(struct request *request, struct text model)
{
    const struct terms *terms = request->terms;
    struct text sent;
    for (size_t i = 0; i < terms->upstream_count; i++) {
        const struct upstream *upstream = &terms->upstreams[i];
        if ((upstream->dialects & DIALECT_BIT(DIALECT_OPENAI)) != 0 &&
            (model.size == 0 || upstream_serves(upstream, model, &sent)))
            return upstream;
    }
    refuse(request, REFUSAL_MODEL_NOT_FOUND, "model",
           "No upstream takes the file: none speaks OpenAI's dialect and serves its lines' model "
           "'%.*s'.",
           TEXT_ARG(text_slice(model, 0, 200)));
    return NULL;
}

static void send_file(struct request *request, const struct jobs *jobs)
{
    struct buffer facts = {0};
    struct text model = jobs != NULL ? text_of(jobs->model) : TEXT_NONE;
    const struct upstream *upstream = choose_upstream(request, model);
    if (upstream == NULL)
        return;
    if (jobs != NULL)
        jobs_put(&facts, jobs);
    const struct errand_target target = {
        .method = TEXT("POST"), .upstream = upstream, .path = TEXT("/files")};
    const struct object object = {OBJECT_FILE, upstream->name, TEXT_NONE};
    visit_start(request, VISIT_UPLOAD, &object, &target, buffer_text(&facts));
    buffer_close(&facts);
}

/* The body goes with the question: nobody but the reader may look at it meanwhile. */
static void ask_reader(struct request *request, struct text file)
{
    struct worker *worker = request->worker;
    struct reading *reading = memory_new(sizeof *reading);
    *reading = (struct reading){
        .mailbox = worker->mailbox, .to = request->id, .bytes = request->bytes, .file = file};
    request->bytes = (struct buffer){0};
    reader_ask(worker->house->reader, reading);
}

void intake_begin(struct request *request)
{
    struct text purpose = TEXT_NONE;
    struct text file = TEXT_NONE;
    if (!read_form(request, &purpose, &file))
        return;
    if (text_equal(purpose, TEXT("batch")))
        ask_reader(request, file);
    else
        send_file(request, NULL);
}

bool intake_letter(struct worker *worker, struct letter *letter)
{
    if (letter->kind != READER_LETTER_ANSWER)
        return false;
    struct request *request = roster_find(&worker->requests, letter->to);
    struct reading *reading = letter->body;
    if (request != NULL) {
        request->bytes = reading->bytes;
        reading->bytes = (struct buffer){0};
        send_file(request, &reading->jobs);
    }
    letter_free(letter);
    return true;
}
