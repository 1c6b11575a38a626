/* sql_dialect - see sql_dialect.h. */
#include <ctype.h>
#include <string.h>

#include "pg/sql_dialect_inside.h"

struct sql_words
run_words(const struct run *run, const char *sql)
{
    return sql_words_of(sql, run->dialect->standard_strings);
}

void
run_cut(struct run *run, const char *begin, const char *end, const char *instead)
{
    text_add_bytes(run->out, run->copied, (size_t) (begin - run->copied));
    text_add(run->out, instead);
    run->copied = end;
    run->changed = true;
}

/* Add what a statement is about, as people say it: "foreign table public.t, constraint c". */
static void
object_add(struct text *text, struct sql_words words)
{
    static const char *const silent[] = {"OR", "REPLACE", "UNLOGGED", "UNIQUE", "ONLY", "CREATE",
                                         "ALTER", "COMMENT", "ON"};
    struct sql_words at = words;
    struct sql_word word = sql_word_next(&words), name;

    if (sql_word_is(&word, "GRANT") || sql_word_is(&word, "REVOKE"))
        while (word.kind != SQL_WORD_END && !sql_word_is(&word, "ON"))
            word = sql_word_next(&words);
    while (word.kind == SQL_WORD_PLAIN && isupper((unsigned char) word.text[0])) {
        bool shown = true;
        for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
            shown = shown && !sql_word_is(&word, silent[i]);
        for (size_t i = 0; shown && i < word.size; i++)
            text_add_bytes(text, &(char){(char) tolower((unsigned char) word.text[i])}, 1);
        text_add(text, shown ? " " : "");
        at = words;
        word = sql_word_next(&words);
    }
    if (sql_words_take_name(&at, &name))
        text_add_bytes(text, name.text, name.size);
    if (sql_words_take(&at, "ADD CONSTRAINT") && sql_words_take_name(&at, &name))
        text_addf(text, ", constraint %.*s", (int) name.size, name.text);
}

void
run_say(struct run *run, const char *what)
{
    if (run->said->size > 0)
        text_add(run->said, "; ");
    else {
        object_add(run->said, run_words(run, run->sql));
        text_add(run->said, ": ");
    }
    text_add(run->said, what);
}

void
run_refuse(struct run *run, const char *what, int since)
{
    if (run->refused)
        return;
    run->refused = true;
    text_clear(run->said);
    object_add(run->said, run_words(run, run->sql));
    text_addf(run->said, ": %s, which PostgreSQL has since %d", what, since);
}

static bool
item_add(struct run *run, item_fn *look, struct sql_words words, bool first, struct text *list)
{
    struct text instead = {0};
    enum item fate = look(run, words, &instead);

    if (fate != ITEM_DROPPED && !first)
        text_add(list, ",");
    if (fate == ITEM_CHANGED)
        text_add(list, text_of(&instead));
    else if (fate == ITEM_KEPT)
        text_add_bytes(list, words.at, (size_t) (words.end - words.at));
    text_free(&instead);
    return fate == ITEM_KEPT;
}

void
run_list(struct run *run, struct sql_words *words, item_fn *look, const char *whole)
{
    struct sql_words item = *words;
    struct sql_word open = sql_word_next(&item), word;
    struct text list = {0};
    bool kept = true;

    if (!sql_word_is(&open, "("))
        return;
    *words = item;
    do {
        word = sql_word_next(words);
        bool ends = sql_word_is(&word, ")") && word.depth == open.depth;
        if (!ends && !(sql_word_is(&word, ",") && word.depth == open.depth + 1))
            continue;
        item.end = word.text;
        kept = item_add(run, look, item, list.size == 0, &list) && kept;
        item = *words;
        if (ends)
            break;
    } while (word.kind != SQL_WORD_END);
    if (!kept && word.kind != SQL_WORD_END) {
        bool all = list.size == 0 && whole != NULL;
        run_cut(run, all ? whole : open.text + 1, all ? words->at : word.text, text_of(&list));
    }
    text_free(&list);
}

/* Add a name with every part in quotes, so that names can be compared. */
static void
name_write(struct run *run, struct text *text, const struct sql_word *name)
{
    struct sql_words words = run_words(run, "");
    struct sql_word part;

    words.at = name->text;
    words.end = name->text + name->size;
    while ((part = sql_word_next(&words)).kind != SQL_WORD_END) {
        const char *quote = part.kind == SQL_WORD_PLAIN ? "\"" : "";
        text_add(text, quote);
        text_add_bytes(text, part.text, part.size);
        text_add(text, quote);
    }
}

static void
pair_write(struct run *run, struct text *text, const struct sql_word *owner,
           const struct sql_word *name)
{
    text_add(text, "\n");
    name_write(run, text, owner);
    text_add(text, "\t");
    name_write(run, text, name);
    text_add(text, "\n");
}

void
run_name_add(struct run *run, const struct sql_word *owner, const struct sql_word *name)
{
    struct text *names = &run->dialect->names;

    if (names->size + owner->size + name->size <= SQL_DIALECT_NAMES_BYTES)
        pair_write(run, names, owner, name);
}

bool
run_name_is_known(struct run *run, const struct sql_word *owner, const struct sql_word *name)
{
    struct text wanted = {0};

    pair_write(run, &wanted, owner, name);
    bool known = strstr(text_of(&run->dialect->names), text_of(&wanted)) != NULL;
    text_free(&wanted);
    return known;
}

/* What an older server does not know, wherever it stands in a statement that begins so. */
static const struct {
    const char *beginning, *phrase;
    int since;
    const char *what;
} phrases[] = {
    {"CREATE TABLE", "NOT NULL NO INHERIT", 18, "a NOT NULL that is not inherited"},
    {"CREATE UNLOGGED TABLE", "NOT NULL NO INHERIT", 18, "a NOT NULL that is not inherited"},
    {"CREATE FOREIGN TABLE", "NOT NULL NO INHERIT", 18, "a NOT NULL that is not inherited"},
    {"", "NOT ENFORCED", 18, "NOT ENFORCED"},
    {"ALTER TABLE", "WITHOUT OVERLAPS", 18, "WITHOUT OVERLAPS"},
    {"ALTER TABLE", "PERIOD", 18, "a foreign key with PERIOD"},
    {"CREATE PUBLICATION", "publish_generated_columns", 18, "publish_generated_columns"},
    {"", "RETURNING WITH", 18, "RETURNING WITH"},
    {"CREATE EVENT TRIGGER", "ON login", 17, "the event login"},
    {"CREATE COLLATION", "provider = builtin", 17, "the locale provider builtin"},
    {"", "JSON_SCALAR (", 17, "JSON_SCALAR()"},
    {"", "JSON_SERIALIZE (", 17, "JSON_SERIALIZE()"},
    {"", "JSON_EXISTS (", 17, "JSON_EXISTS()"},
    {"", "JSON_QUERY (", 17, "JSON_QUERY()"},
    {"", "JSON_VALUE (", 17, "JSON_VALUE()"},
    {"", "JSON_TABLE (", 17, "JSON_TABLE()"},
    {"", "AT LOCAL", 17, "AT LOCAL"},
    {"", "MATCHED BY SOURCE", 17, "MERGE with NOT MATCHED BY SOURCE"},
    {"", "MERGE_ACTION (", 17, "MERGE with RETURNING"},
    {"CREATE COLLATION", "rules =", 16, "rules of a collation"},
    {"", "IS JSON", 16, "IS JSON"},
    {"", "IS NOT JSON", 16, "IS JSON"},
    {"", "JSON_ARRAY (", 16, "JSON_ARRAY()"},
    {"", "JSON_ARRAYAGG (", 16, "JSON_ARRAYAGG()"},
    {"", "JSON_OBJECT (", 16, "JSON_OBJECT()"},
    {"", "JSON_OBJECTAGG (", 16, "JSON_OBJECTAGG()"},
    {"", "SYSTEM_USER", 16, "SYSTEM_USER"},
    {"", "NULLS NOT DISTINCT", 15, "NULLS NOT DISTINCT"},
    {"", "ON DELETE SET NULL (", 15, "ON DELETE SET NULL with a list of columns"},
    {"", "ON DELETE SET DEFAULT (", 15, "ON DELETE SET DEFAULT with a list of columns"},
    {"ALTER PUBLICATION", "ADD TABLES IN SCHEMA", 15, "a publication of a whole schema"},
    {"ALTER PUBLICATION", "WHERE", 15, "a publication with WHERE"},
    {"ALTER PUBLICATION", "(", 15, "a publication with a list of columns"},
    {"", "MERGE INTO", 15, "MERGE"},
    {"CREATE FUNCTION", "BEGIN ATOMIC", 14, "a body in SQL"},
    {"CREATE FUNCTION", "RETURN", 14, "a body in SQL"},
    {"CREATE PROCEDURE", "BEGIN ATOMIC", 14, "a body in SQL"},
    {"CREATE PROCEDURE", "OUT", 14, "an argument OUT of a procedure"},
    {"CREATE TYPE", "SUBSCRIPT =", 14, "a function for subscripts"},
    {"", "GROUP BY DISTINCT", 14, "GROUP BY DISTINCT"},
    {"", "SEARCH DEPTH FIRST", 14, "SEARCH"},
    {"", "SEARCH BREADTH FIRST", 14, "SEARCH"},
    {"CREATE VIEW", "CYCLE", 14, "CYCLE"},
    {"CREATE MATERIALIZED VIEW", "CYCLE", 14, "CYCLE"},
    {"CREATE RULE", "CYCLE", 14, "CYCLE"},
    {"", "SIMILAR", 14, "SUBSTRING with SIMILAR"},
};

enum { PHRASES_COUNT = sizeof phrases / sizeof *phrases };

/* Most words of a statement begin no phrase: that is seen by two characters. */
static void
phrases_look(struct run *run, const char *sql)
{
    struct sql_words words = run_words(run, sql);
    bool wanted[PHRASES_COUNT];

    for (size_t i = 0; i < PHRASES_COUNT; i++) {
        struct sql_words ahead = words;
        wanted[i] = run->dialect->major < phrases[i].since &&
                    sql_words_take(&ahead, phrases[i].beginning);
    }
    for (;;) {
        struct sql_words ahead = words;
        struct sql_word word = sql_word_next(&words);
        if (word.kind == SQL_WORD_END)
            return;
        if (word.kind != SQL_WORD_PLAIN && word.kind != SQL_WORD_SIGN)
            continue;
        for (size_t i = 0; i < PHRASES_COUNT; i++)
            if (wanted[i] && word.text[0] == phrases[i].phrase[0] &&
                sql_words_take(&ahead, phrases[i].phrase)) {
                run_refuse(run, phrases[i].what, phrases[i].since);
                return;
            }
    }
}

void
sql_dialect_init(struct sql_dialect *dialect, int server_version)
{
    *dialect = (struct sql_dialect){.major = server_version / 10000, .standard_strings = true};
}

void
sql_dialect_init_stored(struct sql_dialect *dialect, int server_version)
{
    sql_dialect_init(dialect, server_version);
    dialect->stored = true;
}

void
sql_dialect_free(struct sql_dialect *dialect)
{
    text_free(&dialect->names);
    text_free(&dialect->then);
}

/* What a statement says by its form is looked at first: it may be cut out of it. */
static void
run_look(struct run *run)
{
    run_form(run);
    if (run->changed)
        text_add(run->out, run->copied);
    if (!run->refused && !run->left_out && !run->dialect->stored)
        phrases_look(run, run->changed ? text_of(run->out) : run->sql);
}

/* Rows, comments, owners and settings say the same everywhere, and are most of a dump. */
static bool
is_looked_into(const char *sql)
{
    static const char *const words[] = {"CREATE ", "ALTER ", "GRANT ", "REVOKE ",
                                        "COMMENT ON CONSTRAINT "};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(sql, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

enum sql_fate
sql_dialect_statement(struct sql_dialect *dialect, const char *sql, struct text *rewritten,
                      struct text *said)
{
    static const char strings[] = "SET standard_conforming_strings = ";
    struct run run = {.dialect = dialect, .sql = sql, .copied = sql, .out = rewritten,
                      .said = said};

    text_clear(rewritten);
    text_clear(said);
    text_clear(&dialect->then);
    if (dialect->major >= SQL_DIALECT_NEWEST)
        return SQL_KEPT;
    if (strncmp(sql, strings, sizeof strings - 1) == 0)
        dialect->standard_strings = strncmp(sql + sizeof strings - 1, "off", 3) != 0;
    if (!is_looked_into(sql))
        return SQL_KEPT;
    run_look(&run);
    if (dialect->stored)
        return run.changed && !run.refused ? SQL_REWRITTEN : SQL_KEPT;
    if (run.refused)
        return SQL_REFUSED;
    if (run.left_out)
        return SQL_LEFT_OUT;
    return run.changed ? SQL_REWRITTEN : SQL_KEPT;
}
