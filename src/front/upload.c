/* Uploads. */
#include "front/upload.h"

#include "pipeline/refusal.h"

#define STRANGER_MOST    (16 * 1024)
#define PASSED_OVER_MOST (1024ll * 1024 * 1024)

/* Two parsers may disagree about which one counts: the rest of the body would be a request of its
 * own to one of them. */
static bool tells_two_lengths(const struct request *request)
{
    size_t lengths = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        struct text name = request->headers[i].name;
        if (text_equal_nocase(name, TEXT("Content-Length")) ||
            text_equal_nocase(name, TEXT("Transfer-Encoding")))
            lengths++;
    }
    return lengths > 1;
}

void upload_begin(struct upload *upload, struct request *request)
{
    *upload = (struct upload){.request = request, .two_lengths = tells_two_lengths(request)};
}

/* Room for the whole body at once, if its length is known. */
static void make_room(struct request *request, size_t most)
{
    int64_t length;
    if (text_to_int(request_header(request, "Content-Length"), &length) && length > 0 &&
        (size_t)length <= most)
        buffer_reserve(&request->bytes, (size_t)length);
}

/* Small bodies, which are most, are not worth the question who sends them. */
static bool may_keep(struct upload *upload, size_t size)
{
    struct request *request = upload->request;
    if (upload->known || upload->stranger)
        return upload->known;
    if (request->bytes.size + size <= STRANGER_MOST) {
        if (request->bytes.size == 0)
            make_room(request, STRANGER_MOST);
        return true;
    }
    upload->known = pipeline_knows_caller(request);
    upload->stranger = !upload->known;
    if (upload->known)
        make_room(request, request->terms->body_most);
    return upload->known;
}

bool upload_take(struct upload *upload, const char *bytes, size_t size)
{
    struct request *request = upload->request;
    if (upload->passed_over > 0 || !may_keep(upload, size) ||
        request->bytes.size + size > request->terms->body_most) {
        upload->passed_over += (int64_t)size;
        buffer_close(&request->bytes);
        return upload->passed_over < PASSED_OVER_MOST;
    }
    buffer_put(&request->bytes, text_make(bytes, size));
    return true;
}

bool upload_refused(struct upload *upload)
{
    struct request *request = upload->request;
    if (upload->two_lengths) {
        reply_header(&request->reply, "Connection", "close");
        refuse(request, REFUSAL_BAD_REQUEST, NULL,
               "The head tells more than one length of the body (Content-Length, "
               "Transfer-Encoding).");
    } else if (upload->passed_over > 0 && !upload->stranger) {
        refuse(request, REFUSAL_TOO_LARGE, NULL,
               "The body is larger than %zu MB. An operator raises it with limits.body_mb.",
               request->terms->body_most / (1024 * 1024));
    }
    return request->reply.status != 0;
}
