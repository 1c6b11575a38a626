/* sql_dialect_forms - statements that an older server takes in another form (sql_dialect.h). */
#include <string.h>

#include "pg/sql_dialect_inside.h"

/* Tables --------------------------------------------------------------------------------------- */

/* NOT NULL a, or CONSTRAINT c NOT NULL a, among the columns: of a column that is inherited. */
static bool
item_not_null(struct run *run, struct sql_words words, struct sql_word *column)
{
    struct sql_word name;
    bool named = sql_words_take(&words, "CONSTRAINT") && sql_words_take_name(&words, &name);

    if (!sql_words_take(&words, "NOT NULL") || !sql_words_take_name(&words, column))
        return false;
    if (sql_words_take(&words, "NO INHERIT"))
        run_refuse(run, "a NOT NULL that is not inherited", 18);
    if (named)
        run_name_add(run, &run->name, &name);
    return true;
}

static void
parenthesis_skip(struct sql_words *words)
{
    struct sql_word open = sql_word_next(words), word;

    do
        word = sql_word_next(words);
    while (word.kind != SQL_WORD_END && !(sql_word_is(&word, ")") && word.depth == open.depth));
}

static enum item
table_item(struct run *run, struct sql_words words, struct text *instead)
{
    struct sql_word word;
    (void) instead;

    if (item_not_null(run, words, &word)) {
        struct text *then = &run->dialect->then;
        bool first = then->size == 0;
        if (first)
            text_addf(then, "%s%.*s", run->alter, (int) run->name.size, run->name.text);
        text_addf(then, "%s ALTER COLUMN %.*s SET NOT NULL", first ? "" : ",", (int) word.size,
                  word.text);
        return ITEM_DROPPED;
    }
    do {
        struct sql_words behind = words;
        if (sql_words_take(&behind, "GENERATED ALWAYS AS")) {
            parenthesis_skip(&behind);
            if (!sql_words_take(&behind, "STORED"))
                run_refuse(run, "a virtual generated column", 18);
            words = behind;
        } else if (sql_words_take(&behind, "CONSTRAINT") && sql_words_take_name(&behind, &word) &&
                   sql_words_take(&behind, "NOT NULL")) {
            run_name_add(run, &run->name, &word);
        }
    } while (sql_word_next(&words).kind != SQL_WORD_END);
    return ITEM_KEPT;
}

/* pg_dump puts a value into quotes unless it could be a name. */
static bool
value_is(struct sql_word word, const char *value)
{
    if (word.kind == SQL_WORD_STRING && word.size >= 2) {
        word.text++;
        word.size -= 2;
    }
    return word.size == strlen(value) && memcmp(word.text, value, word.size) == 0;
}

/* A parameter of storage, a = 'b' or toast.a = 'b'. */
static enum item
storage_item(struct run *run, struct sql_words words, struct text *instead)
{
    static const struct {
        const char *name, *value;
        int since;
    } young[] = {
        {"autovacuum_vacuum_max_threshold", NULL, 18},
        {"vacuum_max_eager_freeze_failure_rate", NULL, 18},
        {"vacuum_index_cleanup", "auto", 14},
    };
    (void) instead;

    const char *toast = sql_words_take(&words, "toast .") ? "toast." : "";
    for (size_t i = 0; i < sizeof young / sizeof *young; i++) {
        struct sql_words behind = words;
        if (run->dialect->major >= young[i].since || !sql_words_take(&behind, young[i].name) ||
            !sql_words_take(&behind, "="))
            continue;
        if (young[i].value != NULL && !value_is(sql_word_next(&behind), young[i].value))
            continue;
        struct text what = {0};
        text_addf(&what, "%s%s is left out", toast, young[i].name);
        run_say(run, text_of(&what));
        text_free(&what);
        return ITEM_DROPPED;
    }
    return ITEM_KEPT;
}

/* CREATE … TABLE name [OF type] [(columns)] … [WITH (storage)] */
static void
table_create(struct run *run, struct sql_words words)
{
    struct sql_word word;

    if (!sql_words_take_name(&words, &run->name))
        return;
    if (sql_words_take(&words, "OF"))
        sql_words_take_name(&words, &word);
    run_list(run, &words, table_item, NULL);
    text_add(&run->dialect->then, run->dialect->then.size > 0 ? ";" : "");
    do {
        const char *with = words.at;
        if (words.depth == 0 && sql_words_take(&words, "WITH")) {
            run_list(run, &words, storage_item, with);
            return;
        }
    } while (sql_word_next(&words).kind != SQL_WORD_END);
}

static void
plain_table_create(struct run *run, struct sql_words words)
{
    run->alter = "ALTER TABLE ONLY ";
    table_create(run, words);
}

static void
foreign_table_create(struct run *run, struct sql_words words)
{
    run->alter = "ALTER FOREIGN TABLE ONLY ";
    table_create(run, words);
}

/* SEQUENCE NAME s LOGGED START WITH …: before 15 a sequence of an unlogged table is logged, and so
 * it was where LOGGED comes from. */
static void
identity_alter(struct run *run, struct sql_words words)
{
    struct sql_word name;

    if (run->dialect->major >= 15 || !sql_words_take_name(&words, &name))
        return;
    const char *begin = words.at;
    if (sql_words_take(&words, "LOGGED") || sql_words_take(&words, "UNLOGGED"))
        run_cut(run, begin, words.at, "");
}

static void
constraint_add(struct run *run, struct sql_words words, bool only)
{
    struct sql_word name;

    if (!sql_words_take_name(&words, &name))
        return;
    if (sql_words_take(&words, "NOT NULL"))
        run_refuse(run, "a NOT NULL that is not valid yet", 18);
    if (only || !sql_words_take(&words, "FOREIGN KEY"))
        return;
    do
        if (sql_words_take(&words, "NOT VALID"))
            run_refuse(run, "a foreign key of a partitioned table that is not valid yet", 18);
    while (sql_word_next(&words).kind != SQL_WORD_END);
}

static void
table_alter(struct run *run, struct sql_words words)
{
    struct sql_word name;
    bool only = sql_words_take(&words, "ONLY");
    int major = run->dialect->major;

    if (!sql_words_take_name(&words, &run->name))
        return;
    if (sql_words_take(&words, "ADD CONSTRAINT")) {
        constraint_add(run, words, only);
    } else if (sql_words_take(&words, "SET ACCESS METHOD") && major < 17) {
        run->left_out = sql_words_take(&words, "heap");
        if (!run->left_out)
            run_refuse(run, "an access method of a partitioned table", 17);
    } else if (sql_words_take(&words, "ALTER COLUMN") && sql_words_take_name(&words, &name)) {
        if (sql_words_take(&words, "SET COMPRESSION") && major < 14) {
            run->left_out = true;
            if (!sql_words_take(&words, "pglz"))
                run_say(run, "its compression is left out, pglz compresses there");
        }
        while (sql_word_next(&words).kind != SQL_WORD_END)
            if (sql_words_take(&words, "SEQUENCE NAME")) {
                identity_alter(run, words);
                return;
            }
    }
}

static void
sequence_create(struct run *run, struct sql_words words)
{
    const char *end = words.at - strlen("UNLOGGED SEQUENCE");

    if (run->dialect->major < 15)
        run_cut(run, end, words.at, "SEQUENCE");
}

/* Types, views, functions ---------------------------------------------------------------------- */

static enum item
type_item(struct run *run, struct sql_words words, struct text *instead)
{
    (void) instead;
    bool drops = run->dialect->major < 14 &&
                 (sql_words_take(&words, "multirange_type_name =") ||
                  sql_words_take(&words, "SUBSCRIPT = raw_array_subscript_handler"));
    return drops ? ITEM_DROPPED : ITEM_KEPT;
}

static void
type_create(struct run *run, struct sql_words words)
{
    if (!sql_words_take_name(&words, &run->name))
        return;
    sql_words_take(&words, "AS RANGE");
    run_list(run, &words, type_item, NULL);
}

/* What PostgreSQL calls the NOT NULL of a domain, and pg_dump does not write then. */
static void
default_name_add(struct run *run)
{
    struct sql_words words = run_words(run, run->name.text);
    struct sql_word last = {0}, word;
    struct text name = {0};

    for (words.end = run->name.text + run->name.size;
         (word = sql_word_next(&words)).kind != SQL_WORD_END; last = word)
        ;
    bool quoted = last.kind == SQL_WORD_QUOTED && last.size > 1;
    text_add_bytes(&name, last.text, last.size - quoted);
    text_add(&name, quoted ? "_not_null\"" : "_not_null");
    last = (struct sql_word){.text = text_of(&name), .size = name.size};
    run_name_add(run, &run->name, &last);
    text_free(&name);
}

static void
domain_create(struct run *run, struct sql_words words)
{
    struct sql_word name;

    if (run->dialect->major >= 17 || !sql_words_take_name(&words, &run->name))
        return;
    do {
        bool named = sql_words_take(&words, "CONSTRAINT") && sql_words_take_name(&words, &name);
        if (!sql_words_take(&words, "NOT NULL"))
            continue;
        if (named)
            run_name_add(run, &run->name, &name);
        else
            default_name_add(run);
    } while (sql_word_next(&words).kind != SQL_WORD_END);
}

static void
domain_alter(struct run *run, struct sql_words words)
{
    struct sql_word name;

    if (run->dialect->major >= 17 || !sql_words_take_name(&words, &run->name))
        return;
    const char *begin = words.at;
    if (sql_words_take(&words, "ADD CONSTRAINT") && sql_words_take_name(&words, &name) &&
        sql_words_take(&words, "NOT NULL")) {
        run_name_add(run, &run->name, &name);
        run_cut(run, begin, words.at, " SET NOT NULL");
    }
}

static enum item
view_item(struct run *run, struct sql_words words, struct text *instead)
{
    if (run->dialect->major >= 15 || !sql_words_take(&words, "security_invoker ="))
        return storage_item(run, words, instead);
    if (value_is(sql_word_next(&words), "false"))
        return ITEM_DROPPED;
    run_refuse(run, "security_invoker", 15);
    return ITEM_KEPT;
}

static void
view_create(struct run *run, struct sql_words words)
{
    if (!sql_words_take_name(&words, &run->name))
        return;
    const char *with = words.at;
    if (sql_words_take(&words, "WITH"))
        run_list(run, &words, view_item, with);
}

/* CREATE STATISTICS s (kinds) ON a, (b + c) FROM t */
static void
statistics_create(struct run *run, struct sql_words words)
{
    struct sql_word word;

    if (run->dialect->major >= 14)
        return;
    do
        word = sql_word_next(&words);
    while (word.kind != SQL_WORD_END && !(sql_word_is(&word, "ON") && word.depth == 0));
    do {
        word = sql_word_next(&words);
        if (sql_word_is(&word, "("))
            run_refuse(run, "statistics on an expression", 14);
    } while (word.kind != SQL_WORD_END && !sql_word_is(&word, "FROM"));
}

/* Privileges, comments ------------------------------------------------------------------------- */

/* GRANT SELECT,MAINTAIN ON …; the words come behind GRANT. */
static void
privileges_look(struct run *run, struct sql_words words)
{
    struct sql_word before = {0}, word;

    if (run->dialect->major >= 17)
        return;
    for (word = sql_word_next(&words); !sql_word_is(&word, "ON"); word = sql_word_next(&words)) {
        if (word.kind == SQL_WORD_END)
            return;
        if (sql_word_is(&word, "MAINTAIN")) {
            run_say(run, "the privilege MAINTAIN is left out");
            if (before.text != NULL)
                run_cut(run, before.text, words.at, "");
            else if (sql_words_take(&words, ","))
                run_cut(run, word.text, words.at, "");
            else
                run->left_out = true;
            return;
        }
        before = word;
    }
}

static void
default_privileges_look(struct run *run, struct sql_words words)
{
    struct sql_word word;

    do {
        struct sql_words behind = words;
        if (sql_words_take(&behind, "GRANT") || sql_words_take(&behind, "REVOKE")) {
            privileges_look(run, behind);
        } else if (run->dialect->major < 18 && sql_words_take(&behind, "ON LARGE OBJECTS")) {
            run_say(run, "default privileges of large objects are left out");
            run->left_out = true;
        }
        word = sql_word_next(&words);
    } while (word.kind != SQL_WORD_END);
}

/* COMMENT ON CONSTRAINT c ON [DOMAIN] t IS … */
static void
comment_look(struct run *run, struct sql_words words)
{
    struct sql_word name, owner;

    if (!sql_words_take_name(&words, &name) || !sql_words_take(&words, "ON"))
        return;
    sql_words_take(&words, "DOMAIN");
    if (!sql_words_take_name(&words, &owner) || !run_name_is_known(run, &owner, &name))
        return;
    run->left_out = true;
    run_say(run, "its comment is left out, for a NOT NULL has no name there");
}

/* Subscriptions -------------------------------------------------------------------------------- */

static enum item
subscription_item(struct run *run, struct sql_words words, struct text *instead)
{
    static const struct {
        const char *words;
        int since;
        const char *instead; /* NULL: refused */
        const char *said;
    } options[] = {
        {"run_as_owner = true", 16, "", NULL},
        {"streaming = off", 14, "", NULL},
        {"streaming = on", 14, "", "large transactions come when they are committed"},
        {"streaming = parallel", 14, "", "large transactions come when they are committed"},
        {"streaming = parallel", 16, " streaming = on", NULL},
        {"binary = true", 14, "", "rows come as text"},
        {"two_phase =", 15, NULL, "two_phase"},
        {"disable_on_error =", 15, NULL, "disable_on_error"},
        {"password_required =", 16, NULL, "password_required = false"},
        {"origin =", 16, NULL, "origin"},
        {"failover =", 17, NULL, "failover"},
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (run->dialect->major >= options[i].since || !sql_words_take(&words, options[i].words))
            continue;
        if (options[i].instead == NULL) {
            run_refuse(run, options[i].said, options[i].since);
            return ITEM_KEPT;
        }
        if (options[i].said != NULL)
            run_say(run, options[i].said);
        text_add(instead, options[i].instead);
        return instead->size == 0 ? ITEM_DROPPED : ITEM_CHANGED;
    }
    return ITEM_KEPT;
}

/* pg_dump 18 says of every source before 16 that it runs as the owner. */
static void
subscription_create(struct run *run, struct sql_words words)
{
    bool owner = false;
    struct sql_words ahead = words;

    do
        owner = owner || sql_words_take(&ahead, "run_as_owner = true");
    while (sql_word_next(&ahead).kind != SQL_WORD_END);
    if (run->dialect->major < 16 && !owner)
        run_say(run, "changes are applied by the subscription's owner there, not the table's");
    do
        if (words.depth == 0 && sql_words_take(&words, "WITH")) {
            run_list(run, &words, subscription_item, NULL);
            return;
        }
    while (sql_word_next(&words).kind != SQL_WORD_END);
}

/* How statements begin that are looked into. */
static const struct {
    const char *words;
    void (*look)(struct run *run, struct sql_words words);
    bool stored; /* also for a store */
} looks[] = {
    {"CREATE TABLE", plain_table_create, true},
    {"CREATE UNLOGGED TABLE", plain_table_create, true},
    {"CREATE FOREIGN TABLE", foreign_table_create, true},
    {"ALTER TABLE", table_alter, false},
    {"ALTER FOREIGN TABLE", table_alter, false},
    {"CREATE UNLOGGED SEQUENCE", sequence_create, false},
    {"CREATE TYPE", type_create, false},
    {"CREATE DOMAIN", domain_create, false},
    {"ALTER DOMAIN", domain_alter, false},
    {"CREATE VIEW", view_create, false},
    {"CREATE OR REPLACE VIEW", view_create, false},
    {"CREATE MATERIALIZED VIEW", view_create, false},
    {"CREATE STATISTICS", statistics_create, false},
    {"CREATE SUBSCRIPTION", subscription_create, false},
    {"GRANT", privileges_look, false},
    {"REVOKE", privileges_look, false},
    {"ALTER DEFAULT PRIVILEGES", default_privileges_look, false},
    {"COMMENT ON CONSTRAINT", comment_look, false},
};

void
run_form(struct run *run)
{
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        struct sql_words words = run_words(run, run->sql);
        if ((!run->dialect->stored || looks[i].stored) &&
            sql_words_take(&words, looks[i].words)) {
            looks[i].look(run, words);
            return;
        }
    }
}
