/* The files that a request names by their ids: see struct body. */
#include "wire/body_reader.h"
#include "wire/skim.h"

struct search {
    struct skim skim;
    struct arena *arena;
    struct body *body;
};

/* Escapes are resolved only where there are some: nearly all names are what they look like. */
static bool is_named(struct search *search, struct text raw, struct text wanted)
{
    if (text_equal_nocase(raw, wanted))
        return true;
    if (text_find(raw, TEXT("\\"), 0) == SIZE_MAX)
        return false;
    struct text quoted = text_make(raw.at - 1, raw.size + 2);
    struct text name = json_string(search->arena, (struct json_value){JSON_STRING, quoted});
    return text_equal_nocase(name, wanted);
}

static void note(struct search *search, struct json_value id)
{
    struct body *body = search->body;
    if (body->files == NULL)
        body->files = arena_new(search->arena, BODY_MOST_FILES * sizeof *body->files);
    if (body->file_count < BODY_MOST_FILES)
        body->files[body->file_count] = json_string(search->arena, id);
    body->file_count++;
}

static void look(struct search *search);

static void look_into_ids(struct search *search)
{
    skim_enter(&search->skim);
    while (skim_element(&search->skim)) {
        if (skim_peek(&search->skim) == JSON_STRING)
            note(search, skim_value(&search->skim));
        else
            look(search);
    }
}

static void look_into_object(struct search *search)
{
    struct text name;
    skim_enter(&search->skim);
    while (skim_member(&search->skim, &name)) {
        enum json_kind kind = skim_peek(&search->skim);
        if (kind == JSON_STRING && is_named(search, name, TEXT("file_id")))
            note(search, skim_value(&search->skim));
        else if (kind == JSON_ARRAY && is_named(search, name, TEXT("file_ids")))
            look_into_ids(search);
        else
            look(search);
    }
}

/* As deep as json_parse lets it go. */
static void look(struct search *search)
{
    enum json_kind kind = skim_peek(&search->skim);
    if (kind == JSON_OBJECT) {
        look_into_object(search);
    } else if (kind == JSON_ARRAY) {
        skim_enter(&search->skim);
        while (skim_element(&search->skim))
            look(search);
    } else {
        (void)skim_value(&search->skim);
    }
}

/* Where there is nothing but text no file is named: then nobody has to look. */
void body_find_files(struct body *body, struct arena *arena)
{
    struct json_value whole = {JSON_OBJECT, text_trim(body->raw)};
    struct search search = {.skim = skim_begin(whole), .arena = arena, .body = body};
    bool media = endpoint_facts(body->endpoint)->media || body->endpoint == ENDPOINT_MODERATIONS;
    if (media || body->input_bound == BODY_UNBOUNDED || body->images > 0 ||
        body->unbounded_param.size > 0)
        look(&search);
}
