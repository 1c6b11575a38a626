/* sql_kind - see sql_kind.h. */
#include "pg/sql_kind.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool
begins(const char *sql, const char *words)
{
    return strncmp(sql, words, strlen(words)) == 0;
}

/* Behind an identifier, quoted or not; NULL when there is none. */
static const char *
skip_name(const char *at)
{
    const char *begin = at;

    if (*at != '"') {
        while (isalnum((unsigned char) *at) || *at == '_' || *at == '$' ||
               (unsigned char) *at >= 0x80)
            at++;
        return at == begin ? NULL : at;
    }
    for (at++; *at != '\0'; at++)
        if (*at == '"' && *++at != '"')
            return at;
    return NULL;
}

/* "… OWNER TO name;" and nothing behind.  A literal that only looks like it goes on with a
 * quote. */
static bool
is_owner(const char *sql)
{
    static const char words[] = " OWNER TO ";
    const char *last = NULL;

    if (!begins(sql, "ALTER "))
        return false;
    for (const char *at = strstr(sql, words); at != NULL; at = strstr(at + 1, words))
        last = at;
    if (last == NULL)
        return false;
    const char *end = skip_name(last + strlen(words));
    return end != NULL && strcmp(end, ";") == 0;
}

void
sql_name_add(struct text *text, const struct sql_name *name)
{
    const char *at = name->text, *end = at + name->size;

    while (at < end) {
        const char *quotes = *at == '"' ? "" : "\"", *next = skip_name(at);
        text_add(text, quotes);
        text_add_bytes(text, at, (size_t) (next - at));
        text_add(text, quotes);
        if (next < end)
            text_add(text, ".");
        at = next + 1;
    }
}

/* Behind words, or NULL when other ones stand there; NULL stays NULL, so that a form is read as a
 * chain of these. */
static const char *
skip_words(const char *at, const char *words)
{
    return at != NULL && begins(at, words) ? at + strlen(words) : NULL;
}

/* Behind name, or schema.name. */
static const char *
skip_table(const char *at, struct sql_name *name)
{
    const char *end = at == NULL ? NULL : skip_name(at);

    if (end != NULL && *end == '.')
        end = skip_name(end + 1);
    if (end != NULL)
        *name = (struct sql_name){.text = at, .size = (size_t) (end - at)};
    return end;
}

/* Behind "(a, "b c", d)", a list of nothing but columns. */
static const char *
skip_columns(const char *at)
{
    at = skip_words(at, "(");
    while (at != NULL && (at = skip_name(at)) != NULL && begins(at, ", "))
        at += 2;
    return skip_words(at, ")");
}

/* Behind "ALTER TABLE [ONLY] t\n    ADD CONSTRAINT c ". */
static const char *
skip_constraint(const char *sql, struct sql_name *table, struct sql_name *constraint)
{
    const char *at = skip_words(sql, "ALTER TABLE ");

    if (at != NULL && begins(at, "ONLY "))
        at += strlen("ONLY ");
    at = skip_words(skip_table(at, table), "\n    ADD CONSTRAINT ");
    const char *end = at == NULL ? NULL : skip_name(at);
    if (end == NULL)
        return NULL;
    *constraint = (struct sql_name){.text = at, .size = (size_t) (end - at)};
    return skip_words(end, " ");
}

static bool
constraint_read(const char *sql, struct sql_facts *facts)
{
    struct sql_name constraint;
    const char *at = skip_constraint(sql, &facts->tables[0], &constraint);

    if (at == NULL)
        return false;
    facts->kind = SQL_KEY;
    facts->primary = begins(at, "PRIMARY KEY ");
    if (facts->primary || begins(at, "UNIQUE ") || begins(at, "EXCLUDE "))
        return true;
    facts->kind = SQL_FOREIGN_KEY;
    at = skip_words(skip_columns(skip_words(at, "FOREIGN KEY ")), " REFERENCES ");
    return skip_table(at, &facts->tables[1]) != NULL;
}

static bool
index_read(const char *sql, struct sql_facts *facts)
{
    const char *at = skip_words(sql, "CREATE ");

    if (at != NULL && begins(at, "UNIQUE "))
        at += strlen("UNIQUE ");
    at = skip_words(at, "INDEX ");
    at = at == NULL ? NULL : skip_words(skip_name(at), " ON ");
    if (at != NULL && begins(at, "ONLY "))
        at += strlen("ONLY ");
    facts->kind = SQL_INDEX;
    return skip_table(at, &facts->tables[0]) != NULL;
}

static enum sql_kind
other_kind(const char *sql)
{
    if (begins(sql, "SET SESSION AUTHORIZATION ") || begins(sql, "RESET SESSION AUTHORIZATION") ||
        begins(sql, "GRANT ") || begins(sql, "REVOKE ") || begins(sql, "ALTER DEFAULT PRIVILEGES "))
        return SQL_PRIVILEGE;
    if (begins(sql, "SET ") || begins(sql, "SELECT pg_catalog.set_config("))
        return SQL_SESSION;
    return is_owner(sql) ? SQL_OWNER : SQL_SERIAL;
}

struct sql_facts
sql_facts(const char *sql)
{
    struct sql_facts facts = {0};

    if (!index_read(sql, &facts) && !constraint_read(sql, &facts))
        facts = (struct sql_facts){.kind = other_kind(sql)};
    return facts;
}

/* dumpEventTrigger(), dumpComment(), dumpSecLabel() of pg_dump. */
bool
sql_is_event_trigger(const char *sql)
{
    static const char *const words[] = {"CREATE EVENT TRIGGER ", "ALTER EVENT TRIGGER ",
                                        "COMMENT ON EVENT TRIGGER "};
    const char *label = skip_words(sql, "SECURITY LABEL FOR ");

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (begins(sql, words[i]))
            return true;
    label = label == NULL ? NULL : skip_name(label);
    return skip_words(label, " ON EVENT TRIGGER ") != NULL;
}

/* Behind what may follow the columns: nothing, or when the constraint is looked at. */
static const char *
skip_deferral(const char *at)
{
    if (at != NULL && begins(at, " DEFERRABLE"))
        at += strlen(" DEFERRABLE");
    if (at != NULL && begins(at, " INITIALLY DEFERRED"))
        at += strlen(" INITIALLY DEFERRED");
    return at;
}

bool
sql_key_split(const char *sql, struct text *index, struct text *constraint)
{
    static const char *const words[] = {"PRIMARY KEY ", "UNIQUE "};
    struct sql_name table, name;
    const char *kind = skip_constraint(sql, &table, &name), *columns = NULL;

    for (size_t i = 0; kind != NULL && i < sizeof words / sizeof *words && columns == NULL; i++)
        columns = skip_words(kind, words[i]);
    const char *end = skip_columns(columns);
    if (end != NULL && begins(end, " INCLUDE "))
        end = skip_columns(end + strlen(" INCLUDE "));
    const char *rest = skip_deferral(end);
    if (rest == NULL || strcmp(rest, ";") != 0)
        return false;
    text_addf(index, "CREATE UNIQUE INDEX %.*s ON %.*s %.*s;", (int) name.size, name.text,
              (int) table.size, table.text, (int) (end - columns), columns);
    text_addf(constraint, "ALTER TABLE ONLY %.*s ADD CONSTRAINT %.*s %.*sUSING INDEX %.*s%s",
              (int) table.size, table.text, (int) name.size, name.text, (int) (columns - kind),
              kind, (int) name.size, name.text, end);
    return true;
}
