/* Objects: who owns what, asked and noted without ever waiting for the disk. */
#include "pipeline/objects.h"

#include "pipeline/pipeline.h"
#include "pipeline/refusal.h"

void objects_claim(struct worker *worker, const struct object *object, struct text key)
{
    struct deed deed = {
        .kind = DEED_CLAIM,
        .object = *object,
        .key = key,
        .made_s = loop_wall_us(worker->loop) / 1000000,
    };
    (void)!registrar_ask(worker->house->registrar, &deed); /* it logs what it cannot do */
}

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
    if (answer->failed) {
        refuse(request, REFUSAL_STORE, NULL,
               "purser cannot read its ceilings.db, which tells who owns what. The operator finds "
               "the reason in the log.");
        return false;
    }
    if (answer->owner == OWNER_KNOWN ? text_equal(answer->owned.key, request->key->id)
                                     : passthrough)
        return true;
    refuse(request, REFUSAL_NO_SUCH_OBJECT, param,
           "'%.*s' was not found: nothing of that id was made through purser with this key.",
           TEXT_ARG(text_slice(id, 0, 200)));
    return false;
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
