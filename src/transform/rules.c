/* rules - read the lines of REPLICA_TRANSFORM.
 *
 *     rule        = [schema "."] table "." column blank transformer
 *     transformer = name [ "(" [ parameter { "," parameter } ] ")" ]
 *     parameter   = [ key "=" ] ( word | "'" text with '' for one quote "'" )
 *
 * A rule ends at a newline or ';', a '#' outside parentheses and quotes begins a comment.  A
 * mistake costs its own rule only; reading goes on behind it, so that all mistakes come out
 * together. */
#include <assert.h>
#include <string.h>

#include "base/nearest.h"
#include "base/tame.h"
#include "transform/rule.h"

enum {
    WRITTEN_BYTES_MAX = 100,                   /* of a rule that a sentence repeats */
    MISTAKES_BYTES_MAX = FAULT_TEXT_MAX - 64,  /* leaves room for "and n more" */
};

static const char variable[] = "REPLICA_TRANSFORM";

void
mistakes_add(struct mistakes *mistakes, unsigned line, const char *written, const char *what)
{
    struct text one = {0};

    text_addf(&one, "%s%s line %u (", mistakes->count > 0 ? "\n" : "", variable, line);
    text_add_tame(&one, written);
    text_add(&one, "): ");
    text_add_tame(&one, what);
    mistakes->count++;
    if (mistakes->left_off > 0 ||
        (mistakes->count > 1 && mistakes->text.size + one.size > MISTAKES_BYTES_MAX))
        mistakes->left_off++;
    else
        text_add_bytes(&mistakes->text, one.data, one.size);
    text_free(&one);
}

bool
mistakes_close(struct mistakes *mistakes, struct fault *fault)
{
    bool good = mistakes->count == 0;

    if (mistakes->left_off > 0)
        text_addf(&mistakes->text, "\nand %zu more mistakes", mistakes->left_off);
    if (!good)
        fault_set_lines(fault, ERR_CONFIG, text_of(&mistakes->text));
    text_free(&mistakes->text);
    return good;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool
is_end(char c)
{
    return c == '\0' || c == '\n' || c == ';' || c == '#';
}

static void
skip_blanks(const char **at)
{
    while (is_blank(**at))
        ++*at;
}

/* What a sentence shows of a rule: its first line, cut between characters. */
static const char *
written_of(struct arena *arena, const char *begin, const char *end)
{
    size_t size = (size_t) (end - begin), line = strcspn(begin, "\n");
    bool whole = size <= line && size <= WRITTEN_BYTES_MAX;

    if (size > line)
        size = line;
    if (size > WRITTEN_BYTES_MAX)
        for (size = WRITTEN_BYTES_MAX; size > 0 && ((unsigned char) begin[size] & 0xC0) == 0x80;)
            size--;
    while (size > 0 && is_blank(begin[size - 1]))
        size--;
    return arena_print(arena, "%.*s%s", (int) size, begin, whole ? "" : "...");
}

/* Where a rule with a mistake ends: at a separator outside quotes and parentheses.  A quote or
 * parenthesis that its line does not close is the mistake itself, and takes the rest of that
 * line. */
static const char *
rule_end(const char *at)
{
    char quote = '\0';
    bool inside = false;

    for (;; at++) {
        if (*at == '\0' || *at == '\n')
            return at;
        if (quote != '\0')
            quote = *at == quote ? '\0' : quote;
        else if (*at == '"' || *at == '\'')
            quote = *at;
        else if (*at == '(' || *at == ')')
            inside = *at == '(';
        else if (!inside && is_end(*at))
            return at;
    }
}

/* Read 'text', with *at at the opening quote. */
static bool
quoted_read(struct arena *arena, const char **at, const char **value, struct text *why)
{
    const char *from = *at + 1;
    const char *end = from;

    while ((end = strchr(end, '\'')) != NULL && end[1] == '\'')
        end += 2;
    if (end == NULL) {
        text_add(why, "a quote is not closed");
        return false;
    }
    char *copy = arena_take(arena, (size_t) (end - from) + 1);
    *value = copy;
    for (; from < end; from++) {
        *copy++ = *from;
        from += *from == '\'';
    }
    *at = end + 1;
    return true;
}

/* Read an unquoted word up to a comma or the closing parenthesis; pairs inside it are its own. */
static const char *
word_read(struct arena *arena, const char **at)
{
    const char *from = *at, *end = from;
    size_t depth = 0;

    for (; *end != '\0' && *end != '\n'; end++) {
        if (depth == 0 && (*end == ',' || *end == ')'))
            break;
        depth += *end == '(';
        depth -= *end == ')';
    }
    *at = end;
    while (end > from && is_blank(end[-1]))
        end--;
    return arena_copy(arena, from, (size_t) (end - from));
}

/* Read key= when there is one; a key is letters and hyphens. */
static const char *
key_read(struct arena *arena, const char **at)
{
    size_t size = strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    const char *end = *at + size;

    skip_blanks(&end);
    if (size == 0 || *end != '=')
        return NULL;
    const char *key = arena_copy(arena, *at, size);
    *at = end + 1;
    skip_blanks(at);
    return key;
}

static bool
parameter_read(struct arena *arena, const char **at, struct rule *rule, struct settings *settings,
               struct text *why)
{
    skip_blanks(at);
    const char *key = key_read(arena, at), *value;
    if (**at != '\'')
        value = word_read(arena, at);
    else if (!quoted_read(arena, at, &value, why))
        return false;
    skip_blanks(at);
    if (**at != ',' && **at != ')') {
        bool ended = **at == '\0' || **at == '\n';
        text_add(why, ended ? "a parenthesis is not closed"
                            : "a comma or ) is expected behind a quoted value");
        return false;
    }
    return settings_put(settings, rule->transformer, key, value, why);
}

static bool
parameters_read(struct arena *arena, const char **at, struct rule *rule, struct settings *settings,
                struct text *why)
{
    bool given = false;

    ++*at;
    skip_blanks(at);
    while (**at != ')' || given) {
        if (!parameter_read(arena, at, rule, settings, why))
            return false;
        given = true;
        if (**at == ')')
            break;
        ++*at;
    }
    ++*at;
    return true;
}

static bool
transformer_read(struct arena *arena, const char **at, struct rule *rule, struct text *why)
{
    size_t size = strcspn(*at, " \t\r\n;#(");
    const char *name = arena_copy(arena, *at, size);
    struct nearest nearest = {.wanted = name};

    if (size == 0) {
        text_add(why, "a transformer is missing behind the column");
        return false;
    }
    *at += size;
    rule->transformer = transformer_find(name);
    if (rule->transformer < TRANSFORMERS_COUNT)
        return true;

    size_t count;
    const struct transformer_info *list = transformers_list(&count);
    for (size_t i = 0; i < count; i++)
        nearest_offer(&nearest, list[i].name, list[i].name);
    text_addf(why, "there is no transformer %.*s", (int) (size > 40 ? 40 : size), name);
    if (nearest.best != NULL)
        text_addf(why, "; did you mean %s", (const char *) nearest.best);
    return false;
}

static bool
column_read(struct arena *arena, const char **at, struct rule *rule, struct text *why)
{
    static const char public_text[] = "public";
    static const bool public_glob[sizeof public_text];
    struct pattern_part parts[3];
    struct fault fault = {0};
    size_t count = 0;
    bool more;

    do {
        if (!pattern_part_read(arena, at, &parts[count++], &fault)) {
            text_add(why, fault.text);
            return false;
        }
        more = **at == '.';
        *at += more;
    } while (more && count < 3);
    if (more || count == 1) {
        text_addf(why, "a column is written schema.table.column, this has %s parts",
                  more ? "more" : "fewer");
        return false;
    }
    rule->schema = count == 3 ? parts[0]
                              : (struct pattern_part){.text = public_text, .glob = public_glob};
    rule->table = parts[count - 2];
    rule->column = parts[count - 1];
    if (is_blank((*at)[-1]) || is_end(**at))
        return true;
    text_add(why, "a blank is expected behind the column (names with other than letters, digits, _ "
                  "and $ stand in double quotes)");
    return false;
}

/* Read one rule; *at moves to its end, or with a mistake to where it was found. */
static bool
rule_read(struct arena *arena, const char **at, struct rule *rule, struct text *why)
{
    struct settings *settings = arena_take(arena, sizeof *settings);

    *settings = settings_default();
    rule->settings = settings;
    if (!column_read(arena, at, rule, why) || !transformer_read(arena, at, rule, why))
        return false;
    skip_blanks(at);
    if (**at == '(' && !parameters_read(arena, at, rule, settings, why))
        return false;
    skip_blanks(at);
    if (!is_end(**at)) {
        size_t size = strcspn(*at, "\n;#"), count;
        const struct transformer_info *info = &transformers_list(&count)[rule->transformer];
        const char *behind = *at + strcspn(*at, " \t\n;#=");
        behind += strspn(behind, " \t");
        if (info->parameters[0] != '\0' && *behind == '=') {
            text_addf(why, "parameters stand in brackets: %s(%.*s)", info->name,
                      (int) (size > 40 ? 40 : size), *at);
            return false;
        }
        text_addf(why, "nothing is expected behind the transformer, but there is: %.*s",
                  (int) (size > 40 ? 40 : size), *at);
        return false;
    }
    return settings_complete(settings, rule->transformer, why);
}

static void
rules_add(struct arena *arena, struct rules *rules, const struct rule *rule)
{
    if (rules->count == rules->capacity) {
        rules->capacity = rules->capacity * 2 + 16;
        struct rule *grown = arena_array(arena, rules->capacity, sizeof *grown);
        if (rules->count > 0)
            memcpy(grown, rules->items, rules->count * sizeof *grown);
        rules->items = grown;
    }
    rules->items[rules->count++] = *rule;
}

const struct rules *
rules_read(struct arena *arena, const char *text, struct fault *fault)
{
    struct rules *rules = arena_take(arena, sizeof *rules);
    struct mistakes mistakes = {0};
    unsigned line = 1;

    for (const char *at = text == NULL ? "" : text; *at != '\0';) {
        struct rule rule = {.line = line};
        struct text why = {0};
        const char *begin = at;

        if (is_blank(*at) || *at == '\n' || *at == ';') {
            at++;
        } else if (*at == '#') {
            at += strcspn(at, "\n");
        } else if (rule_read(arena, &at, &rule, &why)) {
            rule.written = written_of(arena, begin, at);
            rules_add(arena, rules, &rule);
        } else {
            at = rule_end(begin);
            mistakes_add(&mistakes, line, written_of(arena, begin, at), text_of(&why));
        }
        assert(at > begin);
        for (; begin < at; begin++)
            line += *begin == '\n';
        text_free(&why);
    }
    return mistakes_close(&mistakes, fault) ? rules : NULL;
}

size_t
rules_count(const struct rules *rules)
{
    return rules->count;
}
