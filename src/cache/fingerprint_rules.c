/* Which headers count in a fingerprint, and which requests may share: see cache/fingerprint.h. */
#include "cache/fingerprint.h"
#include "money/money.h"

#define NAMES(list) list, sizeof(list) / sizeof((list)[0])

static bool is_one_of(struct text name, const struct text *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].size == name.size && text_equal_nocase(list[i], name)) {
            return true;
        }
    }
    return false;
}

static bool starts_with_one_of(struct text name, const struct text *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text_starts_nocase(name, list[i])) {
            return true;
        }
    }
    return false;
}

bool fingerprint_header_matters(struct text name)
{
    static const struct text names[] = {
        /* who asks with what, and how the connection is */
        TEXT("host"),
        TEXT("connection"),
        TEXT("keep-alive"),
        TEXT("proxy-connection"),
        TEXT("te"),
        TEXT("trailer"),
        TEXT("upgrade"),
        TEXT("transfer-encoding"),
        TEXT("content-length"),
        TEXT("content-type"),
        TEXT("content-encoding"),
        TEXT("expect"),
        TEXT("user-agent"),
        TEXT("accept"),
        TEXT("accept-language"),
        TEXT("accept-encoding"),
        TEXT("accept-charset"),
        TEXT("date"),
        TEXT("priority"),
        TEXT("dnt"),
        TEXT("cache-control"),
        TEXT("pragma"),
        TEXT("upgrade-insecure-requests"),
        /* credentials, which purser replaces; with the client's own the name space is its key */
        TEXT("authorization"),
        TEXT("proxy-authorization"),
        TEXT("api-key"),
        TEXT("x-api-key"),
        TEXT("cookie"),
        /* where it came from */
        TEXT("via"),
        TEXT("forwarded"),
        TEXT("x-real-ip"),
        TEXT("true-client-ip"),
        TEXT("x-client-ip"),
        TEXT("referer"),
        TEXT("origin"),
        TEXT("cf-ray"),
        TEXT("cf-connecting-ip"),
        TEXT("cf-ipcountry"),
        TEXT("cf-visitor"),
        /* its name and its traces */
        TEXT("x-request-id"),
        TEXT("x-client-request-id"),
        TEXT("x-correlation-id"),
        TEXT("idempotency-key"),
        TEXT("traceparent"),
        TEXT("tracestate"),
        TEXT("baggage"),
        TEXT("b3"),
        TEXT("uber-trace-id"),
        TEXT("sentry-trace"),
        TEXT("newrelic"),
        TEXT("x-amzn-trace-id"),
        TEXT("x-cloud-trace-context"),
        TEXT("x-portkey-metadata"),
        TEXT("x-portkey-trace-id"),
        TEXT("x-litellm-tags"),
        TEXT("x-litellm-end-user-id"),
        TEXT("x-litellm-call-id"),
        TEXT("x-litellm-trace-id"),
        TEXT("x-litellm-session-id"),
        TEXT("x-litellm-spend-logs-metadata"),
        TEXT("x-litellm-timeout"),
        TEXT("x-litellm-stream-timeout"),
        TEXT("x-litellm-num-retries"),
    };
    static const struct text beginnings[] = {
        TEXT("x-purser-"), TEXT("x-stainless-"), TEXT("x-forwarded-"), TEXT("x-b3-"),
        TEXT("sec-"),      TEXT("x-datadog-"),   TEXT("x-envoy-"),
    };

    return !is_one_of(name, NAMES(names)) && !starts_with_one_of(name, NAMES(beginnings));
}

/* ---- what may be kept ---- */

static bool is_deterministic(struct text temperature, const struct fingerprint_rules *rules)
{
    int64_t nano;

    if (temperature.size == 0) {
        return rules->absent_temperature;
    }
    return temperature.at[0] == '-' ||
           money_parse_scaled_up(temperature, 9, rules->temperature_most_nano, &nano);
}

enum fingerprint_fit fingerprint_fits(const struct body *body,
                                      const struct fingerprint_rules *rules)
{
    if (!endpoint_facts(body->endpoint)->kept) {
        return FINGERPRINT_ENDPOINT;
    }
    if (body->kept_by_provider) {
        return FINGERPRINT_KEPT_BY_PROVIDER;
    }
    if (body->unbounded_param.at != NULL) {
        return FINGERPRINT_HOSTED;
    }
    if (body->audio) {
        return FINGERPRINT_AUDIO;
    }
    if (body->endpoint == ENDPOINT_EMBEDDINGS) {
        return rules->embeddings ? FINGERPRINT_FITS : FINGERPRINT_OFF;
    }
    return is_deterministic(body->temperature_raw, rules) ? FINGERPRINT_FITS
                                                          : FINGERPRINT_NOT_DETERMINISTIC;
}

const char *fingerprint_why(enum fingerprint_fit fit)
{
    static const char *const sentences[] = {
        [FINGERPRINT_FITS] = "the answer may be shared",
        [FINGERPRINT_NOT_DETERMINISTIC] = "the temperature is absent or too high",
        [FINGERPRINT_KEPT_BY_PROVIDER] = "the provider keeps the answer, or it hangs on another",
        [FINGERPRINT_HOSTED] = "the provider runs tools or plug-ins, or its cost has no bound",
        [FINGERPRINT_AUDIO] = "there is audio in it",
        [FINGERPRINT_OFF] = "embeddings are not kept here",
        [FINGERPRINT_ENDPOINT] = "answers of this endpoint are not kept",
    };

    ASSERT((size_t)fit < sizeof(sentences) / sizeof(sentences[0]));
    return sentences[fit];
}
