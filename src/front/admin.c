/* What the operator asks of a running purser: /admin/... */
#include "front/endpoints.h"
#include "pipeline/bell.h"
#include "pipeline/refusal.h"

static void refuse_stopping(struct request *request)
{
    refuse(request, REFUSAL_SHUTTING_DOWN, NULL, "purser is shutting down.");
}

void endpoint_reload(struct request *request, struct text rest)
{
    (void)rest;
    struct worker *worker = request->worker;
    if (!bell_ring(worker->house->bell, worker->mailbox, request->id))
        refuse_stopping(request);
}

void endpoint_reload_answer(struct request *request, struct letter *letter)
{
    struct buffer *text = letter->body;
    switch ((enum reload_result)letter->value) {
    case RELOAD_DONE:
        reply_header(&request->reply, "Content-Type", "application/json");
        reply_whole_take(&request->reply, 200, text);
        return;
    case RELOAD_REFUSED:
        refuse_configuration(request, buffer_string(text));
        return;
    case RELOAD_STOPPING:
        refuse_stopping(request);
        return;
    }
}
