/* Results of batches; see gear/results.h. */
#include "gear/results.h"

#include "base/json.h"
#include "gear/cost.h"

static void add_usage(struct results *results, const struct usage *usage)
{
    const unsigned batch = SERVICE_BIT(SERVICE_BATCH);
    results->prompt_tokens += usage->prompt;
    results->cached_tokens += usage->cached;
    results->cache_write_tokens += usage->cache_write;
    results->completion_tokens += usage->completion;
    results->reasoning_tokens += usage->reasoning;
    results->cost = money_add(results->cost, cost_of_usage(usage, results->price, batch));
    results->standard = money_add(results->standard, cost_of_usage(usage, results->price, 0));
}

/* False: it is no result. */
static bool read_result(struct results *results, struct text raw)
{
    struct json_value line, response, status, body;
    struct answer_report report;
    int64_t code = 0;
    if (json_parse(raw, &line, NULL) != JSON_OK || !json_member(line, TEXT("response"), &response))
        return false;
    if (response.kind == JSON_NULL) /* it was never made: `error` says why */
        return true;
    if (!json_member(response, TEXT("status_code"), &status) || !json_int(status, &code))
        return false;
    if (code >= 300)
        return true;
    results->succeeded++;
    if (!json_member(response, TEXT("body"), &body))
        return false;
    answer_read(body.raw, &report);
    if (report.usage_result == USAGE_FOUND)
        add_usage(results, &report.usage);
    return report.usage_result == USAGE_FOUND;
}

static void read_line(struct results *results, struct text line)
{
    line = text_trim(line);
    if (line.size == 0)
        return;
    results->lines++;
    results->unclear = !read_result(results, line) || results->unclear;
}

void results_feed(struct results *results, struct text bytes)
{
    while (bytes.size > 0) {
        size_t end = text_find(bytes, TEXT("\n"), 0);
        bool whole = end != SIZE_MAX;
        struct text piece = whole ? text_slice(bytes, 0, end) : bytes;
        bytes = whole ? text_from(bytes, end + 1) : TEXT_NONE;
        if (whole && results->kept.size == 0) {
            read_line(results, piece);
            continue;
        }
        if (results->kept.size + piece.size > RESULTS_LINE_MOST)
            results->unclear = true;
        else
            buffer_put(&results->kept, piece);
        if (whole)
            results_end(results);
    }
}

void results_end(struct results *results)
{
    read_line(results, buffer_text(&results->kept));
    buffer_clear(&results->kept);
}

void results_close(struct results *results)
{
    buffer_close(&results->kept);
}
