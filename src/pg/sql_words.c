/* sql_words - see sql_words.h. */
#include "pg/sql_words.h"

#include <ctype.h>
#include <string.h>

struct sql_words
sql_words_of(const char *sql, bool standard_strings)
{
    return (struct sql_words){.at = sql, .end = sql + strlen(sql),
                              .standard_strings = standard_strings};
}

static bool
is_letter(char c)
{
    return isalpha((unsigned char) c) || c == '_' || (unsigned char) c >= 0x80;
}

static bool
is_inner(char c)
{
    return is_letter(c) || isdigit((unsigned char) c) || c == '$';
}

static bool
starts(const char *at, const char *end, const char *with)
{
    size_t size = strlen(with);
    return (size_t) (end - at) >= size && memcmp(at, with, size) == 0;
}

/* Behind a comment; block comments nest. */
static const char *
comment_end(const char *at, const char *end)
{
    unsigned depth = 0;

    if (*at == '-') {
        const char *newline = memchr(at, '\n', (size_t) (end - at));
        return newline == NULL ? end : newline + 1;
    }
    do {
        if (starts(at, end, "/*")) {
            depth++;
            at += 2;
        } else if (starts(at, end, "*/")) {
            depth--;
            at += 2;
        } else {
            at++;
        }
    } while (depth > 0 && at < end);
    return at;
}

static const char *
blanks_end(const char *at, const char *end)
{
    while (at < end) {
        if (isspace((unsigned char) *at))
            at++;
        else if (starts(at, end, "--") || starts(at, end, "/*"))
            at = comment_end(at, end);
        else
            break;
    }
    return at;
}

/* Behind the quote that closes what at opens; a doubled one does not. */
static const char *
quote_end(const char *at, const char *end, bool backslashes)
{
    char quote = *at++;

    while (at < end) {
        if (backslashes && *at == '\\' && at + 1 < end) {
            at += 2;
        } else if (*at != quote) {
            at++;
        } else if (at + 1 < end && at[1] == quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    return end;
}

/* Behind $tag$ … $tag$; NULL when at begins none. */
static const char *
dollar_end(const char *at, const char *end)
{
    const char *tag = at + 1;

    if (tag < end && is_letter(*tag))
        while (tag < end && is_inner(*tag) && *tag != '$')
            tag++;
    if (tag >= end || *tag != '$')
        return NULL;
    size_t size = (size_t) (tag + 1 - at);
    const char *close = memmem(tag + 1, (size_t) (end - tag - 1), at, size);
    return close == NULL ? end : close + size;
}

static const char *
plain_end(const char *at, const char *end)
{
    while (at < end && is_inner(*at))
        at++;
    return at;
}

/* Behind the word that begins at `at`, and what it is. */
static const char *
word_end(const struct sql_words *words, const char *at, enum sql_word_kind *kind)
{
    const char *end = words->end, *dollar = *at == '$' ? dollar_end(at, end) : NULL;

    if (dollar != NULL) {
        *kind = SQL_WORD_STRING;
        return dollar;
    }
    if ((*at == 'E' || *at == 'e') && at + 1 < end && at[1] == '\'') {
        *kind = SQL_WORD_STRING;
        return quote_end(at + 1, end, true);
    }
    if (*at == '\'') {
        *kind = SQL_WORD_STRING;
        return quote_end(at, end, !words->standard_strings);
    }
    if (*at == '"') {
        *kind = SQL_WORD_QUOTED;
        return quote_end(at, end, false);
    }
    *kind = is_letter(*at) || isdigit((unsigned char) *at) ? SQL_WORD_PLAIN : SQL_WORD_SIGN;
    return *kind == SQL_WORD_PLAIN ? plain_end(at, end) : at + 1;
}

struct sql_word
sql_word_next(struct sql_words *words)
{
    const char *at = blanks_end(words->at, words->end);
    struct sql_word word = {.text = at, .depth = words->depth};

    words->at = at;
    if (at == words->end)
        return word;
    words->at = word_end(words, at, &word.kind);
    word.size = (size_t) (words->at - at);
    if (word.kind == SQL_WORD_SIGN && *at == '(')
        words->depth++;
    if (word.kind == SQL_WORD_SIGN && *at == ')' && words->depth > 0)
        word.depth = --words->depth;
    return word;
}

bool
sql_word_is(const struct sql_word *word, const char *text)
{
    return (word->kind == SQL_WORD_PLAIN || word->kind == SQL_WORD_SIGN) &&
           word->size == strlen(text) && memcmp(word->text, text, word->size) == 0;
}

bool
sql_words_take(struct sql_words *words, const char *phrase)
{
    struct sql_words ahead = *words;

    while (*phrase != '\0') {
        struct sql_word word = sql_word_next(&ahead);
        size_t size = strcspn(phrase, " ");
        if ((word.kind != SQL_WORD_PLAIN && word.kind != SQL_WORD_SIGN) || word.size != size ||
            memcmp(word.text, phrase, size) != 0)
            return false;
        phrase += size + (phrase[size] == ' ');
    }
    *words = ahead;
    return true;
}

bool
sql_words_take_name(struct sql_words *words, struct sql_word *name)
{
    struct sql_words ahead = *words;
    struct sql_word part = sql_word_next(&ahead);

    *name = part;
    for (;;) {
        if (part.kind != SQL_WORD_PLAIN && part.kind != SQL_WORD_QUOTED)
            return false;
        name->size = (size_t) (part.text + part.size - name->text);
        *words = ahead;
        if (ahead.at == ahead.end || *ahead.at != '.')
            return true;
        sql_word_next(&ahead);
        part = sql_word_next(&ahead);
    }
}
