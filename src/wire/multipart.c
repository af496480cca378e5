/* Bodies of multipart/form-data; see wire/multipart.h. */
#include "wire/multipart.h"

/* ---- parameters of header lines ---- */

/* Takes the next `name=value` or `name="value"` off. False: it is neither, or has an escape. */
static bool take_parameter(struct text *rest, struct text *name, struct text *value)
{
    *name = text_trim(text_split(rest, '='));
    *rest = text_trim(*rest);
    if (!text_starts(*rest, TEXT("\""))) {
        *value = text_trim(text_split(rest, ';'));
        return value->size > 0 && text_find(*value, TEXT("\""), 0) == SIZE_MAX;
    }
    size_t end = text_find(*rest, TEXT("\""), 1);
    if (end == SIZE_MAX)
        return false;
    *value = text_slice(*rest, 1, end);
    *rest = text_trim(text_from(*rest, end + 1));
    if (rest->size == 0)
        *rest = TEXT_NONE;
    else if (text_split(rest, ';').size > 0)
        return false;
    return text_find(*value, TEXT("\\"), 0) == SIZE_MAX;
}

/* The value of the parameter, its quotes taken off; TEXT_NONE if it is not there. False if it
 * stands twice, or any of them cannot be read. */
static bool find_parameter(struct text rest, struct text wanted, struct text *value)
{
    struct text name, content;
    *value = TEXT_NONE;
    while (text_trim(rest).size > 0) {
        if (!take_parameter(&rest, &name, &content))
            return false;
        if (!text_equal_nocase(name, wanted))
            continue;
        if (value->at != NULL)
            return false;
        *value = content;
    }
    return true;
}

struct text multipart_boundary(struct text content_type)
{
    struct text rest = content_type, boundary;
    if (!text_equal_nocase(text_trim(text_split(&rest, ';')), TEXT("multipart/form-data")) ||
        !find_parameter(rest, TEXT("boundary"), &boundary) || boundary.size == 0 ||
        boundary.size > MULTIPART_MOST_BOUNDARY)
        return TEXT_NONE;
    return boundary;
}

/* ---- parts ---- */

struct multipart multipart_begin(struct text body, struct text boundary)
{
    struct multipart multipart = {.rest = body, .mark_size = 4 + boundary.size};
    ASSERT(boundary.size <= MULTIPART_MOST_BOUNDARY);
    memcpy(multipart.mark, "\r\n--", 4);
    if (boundary.size > 0)
        memcpy(multipart.mark + 4, boundary.at, boundary.size);
    return multipart;
}

static struct text mark_of(const struct multipart *multipart)
{
    return text_make(multipart->mark, multipart->mark_size);
}

/* Content-Disposition: form-data; name="file"; filename="x.jsonl" */
static bool read_disposition(struct text value, struct multipart_part *part)
{
    struct text rest = value;
    if (part->name.at != NULL ||
        !text_equal_nocase(text_trim(text_split(&rest, ';')), TEXT("form-data")) ||
        text_find(rest, TEXT("*="), 0) != SIZE_MAX ||
        !find_parameter(rest, TEXT("name"), &part->name) || part->name.size == 0)
        return false;
    return find_parameter(rest, TEXT("filename"), &part->filename);
}

static bool read_line(struct text line, struct multipart_part *part)
{
    struct text value = line;
    struct text name = text_split(&value, ':');
    if (value.at == NULL || line.at[0] == ' ' || line.at[0] == '\t')
        return false;
    value = text_trim(value);
    if (text_equal_nocase(name, TEXT("Content-Disposition")))
        return read_disposition(value, part);
    if (text_equal_nocase(name, TEXT("Content-Type"))) {
        bool again = part->type.at != NULL;
        part->type = value;
        return !again;
    }
    if (text_equal_nocase(name, TEXT("Content-Transfer-Encoding")))
        return text_equal_nocase(value, TEXT("binary")) || text_equal_nocase(value, TEXT("8bit")) ||
               text_equal_nocase(value, TEXT("7bit"));
    return !text_equal_nocase(name, TEXT("Content-Encoding"));
}

static bool read_head(struct text head, struct multipart_part *part)
{
    while (head.size > 0) {
        size_t end = text_find(head, TEXT("\r\n"), 0);
        struct text line = end == SIZE_MAX ? head : text_slice(head, 0, end);
        head = end == SIZE_MAX ? TEXT_NONE : text_from(head, end + 2);
        if (line.size == 0 || text_find(line, TEXT("\n"), 0) != SIZE_MAX || !read_line(line, part))
            return false;
    }
    return part->name.at != NULL;
}

/* Lenient readers take a bare CR or LF before a boundary, too, or none where a part begins. (Both
 * together do not stand in a part: there it ends.) */
static bool has_false_boundary(const struct multipart *multipart, struct text content)
{
    char with_cr[sizeof multipart->mark];
    struct text with_lf = text_from(mark_of(multipart), 1);
    memcpy(with_cr, with_lf.at, with_lf.size);
    with_cr[0] = '\r';
    return text_starts(content, text_from(with_lf, 1)) ||
           text_find(content, with_lf, 0) != SIZE_MAX ||
           text_find(content, text_make(with_cr, with_lf.size), 0) != SIZE_MAX;
}

/* What stands between two boundaries. */
static bool read_part(const struct multipart *multipart, struct text bytes,
                      struct multipart_part *part)
{
    size_t blank = text_find(bytes, TEXT("\r\n\r\n"), 0);
    *part = (struct multipart_part){0};
    if (blank == SIZE_MAX || !read_head(text_slice(bytes, 0, blank), part))
        return false;
    part->content = text_from(bytes, blank + 4);
    return !has_false_boundary(multipart, part->content);
}

enum multipart_result multipart_next(struct multipart *multipart, struct multipart_part *part)
{
    struct text mark = mark_of(multipart);
    if (!multipart->begun) {
        if (!text_starts(multipart->rest, text_from(mark, 2)))
            return MULTIPART_BROKEN;
        multipart->rest = text_from(multipart->rest, mark.size - 2);
        multipart->begun = true;
    }
    struct text rest = multipart->rest;
    if (text_starts(rest, TEXT("--"))) {
        struct text end = text_from(rest, 2);
        bool clean = end.size == 0 || text_equal(end, TEXT("\r\n"));
        return clean ? MULTIPART_END : MULTIPART_BROKEN;
    }
    size_t next = text_find(rest, mark, 0);
    if (!text_starts(rest, TEXT("\r\n")) || next == SIZE_MAX || next < 2 ||
        !read_part(multipart, text_slice(rest, 2, next), part) ||
        ++multipart->parts > MULTIPART_MOST_PARTS)
        return MULTIPART_BROKEN;
    multipart->rest = text_from(rest, next + mark.size);
    return MULTIPART_PART;
}
