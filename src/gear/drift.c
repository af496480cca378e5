/* Reported against counted: see gear/drift.h. */
#include "gear/drift.h"

#include <stdlib.h>

#include "base/log.h"

#define DIFFERENT_IN_A_ROW 8
#define HOUR_S             3600

struct drift_model {
    struct text name;
    bool exact;
    int64_t samples, different;
    int64_t in_a_row; /* different ones, the last of them */
    int64_t warned_s; /* 0: never */
    int64_t tools;    /* calls with tools that confirmed the estimate, one after the other */
    int64_t permille[DRIFT_KEPT];
};

void drift_open(struct drift *drift)
{
    pthread_mutex_init(&drift->lock, NULL);
}

void drift_close(struct drift *drift)
{
    size_t at = 0;
    void *value;
    while (table_next(&drift->models, &at, NULL, &value)) {
        struct drift_model *model = value;
        free((char *)(uintptr_t)model->name.at);
        free(model);
    }
    table_close(&drift->models);
    pthread_mutex_destroy(&drift->lock);
}

/* NULL if there are too many. */
static struct drift_model *take_model(struct drift *drift, const struct drift_sample *sample)
{
    struct drift_model *model = table_get(&drift->models, sample->model);
    if (model != NULL || drift->models.count == DRIFT_MODELS_MOST)
        return model;
    model = memory_new(sizeof *model);
    model->name = text_make(memory_copy(sample->model), sample->model.size);
    table_put(&drift->models, model->name, model);
    return model;
}

static void keep(struct drift_model *model, const struct drift_sample *sample)
{
    int64_t permille = DRIFT_MOST_PERMILLE;
    if (sample->reported < sample->counted * (DRIFT_MOST_PERMILLE / 1000))
        permille = (sample->reported * 1000 + sample->counted - 1) / sample->counted;
    model->permille[model->samples % DRIFT_KEPT] = permille;
    model->samples++;
    model->exact = sample->exact;
    bool same = sample->reported == sample->counted;
    model->different += same ? 0 : 1;
    model->in_a_row = same ? 0 : model->in_a_row + 1;
}

static void keep_tools(struct drift_model *model, const struct drift_sample *sample)
{
    model->exact = sample->exact;
    model->tools = sample->reported <= sample->counted ? model->tools + 1 : 0;
}

static bool is_to_be_told(struct drift_model *model, int64_t now_s)
{
    bool told = model->warned_s != 0 && now_s - model->warned_s < HOUR_S;
    if (!model->exact || model->in_a_row < DIFFERENT_IN_A_ROW || told)
        return false;
    model->warned_s = now_s;
    return true;
}

void drift_note(struct drift *drift, const struct drift_sample *sample)
{
    pthread_mutex_lock(&drift->lock);
    struct drift_model *model = take_model(drift, sample);
    if (model != NULL)
        (sample->tools ? keep_tools : keep)(model, sample);
    bool tell = model != NULL && is_to_be_told(model, sample->now_s);
    pthread_mutex_unlock(&drift->lock);
    if (tell)
        log_warn("the tokeniser of model %.*s seems to be another one than purser knows: the last "
                 "%d prompts that were compared were reported otherwise than counted, the last one "
                 "with %lld tokens instead of %lld. Its holds may be too small",
                 TEXT_ARG(sample->model), DIFFERENT_IN_A_ROW, (long long)sample->reported,
                 (long long)sample->counted);
}

static int64_t largest(const struct drift_model *model)
{
    int64_t kept = model->samples < DRIFT_KEPT ? model->samples : DRIFT_KEPT;
    int64_t most = 0;
    for (int64_t i = 0; i < kept; i++)
        most = model->permille[i] > most ? model->permille[i] : most;
    return most;
}

bool drift_learned(struct drift *drift, struct text name, int64_t *permille)
{
    pthread_mutex_lock(&drift->lock);
    const struct drift_model *model = table_get(&drift->models, name);
    bool enough = model != NULL && model->samples >= DRIFT_ENOUGH;
    if (enough)
        *permille = largest(model) * 11 / 10 + 1;
    pthread_mutex_unlock(&drift->lock);
    return enough;
}

bool drift_tools_confirmed(struct drift *drift, struct text name)
{
    pthread_mutex_lock(&drift->lock);
    const struct drift_model *model = table_get(&drift->models, name);
    bool confirmed = model != NULL && model->tools >= DRIFT_TOOLS_ENOUGH;
    pthread_mutex_unlock(&drift->lock);
    return confirmed;
}

void drift_tools_refuted(struct drift *drift, struct text name)
{
    pthread_mutex_lock(&drift->lock);
    struct drift_model *model = table_get(&drift->models, name);
    if (model != NULL)
        model->tools = 0;
    pthread_mutex_unlock(&drift->lock);
}

size_t drift_view(struct drift *drift, struct drift_view views[DRIFT_MODELS_MOST])
{
    size_t at = 0, count = 0;
    void *value;
    pthread_mutex_lock(&drift->lock);
    while (table_next(&drift->models, &at, NULL, &value)) {
        const struct drift_model *model = value;
        views[count++] = (struct drift_view){.name = model->name,
                                             .exact = model->exact,
                                             .samples = model->samples,
                                             .different = model->different,
                                             .permille = largest(model)};
    }
    pthread_mutex_unlock(&drift->lock);
    return count;
}
