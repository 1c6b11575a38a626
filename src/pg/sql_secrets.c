/* sql_secrets - see sql_secrets.h. */
#include "pg/sql_secrets.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "env/env_uri.h"
#include "pg/sql_words.h"

enum { SUBJECT_BYTES = 120 }; /* of a statement that are named */

static const char *const harmless[] = {"user", "username", "password_required",
                                       "use_scram_passthrough", "\"user\""};

static const char *const name_signs[] = {
    "passw",  "passphrase", "passcode",   "pwd",       "secret",      "token",
    "apikey", "api_key",    "access_key", "accesskey", "private_key", "credential",
};

static const char *const value_signs[] = {
    "password", "passwd", "pwd=", "pwd =", "secret", "token=", "access_key", "accesskey",
    "apikey", "api_key", "authorization:",
};

static const char *const statements[] = {
    "CREATE USER MAPPING ",  "CREATE SERVER ",        "CREATE FOREIGN DATA WRAPPER ",
    "CREATE FOREIGN TABLE ", "ALTER FOREIGN TABLE ",  "CREATE SUBSCRIPTION ",
    "ALTER USER MAPPING ",   "ALTER SERVER ",         "ALTER FOREIGN DATA WRAPPER ",
    "ALTER SUBSCRIPTION ",
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

struct cutting {
    const char *sql, *copied; /* copied: up to here the statement is in cut */
    bool standard_strings, mapping;
    struct text *cut, *names;
    bool changed;
};

static bool
begins(const char *sql, const char *words)
{
    return strncmp(sql, words, strlen(words)) == 0;
}

static bool
speaks_of(const char *text, size_t size, const char *const *signs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(signs[i]);
        for (size_t at = 0; at + length <= size; at++)
            if (strncasecmp(text + at, signs[i], length) == 0)
                return true;
    }
    return false;
}

/* "scheme://user:password@host" anywhere. */
static bool
has_userinfo(const char *text, size_t size)
{
    const char *end = text + size, *at = memmem(text, size, "://", 3);

    if (at == NULL)
        return false;
    const char *sign = memchr(at, '@', (size_t) (end - at));
    return sign != NULL && memchr(at + 3, ':', (size_t) (sign - at - 3)) != NULL;
}

static bool
is_secret(const struct cutting *cutting, const struct sql_word *name, const struct sql_word *value)
{
    if (cutting->mapping) {
        for (size_t i = 0; i < COUNT(harmless); i++)
            if (strlen(harmless[i]) == name->size &&
                memcmp(harmless[i], name->text, name->size) == 0)
                return false;
        return true;
    }
    return speaks_of(name->text, name->size, name_signs, COUNT(name_signs)) ||
           speaks_of(value->text, value->size, value_signs, COUNT(value_signs)) ||
           has_userinfo(value->text, value->size);
}

static void
name_add(struct text *names, const struct sql_word *name)
{
    text_add(names, names->size == 0 ? "" : ", ");
    text_add_bytes(names, name->text, name->size);
}

/* One "name 'value'"; false for anything else. */
static bool
option_take(struct sql_words *words, struct sql_word *name, struct sql_word *value)
{
    *name = sql_word_next(words);
    *value = sql_word_next(words);
    return (name->kind == SQL_WORD_PLAIN || name->kind == SQL_WORD_QUOTED) &&
           value->kind == SQL_WORD_STRING;
}

/* "OPTIONS (a 'x', b 'y')", of which words stand behind the bracket.  kept receives those that
 * remain; false when it is no such list. */
static bool
options_take(struct cutting *cutting, struct sql_words *words, struct text *kept, bool *secrets)
{
    struct sql_word name, value, sign;

    *secrets = false;
    do {
        if (!option_take(words, &name, &value))
            return false;
        if (is_secret(cutting, &name, &value)) {
            name_add(cutting->names, &name);
            *secrets = true;
        } else {
            text_add(kept, kept->size == 0 ? "" : ",\n    ");
            text_add_bytes(kept, name.text, (size_t) (value.text + value.size - name.text));
        }
        sign = sql_word_next(words);
    } while (sql_word_is(&sign, ","));
    return sql_word_is(&sign, ")");
}

static void
copy_to(struct cutting *cutting, const char *end)
{
    text_add_bytes(cutting->cut, cutting->copied, (size_t) (end - cutting->copied));
}

/* begin: the word OPTIONS.  What is no list of pg_dump's goes, to the statement's end. */
static void
options_cut(struct cutting *cutting, struct sql_words *words, const char *begin)
{
    struct text kept = {0};
    bool secrets, list = options_take(cutting, words, &kept, &secrets);

    if (!list || secrets) {
        copy_to(cutting, begin);
        if (list && kept.size > 0)
            text_addf(cutting->cut, "OPTIONS (\n    %s\n)", text_of(&kept));
        cutting->changed = true;
        cutting->copied = list ? words->at : words->end;
    }
    if (!list) {
        text_add(cutting->names, cutting->names->size == 0 ? "what follows" : ", what follows");
        text_add(cutting->cut, ";");
        words->at = words->end;
    }
    text_free(&kept);
}

/* What a string means, quotes and escapes taken away; as pg_dump writes them, '' and \\ alone. */
static void
string_decode(struct text *text, const struct sql_word *word, bool standard_strings)
{
    bool escapes = word->text[0] == 'E' || !standard_strings;
    const char *at = memchr(word->text, '\'', word->size), *end = word->text + word->size - 1;

    for (at = at == NULL ? end : at + 1; at < end; at++) {
        if ((*at == '\'' && at[1] == '\'') || (escapes && *at == '\\'))
            at++;
        text_add_bytes(text, at, 1);
    }
}

/* One "name='value'" of a connection string (PostgreSQL documentation, "Keyword/Value Connection
 * Strings"). */
static void
keyword_add(struct text *text, const char *name, const char *value)
{
    text_addf(text, "%s%s='", text->size == 0 ? "" : " ", name);
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            text_add(text, "\\");
        text_add_bytes(text, value, 1);
    }
    text_add(text, "'");
}

/* The connection string without what is secret.  False when it holds nothing of the kind. */
static bool
connection_cut(struct text *without, struct text *names, const char *connection)
{
    PQconninfoOption *options = PQconninfoParse(connection, NULL);
    bool secret = options == NULL, password = secret;

    for (const PQconninfoOption *each = options; each != NULL && each->keyword != NULL; each++) {
        if (each->val == NULL)
            continue;
        if (uri_parameter_shown(each->keyword, strlen(each->keyword), NULL) ||
            strcmp(each->keyword, "options") == 0) {
            keyword_add(without, each->keyword, each->val);
            continue;
        }
        secret = true;
        password = password || strcmp(each->keyword, "password") == 0;
        text_addf(names, "%s%s", names->size == 0 ? "" : ", ", each->keyword);
    }
    if (options == NULL)
        text_add(names, "the whole connection");
    if (password)
        keyword_add(without, "password", "left-out");
    PQconninfoFree(options);
    return secret;
}

static void
subscription_cut(struct cutting *cutting, struct sql_words *words)
{
    struct sql_word word = sql_word_next(words);
    struct text connection = {0}, without = {0};

    if (word.kind == SQL_WORD_STRING) {
        string_decode(&connection, &word, cutting->standard_strings);
        if (connection_cut(&without, cutting->names, text_of(&connection))) {
            copy_to(cutting, word.text);
            text_add_literal(cutting->cut, text_of(&without));
            cutting->copied = word.text + word.size;
            cutting->changed = true;
        }
    }
    text_free(&connection);
    text_free(&without);
}

static void
said_make(struct text *said, const struct cutting *cutting, const char *mark)
{
    size_t size = mark == NULL ? 0 : (size_t) (mark - cutting->sql);
    size_t line = strcspn(cutting->sql, "\n(");

    size = size > line ? line : size;
    size = size > SUBJECT_BYTES ? SUBJECT_BYTES : size;
    while (size > 0 && cutting->sql[size - 1] == ' ')
        size--;
    text_addf(said, "leaving out %s of «%.*s»: REPLICA_SECRETS=yes takes it",
              text_of(cutting->names), (int) size, cutting->sql);
}

static bool
may_hold_secrets(const char *sql)
{
    for (size_t i = 0; i < COUNT(statements); i++)
        if (begins(sql, statements[i]))
            return true;
    return false;
}

bool
sql_secrets_cut(const char *sql, bool standard_strings, struct text *cut, struct text *said)
{
    struct text names = {0};
    struct cutting cutting = {.sql = sql, .copied = sql, .standard_strings = standard_strings,
                              .cut = cut, .names = &names};
    const char *mark = NULL;

    text_clear(cut);
    text_clear(said);
    if (!may_hold_secrets(sql))
        return false;
    struct sql_words words = sql_words_of(sql, standard_strings);
    cutting.mapping = strstr(sql, " USER MAPPING ") == sql + strcspn(sql, " ");
    for (;;) {
        struct sql_word word = sql_word_next(&words);
        if (word.kind == SQL_WORD_END)
            break;
        bool options = sql_word_is(&word, "OPTIONS") && sql_words_take(&words, "(");
        bool connection = sql_word_is(&word, "CONNECTION");
        mark = (options || connection) && mark == NULL ? word.text : mark;
        if (options)
            options_cut(&cutting, &words, word.text);
        if (connection)
            subscription_cut(&cutting, &words);
    }
    if (cutting.changed) {
        text_add(cut, cutting.copied);
        said_make(said, &cutting, mark);
    }
    text_free(&names);
    return cutting.changed;
}
