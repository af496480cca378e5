/*
 * How what providers report differs from what purser counts, by model. Of every
 * DRIFT_ONE_OF-th call with a small body of nothing but text the input is counted when its usage is
 * there: off the way of the request, and at most 60 us of CPU each time.
 *
 * Of a model whose tokeniser is public the two are equal; if they are not any more, its tokeniser
 * has changed, which is logged, and its holds may be too small. Of any other model the quotient
 * tells how many of its tokens there are for one of o200k_base. The largest of the last
 * DRIFT_KEPT, and a tenth more, is what `admission.input_bound: learned` holds for. That is no
 * proof: only bytes are.
 *
 * What a provider makes of tools is not public: they are estimated, and held with half as much
 * again (pipeline/estimate.h). That is dropped for a model once DRIFT_TOOLS_ENOUGH calls with
 * tools, and texts beside them, were reported with no more than the estimate, none in between with
 * more. A call that is billed more input than it held brings it back, until as many have confirmed
 * it anew.
 *
 * In memory only. At most DRIFT_MODELS_MOST models; further ones are not looked at.
 */
#ifndef PURSER_GEAR_DRIFT_H
#define PURSER_GEAR_DRIFT_H

#include <pthread.h>

#include "base/table.h"

#define DRIFT_ONE_OF        64
#define DRIFT_MODELS_MOST   200
#define DRIFT_KEPT          64
#define DRIFT_ENOUGH        32 /* quotients, before anything is said to be learned */
#define DRIFT_BYTES_MOST    8192
#define DRIFT_TOOLS_ENOUGH  16
#define DRIFT_MOST_PERMILLE 100000

struct drift {
    pthread_mutex_t lock;
    struct table models; /* name → struct drift_model */
};

void drift_open(struct drift *drift);
void drift_close(struct drift *drift);

struct drift_sample {
    struct text model;
    bool exact; /* its tokeniser is public */
    bool tools; /* not only texts are counted; of such ones nothing else is learned */
    int64_t counted, reported; /* tokens, 1 or more */
    int64_t now_s;
};

/* Takes a sample; any thread. Logs, once an hour for a model, that its tokeniser is another one
 * than it was: if the last eight of them differed. */
void drift_note(struct drift *drift, const struct drift_sample *sample);

/* What was learned of a model: thousandths of a token for one of o200k_base. False: not enough yet.
 */
bool drift_learned(struct drift *drift, struct text model, int64_t *permille);

/* Whether the estimate of tools needs no more room for a model; and that it did. Any thread. */
bool drift_tools_confirmed(struct drift *drift, struct text model);
void drift_tools_refuted(struct drift *drift, struct text model);

struct drift_view {
    struct text name; /* lives as long as the drift */
    bool exact;
    int64_t samples, different; /* different: reported something else than was counted */
    int64_t permille; /* reported for 1000 counted, over the last DRIFT_KEPT; the largest */
};

/* Returns how many. */
size_t drift_view(struct drift *drift, struct drift_view views[DRIFT_MODELS_MOST]);

#endif
