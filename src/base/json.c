/* json - see json.h. */
#include "base/json.h"

#include <assert.h>
#include <string.h>

#include "base/tame.h"

struct reader {
    struct arena *arena;
    const char *start, *at, *end;
    char *strings; /* where the next string goes; see json_parse() */
    const char *what;
    struct fault *fault;
};

static bool
refuse(const struct reader *reader, const char *why)
{
    return fault_set(reader->fault, ERR_INTEGRITY, "%s is no valid json: %s at byte %zu",
                     reader->what, why, (size_t) (reader->at - reader->start));
}

static void
blanks_skip(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
                                        *reader->at == '\n' || *reader->at == '\r'))
        reader->at++;
}

/* Skip blanks and take one character if it is the wanted one. */
static bool
take(struct reader *reader, char wanted)
{
    blanks_skip(reader);
    if (reader->at == reader->end || *reader->at != wanted)
        return false;
    reader->at++;
    return true;
}

static bool
hex_read(struct reader *reader, unsigned *value)
{
    *value = 0;
    if (reader->end - reader->at < 4)
        return refuse(reader, "an escape is cut short");
    for (int i = 0; i < 4; i++) {
        char c = *reader->at++;
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned) (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (unsigned) ((c | 0x20) - 'a') + 10;
        else
            return refuse(reader, "an escape has no four hexadecimal digits");
        *value = *value * 16 + digit;
    }
    return true;
}

static char *
utf8_add(char *out, unsigned point)
{
    assert(point <= 0x10ffff);

    if (point < 0x80) {
        *out++ = (char) point;
    } else if (point < 0x800) {
        *out++ = (char) (0xc0 | point >> 6);
        *out++ = (char) (0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *out++ = (char) (0xe0 | point >> 12);
        *out++ = (char) (0x80 | (point >> 6 & 0x3f));
        *out++ = (char) (0x80 | (point & 0x3f));
    } else {
        *out++ = (char) (0xf0 | point >> 18);
        *out++ = (char) (0x80 | (point >> 12 & 0x3f));
        *out++ = (char) (0x80 | (point >> 6 & 0x3f));
        *out++ = (char) (0x80 | (point & 0x3f));
    }
    return out;
}

/* What stands behind \u: a point, a pair of surrogates, or a lone one that means a byte. */
static bool
unicode_read(struct reader *reader, char **out)
{
    unsigned point, low;

    if (!hex_read(reader, &point))
        return false;
    if (point >= 0xdc80 && point <= 0xdcff) {
        *(*out)++ = (char) (point - 0xdc00);
        return true;
    }
    if (point >= 0xd800 && point <= 0xdfff) {
        bool pair = point < 0xdc00 && reader->end - reader->at >= 2 && reader->at[0] == '\\' &&
                    reader->at[1] == 'u';
        if (!pair)
            return refuse(reader, "a surrogate stands alone");
        reader->at += 2;
        if (!hex_read(reader, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return refuse(reader, "a surrogate stands alone");
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    *out = utf8_add(*out, point);
    return true;
}

static bool
escape_read(struct reader *reader, char **out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";

    reader->at++;
    if (reader->at == reader->end)
        return refuse(reader, "an escape is cut short");
    char letter = *reader->at++;
    if (letter == 'u')
        return unicode_read(reader, out);
    const char *found = memchr(letters, letter, sizeof letters - 1);
    if (found == NULL)
        return refuse(reader, "an unknown escape stands");
    *(*out)++ = meanings[found - letters];
    return true;
}

/* A string from its opening quote on. */
static bool
string_read(struct reader *reader, const char **text, uint32_t *size)
{
    char *out = reader->strings;

    reader->at++;
    for (;;) {
        if (reader->at == reader->end)
            return refuse(reader, "a string does not end");
        unsigned char c = (unsigned char) *reader->at;
        if (c == '"')
            break;
        if (c < 0x20)
            return refuse(reader, "a control character stands in a string");
        if (c == '\\') {
            if (!escape_read(reader, &out))
                return false;
            continue;
        }
        unsigned point;
        size_t bytes = utf8_read(reader->at, reader->end, &point);
        if (bytes == 0)
            return refuse(reader, "a byte stands that is no utf-8");
        memcpy(out, reader->at, bytes);
        out += bytes;
        reader->at += bytes;
    }
    reader->at++;

    *text = reader->strings;
    *size = (uint32_t) (out - reader->strings);
    *out = '\0';
    reader->strings = out + 1;
    return true;
}

static bool
digits_skip(struct reader *reader)
{
    const char *begin = reader->at;

    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return reader->at > begin || refuse(reader, "a digit is missing");
}

static bool
next_is(const struct reader *reader, char a, char b)
{
    return reader->at < reader->end && (*reader->at == a || *reader->at == b);
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static bool
number_read(struct reader *reader, struct json *value)
{
    const char *begin = reader->at;

    if (*reader->at == '-')
        reader->at++;
    if (next_is(reader, '0', '0'))
        reader->at++;
    else if (!digits_skip(reader))
        return false;
    if (next_is(reader, '.', '.')) {
        reader->at++;
        if (!digits_skip(reader))
            return false;
    }
    if (next_is(reader, 'e', 'E')) {
        reader->at++;
        if (next_is(reader, '+', '-'))
            reader->at++;
        if (!digits_skip(reader))
            return false;
    }

    value->type = JSON_NUMBER;
    value->size = (uint32_t) (reader->at - begin);
    value->text = memcpy(reader->strings, begin, value->size);
    reader->strings[value->size] = '\0';
    reader->strings += value->size + 1;
    return true;
}

static bool
word_read(struct reader *reader, struct json *value)
{
    static const char *const words[] = {
        [JSON_NULL] = "null", [JSON_FALSE] = "false", [JSON_TRUE] = "true"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t size = strlen(words[i]);
        if ((size_t) (reader->end - reader->at) < size || memcmp(reader->at, words[i], size) != 0)
            continue;
        reader->at += size;
        value->type = (enum json_type) i;
        return true;
    }
    return refuse(reader, "no value stands");
}

/* A value; of an array or object only the opening bracket. */
static bool
value_read(struct reader *reader, struct json *value)
{
    blanks_skip(reader);
    if (reader->at == reader->end)
        return refuse(reader, "a value is missing");

    char c = *reader->at;
    if (c == '{' || c == '[') {
        value->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        reader->at++;
        return true;
    }
    if (c == '"') {
        value->type = JSON_STRING;
        return string_read(reader, &value->text, &value->size);
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return number_read(reader, value);
    return word_read(reader, value);
}

static bool
name_read(struct reader *reader, const struct json *object, struct json *value)
{
    uint32_t size;

    blanks_skip(reader);
    if (!next_is(reader, '"', '"'))
        return refuse(reader, "the name of a member is missing");
    if (!string_read(reader, &value->name, &size))
        return false;
    if (memchr(value->name, '\0', size) != NULL)
        return refuse(reader, "the name of a member with a zero byte ends");
    if (json_get(object, value->name) != NULL)
        return refuse(reader, "an object has the same name twice");
    if (!take(reader, ':'))
        return refuse(reader, "a colon is missing");
    return true;
}

/* The next item of an open array or object; *item is NULL when it closes instead. */
static bool
item_read(struct reader *reader, struct json *container, struct json **item)
{
    bool object = container->type == JSON_OBJECT;

    *item = NULL;
    if (take(reader, object ? '}' : ']'))
        return true;
    if (container->size > 0 && !take(reader, ','))
        return refuse(reader, "a comma or closing bracket is missing");

    if (object && container->size == JSON_MEMBERS_MAX)
        return refuse(reader, "an object has more than 100 members");
    struct json *value = arena_take(reader->arena, sizeof *value);
    if (object && !name_read(reader, container, value))
        return false;
    if (!value_read(reader, value))
        return false;
    container->size++;
    *item = value;
    return true;
}

/* All that stands in an array or object.  The stack of open ones is ours and not the machine's, so
 * that the depth of a document from outside is no depth of calls. */
static bool
items_read(struct reader *reader, struct json *root)
{
    struct {
        struct json *container, **tail;
    } open[JSON_DEPTH_MAX];
    size_t depth = 1;

    open[0].container = root;
    open[0].tail = &root->first;
    while (depth > 0) {
        struct json *item;
        if (!item_read(reader, open[depth - 1].container, &item))
            return false;
        if (item == NULL) {
            depth--;
            continue;
        }
        *open[depth - 1].tail = item;
        open[depth - 1].tail = &item->next;
        if (item->type != JSON_ARRAY && item->type != JSON_OBJECT)
            continue;
        if (depth == JSON_DEPTH_MAX)
            return refuse(reader, "it nests deeper than 32 levels");
        open[depth].container = item;
        open[depth].tail = &item->first;
        depth++;
    }
    return true;
}

/* A value stands behind each opening bracket and each comma, and one at the beginning.  Strings
 * hold both, too; they are passed over. */
uint64_t
json_memory(const char *data, size_t size)
{
    uint64_t values = 1;
    bool inside = false;

    for (size_t i = 0; i < size; i++) {
        if (inside && data[i] == '\\')
            i++;
        else if (data[i] == '"')
            inside = !inside;
        else if (!inside)
            values += data[i] == ',' || data[i] == '[' || data[i] == '{';
    }
    return size + 1 + values * sizeof(struct json);
}

const struct json *
json_parse(struct arena *arena, const char *data, size_t size, const char *what,
           struct fault *fault)
{
    /* Unescaped strings are never longer than escaped ones, a string's quotes make room for its
     * zero, and behind a number stands a delimiter or the end: size + 1 bytes hold all of them. */
    struct reader reader = {
        .arena = arena,
        .start = data,
        .at = data,
        .end = data + size,
        .strings = arena_take(arena, size + 1),
        .what = what,
        .fault = fault,
    };
    const char *strings_end = reader.strings + size + 1;
    struct json *root = arena_take(arena, sizeof *root);

    _Static_assert(JSON_DEPTH_MAX == 32 && JSON_MEMBERS_MAX == 100, "their refusals name them");
    assert(size < UINT32_MAX);
    if (!value_read(&reader, root))
        return NULL;
    if ((root->type == JSON_ARRAY || root->type == JSON_OBJECT) && !items_read(&reader, root))
        return NULL;
    blanks_skip(&reader);
    if (reader.at != reader.end) {
        refuse(&reader, "something stands behind its end");
        return NULL;
    }
    assert(reader.strings <= strings_end);
    return root;
}

const struct json *
json_get(const struct json *object, const char *name)
{
    if (object == NULL || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *item = object->first; item != NULL; item = item->next)
        if (strcmp(item->name, name) == 0)
            return item;
    return NULL;
}

const char *
json_get_text(const struct json *object, const char *name, const char *fallback)
{
    const struct json *value = json_get(object, name);

    if (value == NULL || value->type != JSON_STRING || strlen(value->text) != value->size)
        return fallback;
    return value->text;
}

bool
json_get_number(const struct json *object, const char *name, uint64_t *value)
{
    const struct json *found = json_get(object, name);
    uint64_t number = 0;

    if (found == NULL || found->type != JSON_NUMBER)
        return false;
    for (const char *at = found->text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t) (*at - '0'), &number))
            return false;
    }
    *value = number;
    return true;
}

bool
json_get_bool(const struct json *object, const char *name, bool fallback)
{
    const struct json *value = json_get(object, name);

    if (value == NULL || (value->type != JSON_TRUE && value->type != JSON_FALSE))
        return fallback;
    return value->type == JSON_TRUE;
}

/* A document is also read as it stands, on a terminal: what commands one is escaped, although only
 * C0 must be. */
static void
add_point(struct text *text, const char *at, size_t size, unsigned point)
{
    static const char controls[] = "\b\f\n\r\t", letters[] = "bfnrt";
    const char *control = point == 0 || point >= 0x20 ? NULL : strchr(controls, (int) point);

    if (point == '"' || point == '\\')
        text_addf(text, "\\%c", (char) point);
    else if (control != NULL)
        text_addf(text, "\\%c", letters[control - controls]);
    else if (point_is_wild(point))
        text_addf(text, "\\u%04x", point);
    else
        text_add_bytes(text, at, size);
}

static void
add_string(struct text *text, const char *string, bool keep_bytes)
{
    const char *end = string + strlen(string);

    text_add(text, "\"");
    for (const char *at = string; at < end;) {
        unsigned point;
        size_t size = utf8_read(at, end, &point);
        if (size > 0)
            add_point(text, at, size, point);
        else if (keep_bytes)
            text_addf(text, "\\udc%02x", (unsigned char) *at);
        else
            text_add(text, "\\ufffd");
        at += size > 0 ? size : 1;
    }
    text_add(text, "\"");
}

void
json_add_string(struct text *text, const char *string)
{
    add_string(text, string, false);
}

void
json_add_document(struct text *text, const char *data, size_t size)
{
    const char *end = data + size;

    for (const char *at = data; at < end;) {
        unsigned point;
        size_t taken = utf8_read(at, end, &point);
        if (taken > 0 && point_is_wild(point) && strchr("\t\n\r", (int) point) == NULL)
            text_addf(text, "\\u%04x", point);
        else
            text_add_bytes(text, at, taken == 0 ? 1 : taken);
        at += taken == 0 ? 1 : taken;
    }
}

void
json_add_bytes(struct text *text, const char *string)
{
    add_string(text, string, true);
}
