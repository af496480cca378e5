/* Reload. */
#include "cli/reload.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/log.h"
#include "cli/council.h"
#include "cli/fitting.h"
#include "config/address.h"
#include "config/compare.h"

/* Shared by the letters to the workers; the last one that adopts ends it. */
struct handover {
    struct terms *terms;
    struct ringer *ringers;
    struct buffer answer; /* JSON */
    struct buffer told;   /* for the log */
    atomic_size_t to_adopt;
};

/* ---- a file that is refused ---- */

/* Takes a line off the text, which ends with one. */
static struct text next_line(struct text *rest)
{
    struct text line = text_split(rest, '\n');
    if (rest->size == 0)
        *rest = TEXT_NONE;
    return line;
}

static void refuse_all(const char *path, const struct findings *findings, struct ringer *ringers)
{
    struct buffer told = {0};
    if (path == NULL)
        buffer_put(&told, TEXT("error: purser runs without a configuration file, so there is none "
                               "to read again: start it with --config FILE\n"));
    else
        findings_print_errors(findings, text_of(path), &told);
    buffer_put(&told, TEXT("nothing is changed\n"));
    struct text rest = buffer_text(&told);
    bell_answer(ringers, BELL_REFUSED, text_trim(rest));
    while (rest.at != NULL) {
        struct text line = next_line(&rest);
        log_error("reload: %.*s", TEXT_ARG(line));
    }
    buffer_close(&told);
}

/* ---- a file that is good ---- */

/* It keeps listening where it does. */
static void check_in_force(const struct estate *estate, const struct config *fresh,
                           struct findings *findings)
{
    if (fresh->auth_mode == AUTH_OPEN && !address_is_private(estate->config->listen))
        findings_add(findings, FINDING_ERROR, 0,
                     "auth.mode: open needs a restart: until then purser listens on %.*s, where "
                     "anybody on the network could spend",
                     TEXT_ARG(estate->config->listen));
}

/* Opening a pipe whose writer is gone would wait for ever. What is missing is told by who reads. */
static bool can_be_read_again(const char *path, struct findings *findings)
{
    struct stat stat_of;
    if (stat(path, &stat_of) != 0 || S_ISREG(stat_of.st_mode))
        return true;
    findings_add(findings, FINDING_ERROR, 0,
                 "it is no regular file, so it cannot be read a second time: restart purser");
    return false;
}

/* What of that was made at run time the new terms have, NULL: all; and why not the rest. */
struct held {
    struct bylaws *bylaws;
    struct findings why;
};

static void held_close(struct held *held)
{
    bylaws_close(held->bylaws);
    findings_close(&held->why);
}

/* Where some of it contradicted the file before, too: all that is in force must fit. */
static struct terms *load_partly(const struct estate *estate, const char *path, struct held *held,
                                 struct findings *findings)
{
    struct findings own = {0};
    struct terms *fresh = NULL, *plain = draft_load(path, NULL, &own);
    if (plain != NULL)
        fresh = fitting_most(plain, council_bylaws(estate->council),
                             council_in_force(estate->council), &held->bylaws, &held->why);
    terms_drop(plain);
    findings_close(findings);
    if (plain == NULL || fresh != NULL) {
        *findings = own;
        return fresh;
    }
    findings_close(&own);
    *findings = held->why;
    held->why = (struct findings){0};
    return NULL;
}

/* NULL if something is wrong. */
static struct terms *load(const struct estate *estate, const char *path, struct held *held,
                          struct findings *findings)
{
    if (path == NULL || !can_be_read_again(path, findings))
        return NULL;
    struct arena arena = {0};
    const struct config_amendments amendments =
        council_amendments(council_bylaws(estate->council), &arena);
    struct terms *fresh = draft_load(path, &amendments, findings);
    arena_close(&arena);
    if (fresh == NULL && council_is_split(estate->council))
        fresh = load_partly(estate, path, held, findings);
    if (fresh == NULL)
        return NULL;
    check_in_force(estate, draft_config(fresh), findings);
    if (findings->errors == 0)
        return fresh;
    terms_drop(fresh);
    return NULL;
}

static bool has_name(const struct config_texts *names, struct text name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (text_equal(names->at[i], name))
            return true;
    }
    return false;
}

/* A price file may change and its name stay. */
static bool only_files_changed(const struct terms *before, const struct terms *fresh,
                               const struct config_texts *changed)
{
    return !text_equal(catalog_version(before->catalog), catalog_version(fresh->catalog)) &&
           !has_name(changed, TEXT("prices")) && !has_name(changed, TEXT("models")) &&
           !has_name(changed, TEXT("unpriced"));
}

static void put_text(struct buffer *out, struct text text)
{
    if (out->at[out->size - 1] != '[')
        buffer_put_byte(out, ',');
    json_put_string(out, text);
}

static void put_names(struct buffer *out, const char *member, const struct config_texts *names)
{
    json_put_name(out, text_of(member));
    buffer_put_byte(out, '[');
    for (size_t i = 0; i < names->count; i++)
        put_text(out, names->at[i]);
}

static void put_warnings(struct buffer *out, const char *path, const struct findings *findings)
{
    struct buffer told = {0};
    findings_print(findings, text_of(path), &told);
    json_put_name(out, TEXT("warnings"));
    buffer_put_byte(out, '[');
    for (struct text rest = buffer_text(&told); rest.at != NULL;) {
        struct text line = next_line(&rest);
        put_text(out, line);
        log_warn("reload: %.*s", TEXT_ARG(line));
    }
    buffer_close(&told);
}

static void warn_not_applied(const struct config_texts *names, struct findings *findings)
{
    for (size_t i = 0; i < names->count; i++)
        findings_add(findings, FINDING_WARNING, 0,
                     "%.*s: needs a restart; until then it keeps its value",
                     TEXT_ARG(names->at[i]));
}

static void tell(struct buffer *out, const struct config_texts *changed, bool files)
{
    for (size_t i = 0; i < changed->count; i++)
        buffer_printf(out, "%s%.*s", i == 0 ? "changed " : ", ", TEXT_ARG(changed->at[i]));
    if (files)
        buffer_printf(out, "%sprices", changed->count == 0 ? "changed " : ", ");
    if (out->size == 0)
        buffer_put(out, TEXT("nothing is different"));
}

/* What changes, as the answer to who asked and for the log. */
static void describe(struct handover *handover, const struct estate *estate, const char *path,
                     struct findings *findings)
{
    struct arena arena = {0};
    struct buffer *out = &handover->answer;
    const struct config *after = draft_config(handover->terms);
    struct config_texts fixed = config_not_applied(estate->config, after, &arena);
    struct config_texts changed = config_changed(draft_config(estate->terms), after, &arena);
    bool files = only_files_changed(estate->terms, handover->terms, &changed);
    warn_not_applied(&fixed, findings);
    tell(&handover->told, &changed, files);
    buffer_put_byte(out, '{');
    json_put_text_member(out, TEXT("object"), TEXT("reload"));
    json_put_text_member(out, TEXT("status"), TEXT("ok"));
    json_put_text_member(out, TEXT("file"), text_of(path));
    put_names(out, "changed", &changed);
    if (files)
        put_text(out, TEXT("prices"));
    buffer_put_byte(out, ']');
    put_names(out, "not_applied", &fixed);
    buffer_put_byte(out, ']');
    put_warnings(out, path, findings);
    buffer_put_byte(out, ']');
    json_put_text_member(out, TEXT("price_version"), catalog_version(handover->terms->catalog));
    buffer_put(out, TEXT("}\n"));
    arena_close(&arena);
}

/* ---- handing over ---- */

static void put_in_force(struct estate *estate, struct terms *fresh)
{
    const struct config *config = draft_config(fresh);
    const struct core_options budgets = estate_budgets(estate, config);
    log_setup(config->log_level, config->log_format);
    gate_redefine(estate->house.gate, &budgets);
    ledger_reprice(estate->house.ledger, catalog_version(fresh->catalog));
    cache_set_ttl(estate->house.cache, fresh->recall.ttl_us);
    terms_drop(estate->terms);
    estate->terms = terms_take(fresh);
}

/* ---- what was made at run time ---- */

static void say_why(const struct estate *estate, const struct findings *findings)
{
    struct buffer told = {0};
    findings_print_errors(findings, estate->config->path, &told);
    for (struct text rest = text_trim(buffer_text(&told)); rest.size > 0;) {
        struct text line = text_split(&rest, '\n');
        log_error("%.*s", TEXT_ARG(line));
    }
    buffer_close(&told);
}

static void say_misfits(struct estate *estate, struct text names, const struct findings *findings)
{
    if (text_equal(names, buffer_text(&estate->misfits)))
        return;
    if (names.size > 0)
        log_error("made at run time, and not in force here, because it does not fit to this "
                  "instance's file: %.*s",
                  TEXT_ARG(names));
    else
        log_info("all keys and budgets made at run time are in force here");
    if (names.size > 0 && findings != NULL)
        say_why(estate, findings);
    buffer_clear(&estate->misfits);
    buffer_put(&estate->misfits, names);
}

void reload_enact(struct estate *estate, const struct bylaws *held, const struct findings *findings)
{
    struct buffer names = {0};
    council_enact(estate->council, held);
    atomic_store(&estate->house.misfits, council_misfits(estate->council, &names));
    say_misfits(estate, buffer_text(&names), findings);
    buffer_close(&names);
}

static struct handover *begin(struct terms *fresh, size_t workers, struct ringer *ringers)
{
    struct handover *handover = memory_new(sizeof *handover);
    handover->terms = fresh;
    handover->ringers = ringers;
    atomic_init(&handover->to_adopt, workers);
    return handover;
}

struct handover *reload_begin(struct estate *estate, const char *path, size_t workers,
                              struct ringer *ringers)
{
    struct findings findings = {0};
    struct held held = {0};
    struct handover *handover = NULL;
    struct terms *fresh = load(estate, path, &held, &findings);
    if (fresh != NULL) {
        handover = begin(fresh, workers, ringers);
        describe(handover, estate, path, &findings);
        put_in_force(estate, fresh);
        reload_enact(estate, held.bylaws, &held.why);
    } else {
        refuse_all(path, &findings, ringers);
    }
    held_close(&held);
    findings_close(&findings);
    return handover;
}

struct handover *reload_amended(struct estate *estate, struct terms *fresh, size_t workers,
                                struct ringer *ringers, struct text answer)
{
    struct arena arena = {0};
    struct handover *handover = begin(fresh, workers, ringers);
    struct config_texts changed =
        config_changed(draft_config(estate->terms), draft_config(fresh), &arena);
    buffer_put(&handover->answer, answer);
    tell(&handover->told, &changed, false);
    put_in_force(estate, fresh);
    arena_close(&arena);
    return handover;
}

struct letter *reload_letter(struct handover *handover)
{
    struct letter *letter = letter_new(0, RELOAD_LETTER);
    letter->body = handover;
    return letter;
}

/* A cache that was switched off gives its memory back once nobody stores into it any more. */
static void end(struct handover *handover, struct cache *cache)
{
    if (!handover->terms->recall.on)
        cache_clear(cache);
    log_info("reload: the configuration is in force: %s", buffer_string(&handover->told));
    bell_answer(handover->ringers, BELL_DONE, buffer_text(&handover->answer));
    buffer_close(&handover->answer);
    buffer_close(&handover->told);
    terms_drop(handover->terms);
    free(handover);
}

void reload_adopt(struct worker *worker, struct letter *letter)
{
    struct handover *handover = letter->body;
    worker_adopt(worker, terms_take(handover->terms));
    if (atomic_fetch_sub(&handover->to_adopt, 1) == 1)
        end(handover, worker->house->cache);
    letter->body = NULL;
    letter_free(letter);
}
