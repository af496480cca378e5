/* What fits to a file: tried by halves, so that few that do not are found among many that do. */
#include "cli/fitting.h"

#include "cli/council.h"

/* Each costs a reading of the configuration: what was not tried then is not in force. */
#define TRIES_MOST 400

struct terms *fitting_amend(struct terms *terms, const struct bylaws *bylaws,
                            struct findings *findings)
{
    struct arena arena = {0};
    const struct config_amendments amendments = council_amendments(bylaws, &arena);
    struct terms *amended = draft_amend(terms, &amendments, findings);
    arena_close(&arena);
    return amended;
}

/* ---- searching ---- */

struct search {
    struct terms *terms;
    const struct bylaws *all;
    struct bylaws *held; /* they fit together */
    bool (*is_meant)(const struct bylaw *bylaw);
    int tries;
};

static bool fits(struct terms *terms, const struct bylaws *bylaws)
{
    struct findings findings = {0};
    struct terms *amended = fitting_amend(terms, bylaws, &findings);
    terms_drop(amended);
    findings_close(&findings);
    return amended != NULL;
}

/* What is held, and what is meant of a part; NULL: there is nothing new in it. */
static struct bylaws *with_part(const struct search *search, size_t low, size_t high)
{
    struct bylaws *trial = NULL;
    for (size_t i = low; i < high; i++) {
        const struct bylaw *bylaw = bylaws_at(search->all, i);
        if (!search->is_meant(bylaw) || bylaws_has(search->held, bylaw))
            continue;
        trial = trial == NULL ? bylaws_copy(search->held) : trial;
        (void)bylaws_merge(trial, bylaw);
    }
    return trial;
}

static void try_part(struct search *search, size_t low, size_t high)
{
    struct bylaws *trial = with_part(search, low, high);
    if (trial == NULL || search->tries++ >= TRIES_MOST) {
        bylaws_close(trial);
    } else if (fits(search->terms, trial)) {
        bylaws_close(search->held);
        search->held = trial;
    } else {
        size_t middle = low + (high - low) / 2;
        bylaws_close(trial);
        if (high - low > 1) {
            try_part(search, low, middle);
            try_part(search, middle, high);
        }
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

static bool is_any(const struct bylaw *bylaw)
{
    (void)bylaw;
    return true;
}

/* What was taken back comes first: it may make room. */
static struct bylaws *find_most(struct terms *terms, const struct bylaws *all,
                                const struct bylaws *first, struct findings *findings)
{
    static bool (*const turns[])(const struct bylaw *bylaw) = {is_taken_back, is_key, is_any};
    struct search search = {.terms = terms, .all = all, .held = bylaws_copy(first)};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        search.is_meant = turns[i];
        try_part(&search, 0, bylaws_count(all));
    }
    if (search.tries > TRIES_MOST)
        findings_add(findings, FINDING_ERROR, 0,
                     "too much of it does not fit: after %d tries the rest was not tried, and is "
                     "not in force either",
                     TRIES_MOST);
    return search.held;
}

struct terms *fitting_most(struct terms *terms, const struct bylaws *all,
                           const struct bylaws *first, struct bylaws **held,
                           struct findings *findings)
{
    struct findings why = {0};
    struct terms *fresh = fitting_amend(terms, all, findings);
    if (fresh != NULL) {
        *held = bylaws_copy(all);
        return fresh;
    }
    fresh = fitting_amend(terms, first, &why);
    if (fresh == NULL) {
        findings_close(findings);
        *findings = why;
        return NULL;
    }
    findings_close(&why);
    terms_drop(fresh);
    *held = find_most(terms, all, first, findings);
    fresh = fitting_amend(terms, *held, &why);
    findings_close(&why);
    ASSERT(fresh != NULL);
    return fresh;
}
