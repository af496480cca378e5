/*
 * Uploads: whatever bytes a form has, its parts lie within it and in their order; and whatever
 * lines a batch's file has, their sums are the same however it is cut, and are kept as they are.
 *
 * The first byte says how many bytes of the file are read at once; the boundary is "b".
 */
#include "fuzz.h"
#include "wire/jobs.h"
#include "wire/multipart.h"

static void check_form(struct text body)
{
    struct multipart form = multipart_begin(body, TEXT("b"));
    struct multipart_part part;
    const char *behind = body.at;
    while (multipart_next(&form, &part) == MULTIPART_PART) {
        demand(part.name.at != NULL);
        demand(part.content.at >= behind);
        demand(part.content.at + part.content.size <= body.at + body.size);
        behind = part.content.at + part.content.size;
    }
}

static void read_all(struct text file, size_t most, struct jobs *jobs)
{
    size_t at = 0;
    while (jobs_read(jobs, file, &at, most))
        demand(at <= file.size);
}

static void check_jobs(struct text file, size_t most)
{
    struct jobs whole = {0}, pieces = {0}, again;
    struct buffer kept = {0}, twice = {0};
    read_all(file, SIZE_MAX / 2, &whole);
    read_all(file, most, &pieces);
    jobs_put(&kept, &whole);
    jobs_put(&twice, &pieces);
    demand(text_equal(buffer_text(&kept), buffer_text(&twice)));
    demand(jobs_parse(buffer_text(&kept), &again));
    buffer_clear(&twice);
    jobs_put(&twice, &again);
    demand(text_equal(buffer_text(&kept), buffer_text(&twice)));
    demand(whole.input_tokens >= whole.largest_input);
    buffer_close(&kept);
    buffer_close(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct text bytes = text_make((const char *)data + 1, size - 1);
    check_form(bytes);
    check_jobs(bytes, 1u + data[0]);
    return 0;
}
