/*
 * multipart/form-data; see form.h.
 */
#include "form.h"

#include <stdio.h>
#include <string.h>

#include "http.h"

/* The value of a parameter such as boundary=x or name="x". */
static struct text parameter(struct text line, const char *name)
{
    struct text value = {"", 0};
    const char *at = memmem(line.at, line.size, name, strlen(name));
    if (at == NULL)
        return value;
    value = text_after(line, (size_t)(at - line.at) + strlen(name));
    if (value.size > 0 && value.at[0] == '"') {
        value = text_after(value, 1);
        return text_cut(&value, '"');
    }
    return text_trim(text_cut(&value, ';'));
}

bool form_begin(struct form *form, struct text content_type, struct text body)
{
    struct text boundary = parameter(content_type, "boundary=");
    if (!text_starts(content_type, TEXT("multipart/form-data")) || boundary.size == 0 ||
        boundary.size > 70)
        return false;
    snprintf(form->mark, sizeof form->mark, "\r\n--%.*s", (int)boundary.size, boundary.at);
    struct text first = text_after(text_of(form->mark), 2);
    form->rest = text_starts(body, first) ? text_after(body, first.size) : body;
    return form->rest.size < body.size;
}

bool form_next(struct form *form, struct form_part *part)
{
    size_t mark = strlen(form->mark);
    struct text rest = form->rest;
    const char *head = rest.size > 0 ? memmem(rest.at, rest.size, "\r\n\r\n", 4) : NULL;
    if (!text_starts(rest, TEXT("\r\n")) || head == NULL)
        return false; /* "--": the last one has been */
    struct text headers = {rest.at, (size_t)(head - rest.at)};
    rest = text_after(rest, headers.size + 4);
    const char *end = rest.size > 0 ? memmem(rest.at, rest.size, form->mark, mark) : NULL;
    if (end == NULL)
        return false;
    part->name = parameter(headers, " name=");
    part->file = parameter(headers, "filename=");
    part->value = (struct text){rest.at, (size_t)(end - rest.at)};
    form->rest = text_after(rest, part->value.size + mark);
    return true;
}
