/* rights_look - what a statement needs of the destination (rights.h). */
#include "commands/rights.h"

#include <string.h>

#include "commands/script.h"
#include "pg/sql_kind.h"

/* A trial runs in a schema of its own, first in search_path. */
#define TRIAL_FUNCTION(options) \
    "CREATE FUNCTION trial() RETURNS pg_catalog.int4 LANGUAGE sql " options " AS 'SELECT 1'"

/* Forms of statements, as pg_dump writes them, that take more than the ownership of what the dump
 * itself creates.  Research: the calls of superuser() and of ownership checks in PostgreSQL 13 to
 * 18's src/backend/commands. */
static const struct form {
    const char *begin;  /* the name stands behind */
    const char *within; /* must stand somewhere, outside of names and literals; NULL: nothing */
    const char *what;   /* in words, before the name */
    const char *trial;  /* NULL: there is none, only a superuser may */
} forms[] = {
    {"CREATE EVENT TRIGGER ", NULL, "event trigger",
     "CREATE FUNCTION trial() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
     "CREATE EVENT TRIGGER replica_trial ON ddl_command_end EXECUTE FUNCTION trial()"},
    {"CREATE FOREIGN DATA WRAPPER ", NULL, "foreign-data wrapper",
     "CREATE FOREIGN DATA WRAPPER replica_trial"},
    {"CREATE ACCESS METHOD ", NULL, "access method",
     "CREATE ACCESS METHOD replica_trial TYPE INDEX HANDLER pg_catalog.bthandler"},
    {"CREATE OPERATOR CLASS ", NULL, "operator class", "CREATE OPERATOR FAMILY trial USING btree"},
    {"CREATE OPERATOR FAMILY ", NULL, "operator family",
     "CREATE OPERATOR FAMILY trial USING btree"},
    {"CREATE TEXT SEARCH PARSER ", NULL, "text search parser",
     "CREATE TEXT SEARCH TEMPLATE trial (LEXIZE = pg_catalog.dsimple_lexize)"},
    {"CREATE TEXT SEARCH TEMPLATE ", NULL, "text search template",
     "CREATE TEXT SEARCH TEMPLATE trial (LEXIZE = pg_catalog.dsimple_lexize)"},
    {"CREATE PROCEDURAL LANGUAGE ", NULL, "language", NULL},
    {"CREATE TRUSTED PROCEDURAL LANGUAGE ", NULL, "language", NULL},
    {"CREATE OR REPLACE PROCEDURAL LANGUAGE ", NULL, "language", NULL},
    {"CREATE PUBLICATION ", " FOR ALL TABLES", "for all tables, publication",
     "CREATE PUBLICATION replica_trial FOR ALL TABLES"},
    {"ALTER PUBLICATION ", " ADD TABLES IN SCHEMA ", "for a whole schema, publication",
     "CREATE PUBLICATION replica_trial FOR TABLES IN SCHEMA public"},
    {"CREATE SUBSCRIPTION ", NULL, "subscription",
     "CREATE SUBSCRIPTION replica_trial CONNECTION 'password=none' PUBLICATION none"
     " WITH (connect = false)"},
    {"CREATE TYPE ", "INTERNALLENGTH = ", "base type", "CREATE TYPE trial"},
    {"CREATE CAST ", " WITHOUT FUNCTION", "cast without a function", NULL},
    {"CREATE AGGREGATE ", "STYPE = internal", "with an internal state, aggregate", NULL},
    {"CREATE FUNCTION ", " LEAKPROOF", "leakproof function", TRIAL_FUNCTION("LEAKPROOF")},
    {"CREATE FUNCTION ", " SUPPORT ", "with a support function, function",
     TRIAL_FUNCTION("SUPPORT pg_catalog.generate_series_int4_support")},
    {"SET SESSION AUTHORIZATION ", NULL, "session of role", NULL},
    {"GRANT ", " pg_catalog.", "rights on a system object: ", NULL},
    {"REVOKE ", " pg_catalog.", "rights on a system object: ", NULL},
};

/* Behind words, outside of "names" and 'literals'; a body of a function ends the search. */
static const char *
find_outside(const char *sql, const char *words)
{
    for (size_t size = strlen(words); *sql != '\0'; sql++) {
        if (strncmp(sql, words, size) == 0)
            return sql + size;
        if (*sql == '$')
            return NULL;
        if (*sql != '"' && *sql != '\'')
            continue;
        sql = strchr(sql + 1, *sql);
        if (sql == NULL)
            return NULL;
    }
    return NULL;
}

static const char *
behind(const char *sql, const char *words)
{
    size_t size = strlen(words);
    return strncmp(sql, words, size) == 0 ? sql + size : NULL;
}

/* Bytes of a name, or of schema.name. */
static size_t
name_bytes(const char *at)
{
    const char *begin = at;
    bool quoted = false;

    for (; *at != '\0' && (quoted || strchr(" (;,\n", *at) == NULL); at++)
        if (*at == '"')
            quoted = !quoted;
    return (size_t) (at - begin);
}

/* Of the statement that is looked at, in one line. */
static char *
statement_beginning(struct rights *rights)
{
    const char *sql = rights->statement == NULL ? "" : rights->statement;
    size_t size = strcspn(sql, "\n;'");
    return arena_copy(&rights->arena, sql, size < RIGHTS_STATEMENT_BYTES ? size
                                                                         : RIGHTS_STATEMENT_BYTES);
}

static void
names_add(struct rights *rights, enum rights_asked asked, const char *name, size_t size)
{
    struct rights_names *list = &rights->asked[asked];

    for (size_t i = list->count; i > 0; i--)
        if (strlen(list->names[i - 1]) == size && memcmp(list->names[i - 1], name, size) == 0)
            return;
    if (list->count == RIGHTS_NAMES_MAX)
        return;
    list->names = arena_grow(&rights->arena, list->names, list->count, sizeof *list->names);
    list->shown = arena_grow(&rights->arena, list->shown, list->count, sizeof *list->shown);
    list->shown[list->count] = statement_beginning(rights);
    list->names[list->count++] = arena_copy(&rights->arena, name, size);
}

/* The name that begins here, without its quotes. */
void
rights_name_add(struct rights *rights, enum rights_asked asked, const char *at)
{
    struct text name = {0};
    size_t size = at == NULL ? 0 : name_bytes(at);
    bool quoted = size > 1 && *at == '"';

    for (size_t i = quoted; i < size - quoted; i++) {
        i += quoted && at[i] == '"';
        text_add_bytes(&name, &at[i], 1);
    }
    if (name.size > 0)
        names_add(rights, asked, text_of(&name), name.size);
    text_free(&name);
}

void
rights_lack(struct rights *rights, const char *what)
{
    rights->lacks_count++;
    if (rights->lacks.size + strlen(what) < RIGHTS_SHOWN_BYTES)
        text_addf(&rights->lacks, "%s%s", rights->lacks.size > 0 ? "; " : "", what);
}

/* Roles behind TO or FROM: a, "b c", PUBLIC; for user mappings pg_dump says public. */
static void
roles_add(struct rights *rights, enum rights_asked asked, const char *at)
{
    static const char *const words[] = {"PUBLIC", "public", "CURRENT_USER", "CURRENT_ROLE",
                                        "SESSION_USER"};

    while (at != NULL && *at != '\0') {
        size_t size = name_bytes(at);
        bool word = size == 0;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            word = word || (strlen(words[i]) == size && strncmp(at, words[i], size) == 0);
        if (!word)
            rights_name_add(rights, asked, at);
        at = at[size] == ',' && at[size + 1] == ' ' ? at + size + 2 : NULL;
    }
}

static const char *
last_behind(const char *sql, const char *words)
{
    const char *last = NULL;

    for (const char *at = find_outside(sql, words); at != NULL; at = find_outside(at, words))
        last = at;
    return last;
}

static void
roles_look(struct rights *rights, const char *sql, enum sql_kind kind)
{
    const char *at;

    if (kind == SQL_OWNER)
        roles_add(rights, RIGHTS_OWNER, last_behind(sql, " OWNER TO "));
    if (kind == SQL_PRIVILEGE && (at = behind(sql, "ALTER DEFAULT PRIVILEGES FOR ROLE ")) != NULL)
        roles_add(rights, RIGHTS_OWNER, at);
    if (kind == SQL_PRIVILEGE && strncmp(sql, "REVOKE", 6) != 0)
        roles_add(rights, RIGHTS_ROLE, last_behind(sql, " TO "));
    if (kind == SQL_PRIVILEGE && strncmp(sql, "GRANT", 5) != 0)
        roles_add(rights, RIGHTS_ROLE, last_behind(sql, " FROM "));
    if (strncmp(sql, "CREATE POLICY ", 14) == 0) {
        /* Up to the first parenthesis: an expression may hold the same words. */
        size_t size = strcspn(sql, "(");
        at = find_outside(sql, " TO ");
        if (at != NULL && at < sql + size)
            roles_add(rights, RIGHTS_ROLE, at);
    }
    if ((at = behind(sql, "CREATE USER MAPPING FOR ")) != NULL)
        roles_add(rights, RIGHTS_ROLE, at);
}

static void
places_look(struct rights *rights, const char *sql)
{
    static const char *const kinds[] = {"TABLE ", "UNLOGGED TABLE ", "FOREIGN TABLE ", "VIEW ",
                                        "MATERIALIZED VIEW ", "SEQUENCE ", "FUNCTION ",
                                        "PROCEDURE ", "AGGREGATE ", "TYPE ", "DOMAIN "};
    const char *at = behind(sql, "CREATE "), *name = NULL;

    if (at == NULL)
        return;
    if (!rights->in_database && behind(at, "SCHEMA ") != NULL)
        rights_lack(rights, "CREATE on the database, for its schemas (permission denied)");
    rights->in_database = rights->in_database || behind(at, "SCHEMA ") != NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && name == NULL; i++)
        name = behind(at, kinds[i]);
    if (name == NULL || rights->in_public || behind(name, "public.") == NULL)
        return;
    rights_lack(rights, "CREATE on the schema public (permission denied)");
    rights->in_public = true;
}

/* Nothing of the dump's own stands there: only built-in types. */
static bool
types_are_built_in(const char *sql)
{
    const char *open = strchr(sql, '('), *close = open == NULL ? NULL : strchr(open, ')');
    return close != NULL && memchr(open, '.', (size_t) (close - open)) == NULL &&
           memchr(open, '"', (size_t) (close - open)) == NULL;
}

/* Note words for a thing that takes a superuser, with the trial that shows whether it does. */
static void
superuser_add(struct rights *rights, const char *what, const char *name, size_t name_size,
              const char *trial)
{
    struct text words = {0};

    text_addf(&words, "%s %.*s", what, (int) name_size, name);
    for (char *at = words.data; at < words.data + words.size; at++)
        if (*at == '\n')
            *at = ' ';
    text_addf(&words, "\n%s", trial == NULL ? "" : trial);
    names_add(rights, RIGHTS_SUPERUSER, text_of(&words), words.size);
    text_free(&words);
}

static void
forms_look(struct rights *rights, const char *sql)
{
    const char *name;

    for (const struct form *form = forms; form < forms + sizeof forms / sizeof *forms; form++)
        if ((name = behind(sql, form->begin)) != NULL &&
            (form->within == NULL || find_outside(name, form->within) != NULL))
            superuser_add(rights, form->what, name,
                          form->what[strlen(form->what) - 1] == ' ' ? strcspn(name, ";")
                                                                    : name_bytes(name),
                          form->trial);
    if ((name = behind(sql, "CREATE TYPE ")) != NULL && name[name_bytes(name)] == ';')
        superuser_add(rights, "base type", name, name_bytes(name), "CREATE TYPE trial");
    if ((name = behind(sql, "CREATE CAST ")) != NULL && types_are_built_in(name))
        superuser_add(rights, "cast between built-in types", name, strcspn(name, ")") + 1,
                      "CREATE CAST (pg_catalog.path AS pg_catalog.date) WITH INOUT");
    if ((name = behind(sql, "CREATE TRANSFORM FOR ")) != NULL &&
        strcspn(name, ".") > strcspn(name, "("))
        superuser_add(rights, "transform for the built-in type", name, name_bytes(name), NULL);
    if (!rights->owns_public && (behind(sql, "GRANT ") != NULL || behind(sql, "REVOKE ") != NULL) &&
        find_outside(sql, " ON SCHEMA public ") != NULL)
        superuser_add(rights, "rights on", "the schema public, which it does not own", 40,
                      NULL);
}

bool
rights_statement(void *argument, const char *sql, struct fault *fault)
{
    struct rights *rights = argument;
    enum sql_kind kind = sql_facts(sql).kind;
    const char *at;
    (void) fault;

    if (!script_wants(rights->restore->env->owners, rights->restore->env->privileges, sql))
        return true;
    rights->statement = sql;
    roles_look(rights, sql, kind);
    if ((at = behind(sql, "SET default_tablespace = ")) != NULL && *at != '\'')
        rights_name_add(rights, RIGHTS_TABLESPACE, at);
    rights->opens_public = rights->opens_public ||
                           behind(sql, "GRANT ALL ON SCHEMA public TO PUBLIC;") != NULL ||
                           behind(sql, "GRANT CREATE ON SCHEMA public TO PUBLIC;") != NULL;
    if (rights->super)
        return true;
    places_look(rights, sql);
    forms_look(rights, sql);
    if ((at = behind(sql, "CREATE EXTENSION IF NOT EXISTS ")) != NULL)
        rights_name_add(rights, RIGHTS_EXTENSION, at);
    if (behind(sql, "CREATE FUNCTION ") != NULL || behind(sql, "CREATE PROCEDURE ") != NULL)
        rights_name_add(rights, RIGHTS_LANGUAGE, find_outside(sql, "\n    LANGUAGE "));
    if (behind(sql, "CREATE SERVER ") != NULL)
        rights_name_add(rights, RIGHTS_WRAPPER, find_outside(sql, " FOREIGN DATA WRAPPER "));
    return true;
}
