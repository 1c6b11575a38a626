/* pattern - see pattern.h.  A part may mix quoted and unquoted pieces, as psql's \d does: t"*"?. */
#include "pg/pattern.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* Bytes of the user's text that a sentence repeats. */
enum { EXCERPT_BYTES = 40 };

static const char public_text[] = "public";
static const bool public_glob[sizeof public_text];

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool
is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '*' || c == '?' || (unsigned char) c >= 0x80;
}

static bool
is_continuation(char c)
{
    return ((unsigned char) c & 0xC0) == 0x80;
}

/* How much of the text a sentence shows: the rest of its line, cut between characters. */
static int
excerpt_length(const char *at)
{
    size_t length = strcspn(at, "\r\n");

    if (length > EXCERPT_BYTES) {
        length = EXCERPT_BYTES;
        while (length > 0 && is_continuation(at[length]))
            length--;
    }
    return (int) length;
}

static bool
name_missing(const char *at, struct fault *fault)
{
    if (excerpt_length(at) == 0)
        return fault_set(fault, ERR_CONFIG, "a name is missing at the end");
    return fault_set(fault, ERR_CONFIG,
                     "a name is expected at: %.*s (names with other than letters, digits, _ and $ "
                     "stand in double quotes)",
                     excerpt_length(at), at);
}

/* The end of the part that begins here; NULL when a quote is not closed. */
static const char *
part_end(const char *at)
{
    while (*at == '"' || is_name_byte(*at)) {
        if (*at == '"')
            at = strchr(at + 1, '"');
        if (at == NULL)
            return NULL;
        at++;
    }
    return at;
}

/* Two quotes in a row inside quotes close and open them again, and stand for one. */
static struct pattern_part
part_make(struct arena *arena, const char *from, const char *end)
{
    char *text = arena_take(arena, (size_t) (end - from) + 1);
    bool *glob = arena_array(arena, (size_t) (end - from) + 1, sizeof *glob);
    struct pattern_part part = {.text = text, .glob = glob};
    bool quoted = false, closed = false; /* closed: the byte before ended a quoted piece */

    for (size_t size = 0; from < end; from++) {
        if (*from == '"') {
            bool again = closed;
            closed = quoted;
            quoted = !quoted;
            if (!again)
                continue;
        } else {
            closed = false;
        }
        bool fold = !quoted && *from >= 'A' && *from <= 'Z';
        glob[size] = !quoted && (*from == '*' || *from == '?');
        part.has_glob |= glob[size];
        text[size++] = fold ? (char) (*from - 'A' + 'a') : *from;
    }
    return part;
}

bool
pattern_part_read(struct arena *arena, const char **at, struct pattern_part *part,
                  struct fault *fault)
{
    const char *from = *at;
    while (is_blank(*from))
        from++;
    if (*from != '"' && !is_name_byte(*from))
        return name_missing(from, fault);

    const char *end = part_end(from);
    if (end == NULL)
        return fault_set(fault, ERR_CONFIG, "a double quote is not closed at: %.*s",
                         excerpt_length(from), from);
    struct pattern_part made = part_make(arena, from, end);
    if (made.text[0] == '\0')
        return fault_set(fault, ERR_CONFIG, "a quoted name is empty at: %.*s",
                         excerpt_length(from), from);
    while (is_blank(*end))
        end++;
    *at = end;
    *part = made;
    return true;
}

/* The usual walk with one place to come back to: behind the last '*', which then takes one more. */
bool
pattern_part_fits(const struct pattern_part *part, const char *name)
{
    const char *text = part->text, *retry_name = NULL;
    size_t at = 0, retry_at = 0;

    while (*name != '\0') {
        if (part->glob[at] && text[at] == '*') {
            retry_at = ++at;
            retry_name = name;
        } else if (part->glob[at] && text[at] == '?') {
            at++;
            do
                name++;
            while (is_continuation(*name));
        } else if (text[at] == *name) {
            at++;
            name++;
        } else if (retry_name != NULL) {
            do
                retry_name++;
            while (is_continuation(*retry_name));
            name = retry_name;
            at = retry_at;
        } else {
            return false;
        }
    }
    while (part->glob[at] && text[at] == '*')
        at++;
    return text[at] == '\0';
}

/* Read schema.table or table; *at moves to what ends it. */
static bool
pattern_read(struct arena *arena, const char **at, struct pattern *pattern, struct fault *fault)
{
    const char *begin = *at, *end = *at;

    pattern->schema = (struct pattern_part){.text = public_text, .glob = public_glob};
    if (!pattern_part_read(arena, &end, &pattern->name, fault))
        return false;
    if (*end == '.') {
        end++;
        pattern->schema = pattern->name;
        if (!pattern_part_read(arena, &end, &pattern->name, fault))
            return false;
    }
    if (*end == '.')
        return fault_set(fault, ERR_CONFIG,
                         "a pattern is schema.table, so the second dot is one too many: %.*s",
                         excerpt_length(begin), begin);
    if (strchr(",\n#", *end) == NULL)
        return fault_set(fault, ERR_CONFIG,
                         "a comma or a new line is expected at: %.*s (names with other than "
                         "letters, digits, _ and $ stand in double quotes)",
                         excerpt_length(end), end);
    *at = end;
    while (end > begin && is_blank(end[-1]))
        end--;
    pattern->written = arena_copy(arena, begin, (size_t) (end - begin));
    return true;
}

static void
patterns_add(struct arena *arena, struct patterns *patterns, size_t *capacity,
             const struct pattern *pattern)
{
    if (patterns->count == *capacity) {
        struct pattern *grown = arena_array(arena, *capacity * 2 + 4, sizeof *grown);
        if (patterns->count > 0)
            memcpy(grown, patterns->items, patterns->count * sizeof *grown);
        patterns->items = grown;
        *capacity = *capacity * 2 + 4;
    }
    patterns->items[patterns->count++] = *pattern;
}

static unsigned
line_of(const char *text, const char *at)
{
    unsigned line = 1;

    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

bool
patterns_read(struct arena *arena, const char *what, const char *text, struct patterns *patterns,
              struct fault *fault)
{
    struct text mistakes = {0};
    size_t capacity = 0;

    *patterns = (struct patterns){0};
    for (const char *at = text; at != NULL && *at != '\0';) {
        struct pattern pattern;
        struct fault mistake = {0};

        if (is_blank(*at) || *at == ',' || *at == '\n') {
            at++;
        } else if (*at == '#') {
            at += strcspn(at, "\n");
        } else if (pattern_read(arena, &at, &pattern, &mistake)) {
            patterns_add(arena, patterns, &capacity, &pattern);
        } else {
            text_addf(&mistakes, "%s%s line %u: %s", mistakes.size > 0 ? "\n" : "", what,
                      line_of(text, at), mistake.text);
            at += strcspn(at, ",\n");
        }
    }

    bool good = mistakes.size == 0;
    if (!good)
        fault_set_lines(fault, ERR_CONFIG, text_of(&mistakes));
    text_free(&mistakes);
    return good;
}

const struct pattern *
patterns_find(const struct patterns *patterns, const char *schema, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++) {
        const struct pattern *pattern = &patterns->items[i];
        if (pattern_part_fits(&pattern->schema, schema) && pattern_part_fits(&pattern->name, name))
            return pattern;
    }
    return NULL;
}
