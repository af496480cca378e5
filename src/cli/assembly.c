/* The assembly: from petitions to terms in force. */
#include "cli/assembly.h"

#include "base/json.h"
#include "base/log.h"
#include "cli/fitting.h"
#include "cli/motion.h"

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
        bool of_file = findings->at[i].line > 0;
        if (of_file || text_find(message, buffer_text(&quoted), 0) == SIZE_MAX)
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

/* A motion that changes something. */
struct matter {
    struct estate *estate;
    struct motion *motion;
    struct bylaws *after; /* all there is, with it; taken if it is kept */
    struct bylaws *first; /* what is in force, with it */
    struct bylaws *held;  /* what will be */
    struct findings findings;
    bool *overruled; /* set, and nobody answered, if it was; NULL: then that is the answer */
};

static bool matter_open(struct matter *matter, struct estate *estate, struct motion *motion)
{
    matter->estate = estate;
    matter->motion = motion;
    matter->after = with(council_bylaws(estate->council), motion);
    matter->first = with(council_in_force(estate->council), motion);
    return matter->after != NULL && matter->first != NULL;
}

static void matter_close(struct matter *matter)
{
    bylaws_close(matter->after);
    bylaws_close(matter->first);
    bylaws_close(matter->held);
    findings_close(&matter->findings);
}

/* Who changes what they cannot see here, changes it where it holds. */
static void note_unseen(struct matter *matter)
{
    static const char *const kinds[BYLAW_KIND_COUNT] = {
        [BYLAW_KEY] = "key", [BYLAW_BUDGET] = "budget", [BYLAW_LIMITS] = "limits of the budget"};
    const struct council *council = matter->estate->council;
    for (size_t i = 0; i < matter->motion->count; i++) {
        const struct bylaw *change = &matter->motion->changes[i];
        const struct bylaw *known = bylaws_find(council_bylaws(council), change->kind, change->id);
        if (known == NULL || known->body.size == 0 || bylaws_has(council_in_force(council), known))
            continue;
        findings_add(&matter->findings, FINDING_WARNING, 0,
                     "the run-time %s \"%.*s\" did not fit to this instance's file, and held at "
                     "others: what was there is %s now, at all instances",
                     kinds[change->kind], TEXT_ARG(change->id),
                     change->body.size > 0 ? "replaced" : "deleted");
    }
}

/* NULL, and why not, or the terms with it. It is kept then. What did not fit before is no reason to
 * refuse it. */
static struct terms *decide(struct matter *matter, struct ringer *ringer)
{
    struct fault fault;
    struct motion *motion = matter->motion;
    struct council *council = matter->estate->council;
    struct terms *fresh = fitting_most(matter->estate->terms, matter->after, matter->first,
                                       &matter->held, &matter->findings);
    if (fresh == NULL) {
        refuse_all(ringer, &matter->findings);
        return NULL;
    }
    if (matter->overruled != NULL) /* else what was just seen is not in force here yet */
        note_unseen(matter);
    enum bylaws_put put =
        council_decide(council, matter->after, motion->changes, motion->count, &fault);
    if (put != BYLAWS_PUT) {
        terms_drop(fresh);
        if (put == BYLAWS_OVERRULED && matter->overruled != NULL)
            *matter->overruled = true;
        else
            bell_answer(ringer, BELL_AWAY, text_of(fault.message));
        return NULL;
    }
    matter->after = NULL;
    put_warnings(&motion->answer, &matter->findings, motion->about);
    return fresh;
}

static struct handover *carry(struct estate *estate, size_t workers, struct ringer *ringer,
                              struct motion *motion, bool *overruled)
{
    struct matter matter = {.overruled = overruled};
    struct handover *handover = NULL;
    struct terms *fresh = NULL;
    if (matter_open(&matter, estate, motion))
        fresh = decide(&matter, ringer);
    else
        bell_answer(ringer, BELL_FIXED,
                    TEXT("There are as many keys and budgets made at run time as there may be "
                         "(20000, deleted ones included)."));
    if (fresh != NULL) {
        handover = reload_amended(estate, fresh, workers, ringer, buffer_text(&motion->answer));
        reload_enact(estate, matter.held, &matter.findings);
    }
    matter_close(&matter);
    return handover;
}

static struct handover *hear(struct estate *estate, size_t workers, struct ringer *ringer,
                             bool *overruled)
{
    struct motion motion;
    struct handover *handover = NULL;
    enum bell_result result =
        motion_make(&motion, bell_petition(ringer), draft_config(estate->terms),
                    council_bylaws(estate->council));
    if (result == BELL_DONE && motion.count > 0)
        handover = carry(estate, workers, ringer, &motion, overruled);
    else
        bell_answer(ringer, result, buffer_text(&motion.answer));
    motion_close(&motion);
    return handover;
}

/* ---- other instances ---- */

/* What is in force can be read no more: a file of a time zone is away, say, while tzdata is
 * replaced. */
static void say_stuck(struct estate *estate, const struct findings *findings)
{
    struct buffer why = {0};
    findings_print_errors(findings, TEXT_NONE, &why);
    if (!estate->stuck)
        log_error(
            "keys and budgets made or deleted at other instances are not in force here, until "
            "this is mended: %.*s",
            TEXT_ARG(text_trim(buffer_text(&why))));
    estate->stuck = true;
    buffer_close(&why);
}

/* NULL: not even what is in force fits any more; it stays as it is, and the next look tries again.
 */
static struct handover *take_over(struct estate *estate, size_t workers)
{
    const struct council *council = estate->council;
    struct findings findings = {0};
    struct bylaws *held = NULL;
    struct handover *handover = NULL;
    struct terms *fresh = fitting_most(estate->terms, council_bylaws(council),
                                       council_in_force(council), &held, &findings);
    if (fresh != NULL) {
        handover = reload_amended(estate, fresh, workers, NULL, TEXT_NONE);
        reload_enact(estate, held, &findings);
        estate->stuck = false;
    } else {
        say_stuck(estate, &findings);
        council_look_again(estate->council);
    }
    bylaws_close(held);
    findings_close(&findings);
    return handover;
}

struct handover *assembly_look(struct estate *estate, size_t workers)
{
    struct handover *handover = NULL;
    if (council_look(estate->council))
        handover = take_over(estate, workers);
    if (!council_unread(estate->council))
        atomic_store(&estate->house.unread, false);
    return handover;
}

/* ---- one petition ---- */

/* What somebody else has changed since the last look is looked at, and the petition heard once
 * more: limits of another id, say, are one record with those that are set. */
struct handover *assembly_hear(struct estate *estate, size_t workers, struct ringer *ringer)
{
    bool overruled = false;
    struct handover *handover = hear(estate, workers, ringer, &overruled);
    if (!overruled)
        return handover;
    bool news = council_look(estate->council);
    handover = hear(estate, workers, ringer, NULL);
    return handover == NULL && news ? take_over(estate, workers) : handover;
}
