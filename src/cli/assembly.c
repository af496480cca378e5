/* The assembly: from petitions to terms in force. */
#include "cli/assembly.h"

#include "base/json.h"
#include "base/log.h"
#include "cli/motion.h"

struct terms *assembly_amend(struct terms *terms, const struct bylaws *bylaws,
                             struct findings *findings)
{
    struct arena arena = {0};
    const struct config_amendments amendments = council_amendments(bylaws, &arena);
    struct terms *amended = draft_amend(terms, &amendments, findings);
    arena_close(&arena);
    return amended;
}

/* ---- petitions ---- */

/* What is to be known of the one thing that was made; of all others it was said before. */
static void put_warnings(struct buffer *out, const struct findings *findings, struct text about)
{
    struct buffer quoted = {0};
    buffer_printf(&quoted, "\"%.*s\"", TEXT_ARG(about));
    json_put_name(out, TEXT("warnings"));
    buffer_put_byte(out, '[');
    bool first = true;
    for (size_t i = 0; i < findings->count; i++) {
        struct text message = text_of(findings->at[i].message);
        if (!text_starts(message, TEXT("the run-time ")) ||
            text_find(message, buffer_text(&quoted), 0) == SIZE_MAX)
            continue;
        buffer_put(out, first ? TEXT("") : TEXT(","));
        json_put_string(out, message);
        first = false;
    }
    buffer_put(out, TEXT("]}\n"));
    buffer_close(&quoted);
}

static void refuse_all(struct ringer *ringer, const struct findings *findings)
{
    struct buffer told = {0};
    findings_print_errors(findings, TEXT_NONE, &told);
    buffer_put(&told, TEXT("nothing is changed\n"));
    bell_answer(ringer, BELL_REFUSED, text_trim(buffer_text(&told)));
    buffer_close(&told);
}

static struct bylaws *with(const struct bylaws *bylaws, const struct motion *motion)
{
    struct bylaws *after = bylaws_copy(bylaws);
    bool fits = true;
    for (size_t i = 0; fits && i < motion->count; i++)
        fits = bylaws_merge(after, &motion->changes[i]) != BYLAW_FULL;
    if (fits)
        return after;
    bylaws_close(after);
    return NULL;
}

/* A motion that changes something: NULL, and why not, or the terms with it. It is kept then. */
static struct terms *decide(struct estate *estate, struct motion *motion, struct bylaws *after,
                            struct ringer **ringer)
{
    struct fault fault;
    struct findings findings = {0};
    struct terms *fresh = assembly_amend(estate->terms, after, &findings);
    if (fresh == NULL) {
        refuse_all(*ringer, &findings);
        *ringer = NULL;
    } else if (!council_decide(estate->council, after, motion->changes, motion->count, &fault)) {
        struct text why = text_of(fault.message);
        terms_drop(fresh);
        fresh = NULL;
        bell_answer(*ringer, BELL_AWAY, why);
        *ringer = NULL;
    } else {
        put_warnings(&motion->answer, &findings, motion->about);
    }
    findings_close(&findings);
    return fresh;
}

static struct handover *carry(struct estate *estate, size_t workers, struct ringer *ringer,
                              struct motion *motion)
{
    struct bylaws *after = with(council_bylaws(estate->council), motion);
    if (after == NULL) {
        bell_answer(ringer, BELL_FIXED,
                    TEXT("There are as many keys and budgets made at run time as there may be "
                         "(20000, deleted ones included)."));
        return NULL;
    }
    struct terms *fresh = decide(estate, motion, after, &ringer);
    if (fresh == NULL) {
        bylaws_close(after);
        return NULL;
    }
    return reload_amended(estate, fresh, workers, ringer, buffer_text(&motion->answer));
}

struct handover *assembly_hear(struct estate *estate, size_t workers, struct ringer *ringer)
{
    struct motion motion;
    struct handover *handover = NULL;
    enum bell_result result =
        motion_make(&motion, bell_petition(ringer), draft_config(estate->terms),
                    council_bylaws(estate->council));
    if (result == BELL_DONE && motion.count > 0)
        handover = carry(estate, workers, ringer, &motion);
    else
        bell_answer(ringer, result, buffer_text(&motion.answer));
    motion_close(&motion);
    return handover;
}

/* ---- other instances ---- */

static void say_refused(const struct config *config, const struct findings *findings)
{
    struct buffer told = {0};
    findings_print_errors(findings, config->path, &told);
    log_error("a key or budget made at run time at another instance does not fit to this one's "
              "file, and is not in force here:");
    for (struct text rest = text_trim(buffer_text(&told)); rest.at != NULL;) {
        struct text line = text_split(&rest, '\n');
        log_error("%.*s", TEXT_ARG(line));
    }
    buffer_close(&told);
}

static bool fits(struct terms *terms, const struct bylaws *bylaws)
{
    struct findings findings = {0};
    struct terms *amended = assembly_amend(terms, bylaws, &findings);
    terms_drop(amended);
    findings_close(&findings);
    return amended != NULL;
}

/* Budgets that are tried one by one: each costs a reading of the configuration. */
#define TRIES_MOST 100

static bool is_new(const struct bylaws *fitting, const struct bylaw *bylaw)
{
    const struct bylaw *held = bylaws_find(fitting, bylaw->kind, bylaw->id);
    return held == NULL || held->version < bylaw->version;
}

static void keep_if_it_fits(struct estate *estate, struct bylaws **fitting, struct bylaws *trial)
{
    bool good = fits(estate->terms, trial);
    bylaws_close(good ? *fitting : trial);
    if (good)
        *fitting = trial;
}

static void try_all(struct estate *estate, struct bylaws **fitting,
                    bool (*is_meant)(const struct bylaw *bylaw))
{
    const struct bylaws *all = council_bylaws(estate->council);
    struct bylaws *trial = bylaws_copy(*fitting);
    for (size_t i = 0; i < bylaws_count(all); i++)
        if (is_meant(bylaws_at(all, i)))
            (void)bylaws_merge(trial, bylaws_at(all, i));
    keep_if_it_fits(estate, fitting, trial);
}

static void try_each(struct estate *estate, struct bylaws **fitting)
{
    const struct bylaws *all = council_bylaws(estate->council);
    for (size_t i = 0, tries = 0; i < bylaws_count(all) && tries < TRIES_MOST; i++) {
        if (!is_new(*fitting, bylaws_at(all, i)))
            continue;
        struct bylaws *trial = bylaws_copy(*fitting);
        (void)bylaws_merge(trial, bylaws_at(all, i));
        keep_if_it_fits(estate, fitting, trial);
        tries++;
    }
}

static bool is_taken_back(const struct bylaw *bylaw)
{
    return bylaw->body.size == 0;
}

static bool is_key(const struct bylaw *bylaw)
{
    return bylaw->kind == BYLAW_KEY;
}

/* Of what is new, that which fits: a key that was deleted must not go on because of a budget that
 * contradicts this instance's file. What was taken back comes first; it may make room. */
static struct bylaws *find_fitting(struct estate *estate)
{
    struct bylaws *fitting = bylaws_copy(council_in_force(estate->council));
    try_all(estate, &fitting, is_taken_back);
    try_all(estate, &fitting, is_key);
    try_each(estate, &fitting);
    return fitting;
}

/* NULL: not even what is in force fits any more; then it stays as it is. */
static struct handover *enact_fitting(struct estate *estate, size_t workers)
{
    struct findings findings = {0};
    struct handover *handover = NULL;
    struct bylaws *fitting = find_fitting(estate);
    struct terms *fresh = assembly_amend(estate->terms, fitting, &findings);
    findings_close(&findings);
    if (fresh != NULL) {
        handover = reload_amended(estate, fresh, workers, NULL, TEXT_NONE);
        council_enact(estate->council, fitting);
    }
    estate->misfit = true;
    bylaws_close(fitting);
    return handover;
}

struct handover *assembly_look(struct estate *estate, size_t workers)
{
    struct findings findings = {0};
    struct handover *handover = NULL;
    bool changed = council_look(estate->council);
    struct terms *fresh =
        changed ? assembly_amend(estate->terms, council_bylaws(estate->council), &findings) : NULL;
    if (fresh != NULL) {
        handover = reload_amended(estate, fresh, workers, NULL, TEXT_NONE);
    } else if (changed) {
        say_refused(draft_config(estate->terms), &findings);
        handover = enact_fitting(estate, workers);
    }
    if (!estate->misfit && !council_unread(estate->council))
        atomic_store(&estate->house.unread, false);
    findings_close(&findings);
    return handover;
}
