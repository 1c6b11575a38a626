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

static bool
is_index_constraint(const char *sql)
{
    static const char words[] = "\n    ADD CONSTRAINT ";
    const char *at;

    if (!begins(sql, "ALTER TABLE ONLY "))
        return false;
    at = skip_name(sql + strlen("ALTER TABLE ONLY "));
    if (at != NULL && *at == '.')
        at = skip_name(at + 1);
    if (at == NULL || !begins(at, words))
        return false;
    at = skip_name(at + strlen(words));
    return at != NULL &&
           (begins(at, " PRIMARY KEY ") || begins(at, " UNIQUE ") || begins(at, " EXCLUDE "));
}

enum sql_kind
sql_kind(const char *sql)
{
    if (begins(sql, "SET SESSION AUTHORIZATION ") || begins(sql, "RESET SESSION AUTHORIZATION") ||
        begins(sql, "GRANT ") || begins(sql, "REVOKE ") || begins(sql, "ALTER DEFAULT PRIVILEGES "))
        return SQL_PRIVILEGE;
    if (begins(sql, "SET ") || begins(sql, "SELECT pg_catalog.set_config("))
        return SQL_SESSION;
    if (begins(sql, "CREATE INDEX ") || begins(sql, "CREATE UNIQUE INDEX ") ||
        is_index_constraint(sql))
        return SQL_PARALLEL;
    return is_owner(sql) ? SQL_OWNER : SQL_SERIAL;
}
