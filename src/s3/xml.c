/* xml - see xml.h.  A pull reader without a tree: the answers are flat, and a page of a listing may
 * have some megabytes. */
#include "s3/xml.h"

#include <assert.h>
#include <string.h>

static enum xml_event
bad(struct xml *xml, const char *why)
{
    if (xml->why == NULL)
        xml->why = why;
    return XML_BAD;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
blanks_skip(struct xml *xml)
{
    while (xml->at < xml->end && is_blank(*xml->at))
        xml->at++;
}

/* Take a piece of markup if it stands here. */
static bool
take(struct xml *xml, const char *markup)
{
    size_t size = strlen(markup);

    if ((size_t) (xml->end - xml->at) < size || memcmp(xml->at, markup, size) != 0)
        return false;
    xml->at += size;
    return true;
}

/* The next place of a piece of markup, or NULL. */
static const char *
seek(const struct xml *xml, const char *markup)
{
    return memmem(xml->at, (size_t) (xml->end - xml->at), markup, strlen(markup));
}

/* A name ends at a blank or at markup; that it is one of XML's names is not our business. */
static size_t
name_take(struct xml *xml)
{
    const char *begin = xml->at;

    while (xml->at < xml->end && !is_blank(*xml->at) && *xml->at != '\0' &&
           strchr("<>/=\"'&", *xml->at) == NULL)
        xml->at++;
    return (size_t) (xml->at - begin);
}

/* ---- text ------------------------------------------------------------------------------------ */

static bool
text_take(struct xml *xml, const char *data, size_t size)
{
    if (!xml->leaf)
        return true;
    if (size > XML_TEXT_MAX - xml->text.size)
        return bad(xml, "a text is too long"), false;
    if (memchr(data, '\0', size) != NULL)
        return bad(xml, "a zero byte stands in a text"), false;
    text_add_bytes(&xml->text, data, size);
    return true;
}

static bool
point_take(struct xml *xml, unsigned point)
{
    char bytes[4];
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return bad(xml, "a number stands for no character"), false;
    for (size_t i = size - 1; i > 0; i--, point >>= 6)
        bytes[i] = (char) (0x80 | (point & 0x3f));
    bytes[0] = (char) (size == 1 ? point : point | (0xf00u >> size & 0xff));
    return text_take(xml, bytes, size);
}

/* The digits between "&#" and ";". */
static bool
number_take(struct xml *xml, const char *digits, size_t size)
{
    bool hex = size > 0 && *digits == 'x';
    unsigned point = 0;

    if (size <= hex)
        return bad(xml, "an entity has no digits"), false;
    for (size_t i = hex; i < size; i++) {
        unsigned digit;
        if (digits[i] >= '0' && digits[i] <= '9')
            digit = (unsigned) (digits[i] - '0');
        else if (hex && (digits[i] | 0x20) >= 'a' && (digits[i] | 0x20) <= 'f')
            digit = (unsigned) ((digits[i] | 0x20) - 'a') + 10;
        else
            return bad(xml, "an entity has no digits"), false;
        point = point * (hex ? 16 : 10) + digit;
        if (point > 0x10ffff)
            break;
    }
    return point_take(xml, point);
}

static bool
entity_take(struct xml *xml)
{
    static const struct {
        const char *name, *meaning;
    } entities[] = {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}};
    enum { ENTITY_MAX = 16 };
    size_t left = (size_t) (xml->end - xml->at) - 1;
    const char *name = xml->at + 1;
    const char *semicolon = memchr(name, ';', left < ENTITY_MAX ? left : ENTITY_MAX);

    if (semicolon == NULL)
        return bad(xml, "an entity has no end"), false;
    size_t size = (size_t) (semicolon - name);
    if (size > 0 && *name == '#') {
        if (!number_take(xml, name + 1, size - 1))
            return false;
        xml->at = semicolon + 1;
        return true;
    }
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (size == strlen(entities[i].name) && memcmp(name, entities[i].name, size) == 0) {
            xml->at = semicolon + 1;
            return text_take(xml, entities[i].meaning, 1);
        }
    return bad(xml, "an entity is unknown"), false;
}

/* All text up to the next '<' or the end, which is looked for but once: a page full of entities has
 * millions of them. */
static bool
content_take(struct xml *xml)
{
    const char *stop = memchr(xml->at, '<', (size_t) (xml->end - xml->at));

    if (stop == NULL)
        stop = xml->end;
    while (xml->at < stop) {
        size_t size = (size_t) (stop - xml->at);
        const char *entity = memchr(xml->at, '&', size);
        if (entity != NULL)
            size = (size_t) (entity - xml->at);
        if (!text_take(xml, xml->at, size))
            return false;
        xml->at += size;
        if (entity != NULL && !entity_take(xml))
            return false;
    }
    return true;
}

/* ---- markup ---------------------------------------------------------------------------------- */

/* Pass over what lies before `closing`, which must be there. */
static bool
pass(struct xml *xml, const char *closing, const char *why)
{
    const char *end = seek(xml, closing);

    if (end == NULL)
        return bad(xml, why), false;
    xml->at = end + strlen(closing);
    return true;
}

static bool
attributes_pass(struct xml *xml)
{
    for (;;) {
        bool parted = xml->at < xml->end && is_blank(*xml->at);
        blanks_skip(xml);
        if (xml->at == xml->end)
            return bad(xml, "a tag is cut short"), false;
        if (*xml->at == '>' || *xml->at == '/')
            return true;
        if (!parted || name_take(xml) == 0)
            return bad(xml, "a tag is not as it should be"), false;
        blanks_skip(xml);
        if (!take(xml, "="))
            return bad(xml, "an attribute has no value"), false;
        blanks_skip(xml);
        const char *quote = take(xml, "\"") ? "\"" : "'";
        if (*quote == '\'' && !take(xml, "'"))
            return bad(xml, "an attribute has no value"), false;
        if (!pass(xml, quote, "an attribute has no end"))
            return false;
    }
}

static enum xml_event
element_begin(struct xml *xml)
{
    const char *name = xml->at;
    size_t name_size = name_take(xml);
    size_t parent = xml->depth == 0 ? 0 : xml->open[xml->depth - 1].path_size;

    const char *colon = memrchr(name, ':', name_size);
    const char *local = colon == NULL ? name : colon + 1;
    size_t local_size = name_size - (size_t) (local - name);

    if (xml->finished)
        return bad(xml, "something stands behind its end");
    if (local_size == 0)
        return bad(xml, "a tag has no name");
    if (xml->depth == XML_DEPTH_MAX)
        return bad(xml, "its elements are nested too deep");
    size_t slash = parent > 0;
    if (parent + slash + local_size >= sizeof xml->path)
        return bad(xml, "its names are too long");
    xml->path[parent] = '/';
    memcpy(xml->path + parent + slash, local, local_size);
    xml->path[parent + slash + local_size] = '\0';

    if (!attributes_pass(xml))
        return XML_BAD;
    bool empty = take(xml, "/");
    if (!take(xml, ">"))
        return bad(xml, "a tag is not as it should be");
    xml->empty = empty;
    xml->open[xml->depth].name = name;
    xml->open[xml->depth].name_size = name_size;
    xml->open[xml->depth].path_size = parent + slash + local_size;
    xml->depth++;
    xml->leaf = true;
    text_clear(&xml->text);
    return XML_BEGIN;
}

/* The innermost element is over; it leaves the path with the next event. */
static enum xml_event
element_leave(struct xml *xml)
{
    assert(xml->depth > 0);

    if (!xml->leaf)
        text_clear(&xml->text);
    xml->leave = true;
    return XML_END;
}

static enum xml_event
element_end(struct xml *xml)
{
    const char *name = xml->at;
    size_t size = name_take(xml);

    if (xml->depth == 0 || size != xml->open[xml->depth - 1].name_size ||
        memcmp(name, xml->open[xml->depth - 1].name, size) != 0)
        return bad(xml, "a tag ends what has not begun");
    blanks_skip(xml);
    if (!take(xml, ">"))
        return bad(xml, "a tag is not as it should be");
    return element_leave(xml);
}

static void
path_leave(struct xml *xml)
{
    xml->depth--;
    xml->path[xml->depth == 0 ? 0 : xml->open[xml->depth - 1].path_size] = '\0';
    xml->finished = xml->depth == 0;
    xml->leaf = false;
    xml->leave = false;
}

static bool
literal_take(struct xml *xml)
{
    const char *begin = xml->at;

    if (xml->depth == 0)
        return bad(xml, "text stands outside of its elements"), false;
    return pass(xml, "]]>", "a piece of text has no end") &&
           text_take(xml, begin, (size_t) (xml->at - begin) - 3);
}

/* Between elements there may only be blanks. */
static bool
outside_take(struct xml *xml)
{
    blanks_skip(xml);
    if (xml->at < xml->end && *xml->at != '<')
        return bad(xml, "text stands outside of its elements"), false;
    return true;
}

void
xml_init(struct xml *xml, const void *data, size_t size)
{
    *xml = (struct xml){.start = data, .at = data};
    xml->end = xml->start == NULL ? NULL : xml->start + size;
}

enum xml_event
xml_next(struct xml *xml)
{
    if (xml->leave)
        path_leave(xml);
    if (xml->empty) {
        xml->empty = false;
        return element_leave(xml);
    }
    while (xml->why == NULL) {
        if (!(xml->depth == 0 ? outside_take(xml) : content_take(xml)))
            break;
        if (xml->at == xml->end)
            return xml->finished ? XML_DONE : bad(xml, "it ends too early");
        if (take(xml, "<?"))
            pass(xml, "?>", "a declaration has no end");
        else if (take(xml, "<!--"))
            pass(xml, "-->", "a comment has no end");
        else if (take(xml, "<![CDATA["))
            literal_take(xml);
        else if (take(xml, "<!"))
            bad(xml, "it declares a document type");
        else if (take(xml, "</"))
            return element_end(xml);
        else if (take(xml, "<"))
            return element_begin(xml);
    }
    return XML_BAD;
}

bool
xml_is(const struct xml *xml, const char *path)
{
    return strcmp(xml->path, path) == 0;
}

bool
xml_refuse(const struct xml *xml, enum err err, const char *what, struct fault *fault)
{
    assert(xml->why != NULL);
    return fault_set(fault, err, "%s is no valid xml: %s at byte %zu", what, xml->why,
                     (size_t) (xml->at - xml->start));
}

void
xml_free(struct xml *xml)
{
    text_free(&xml->text);
}

bool
xml_find(const void *data, size_t size, const char *path, struct text *value)
{
    struct xml xml;
    struct text found = {0};
    enum xml_event event;
    bool seen = false;

    xml_init(&xml, data, size);
    while ((event = xml_next(&xml)) == XML_BEGIN || event == XML_END)
        if (event == XML_END && !seen && xml_is(&xml, path)) {
            seen = true;
            text_add_bytes(&found, text_of(&xml.text), xml.text.size);
        }
    seen = seen && event == XML_DONE;
    if (seen && value != NULL)
        text_add_bytes(value, text_of(&found), found.size);
    text_free(&found);
    xml_free(&xml);
    return seen;
}
