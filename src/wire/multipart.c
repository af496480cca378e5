/* Bodies of multipart/form-data; see wire/multipart.h. */
#include "wire/multipart.h"

#define BOUNDARY_MOST 70 /* RFC 2046, 5.1.1 */

/* ---- parameters of header lines ---- */

/* The value of the parameter, its quotes taken off. False if it is not there, stands twice or has
 * an escape. */
static bool find_parameter(struct text rest, struct text name, struct text *value)
{
    size_t found = 0;
    while (rest.at != NULL) {
        struct text parameter = text_split(&rest, ';');
        struct text key = text_trim(text_split(&parameter, '='));
        if (!text_equal_nocase(key, name))
            continue;
        *value = text_trim(parameter);
        found++;
    }
    if (found != 1 || value->size == 0 || text_find(*value, TEXT("\\"), 0) != SIZE_MAX)
        return false;
    if (value->at[0] != '"')
        return true;
    bool closed = value->size >= 2 && value->at[value->size - 1] == '"';
    *value = closed ? text_slice(*value, 1, value->size - 1) : TEXT_NONE;
    return closed && text_find(*value, TEXT("\""), 0) == SIZE_MAX;
}

struct text multipart_boundary(struct text content_type)
{
    struct text rest = content_type, boundary;
    if (!text_equal_nocase(text_trim(text_split(&rest, ';')), TEXT("multipart/form-data")) ||
        !find_parameter(rest, TEXT("boundary"), &boundary) || boundary.size == 0 ||
        boundary.size > BOUNDARY_MOST)
        return TEXT_NONE;
    return boundary;
}

/* ---- parts ---- */

struct multipart multipart_begin(struct text body, struct text boundary)
{
    return (struct multipart){.rest = body, .boundary = boundary};
}

/* Where the boundary's line begins: its "--", and the line end before it if there is one. */
static size_t find_boundary(const struct multipart *multipart, bool first, size_t from)
{
    struct text rest = multipart->rest;
    struct text mark = first ? TEXT("--") : TEXT("\r\n--");
    for (size_t at = from; (at = text_find(rest, multipart->boundary, at)) != SIZE_MAX; at++) {
        if (at >= mark.size && text_equal(text_slice(rest, at - mark.size, at), mark))
            return at - mark.size;
    }
    return SIZE_MAX;
}

/* Content-Disposition: form-data; name="file"; filename="x.jsonl" */
static bool read_disposition(struct text value, struct multipart_part *part)
{
    struct text rest = value;
    if (part->name.at != NULL ||
        !text_equal_nocase(text_trim(text_split(&rest, ';')), TEXT("form-data")) ||
        text_find(rest, TEXT("*="), 0) != SIZE_MAX ||
        !find_parameter(rest, TEXT("name"), &part->name))
        return false;
    bool has_file = find_parameter(rest, TEXT("filename"), &part->filename);
    if (!has_file)
        part->filename = TEXT_NONE;
    return true;
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

/* What stands between two boundaries. */
static bool read_part(struct text bytes, struct multipart_part *part)
{
    size_t blank = text_find(bytes, TEXT("\r\n\r\n"), 0);
    *part = (struct multipart_part){0};
    if (blank == SIZE_MAX || !read_head(text_slice(bytes, 0, blank), part))
        return false;
    part->content = text_from(bytes, blank + 4);
    return true;
}

enum multipart_result multipart_next(struct multipart *multipart, struct multipart_part *part)
{
    if (!multipart->begun) {
        if (find_boundary(multipart, true, 0) != 0)
            return MULTIPART_BROKEN;
        multipart->rest = text_from(multipart->rest, 2 + multipart->boundary.size);
        multipart->begun = true;
    }
    struct text rest = multipart->rest;
    if (text_starts(rest, TEXT("--"))) {
        struct text end = text_from(rest, 2);
        bool clean = end.size == 0 || text_equal(end, TEXT("\r\n"));
        return clean ? MULTIPART_END : MULTIPART_BROKEN;
    }
    size_t next = find_boundary(multipart, false, 0);
    if (!text_starts(rest, TEXT("\r\n")) || next == SIZE_MAX || next < 2 ||
        !read_part(text_slice(rest, 2, next), part))
        return MULTIPART_BROKEN;
    multipart->rest = text_from(rest, next + 4 + multipart->boundary.size);
    return MULTIPART_PART;
}
