/* sql_guard - see sql_guard.h. */
#include "pg/sql_guard.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 80 }; /* of a statement that is refused */

/* As pg_dump writes them (pg_dump.c and pg_backup_archiver.c, without --create and --clean). */
static const char *const beginnings[] = {
    ";",
    "ALTER ",
    "COMMENT ON ",
    "CREATE ",
    "GRANT ",
    "REFRESH MATERIALIZED VIEW ",
    "RESET SESSION AUTHORIZATION;",
    "REVOKE ",
    "SECURITY LABEL ",
    "SELECT pg_catalog.lo_close(",
    "SELECT pg_catalog.lo_create(",
    "SELECT pg_catalog.lo_open(",
    "SELECT pg_catalog.lowrite(",
    "SELECT pg_catalog.set_config('search_path', ",
    "SELECT pg_catalog.setval(",
    "SET SESSION AUTHORIZATION ",
};

/* What belongs to a whole server, and not to one of its databases. */
static const char *const foreign[] = {
    "ALTER DATABASE ",   "ALTER GROUP ",   "ALTER ROLE ",  "ALTER SYSTEM ",
    "ALTER TABLESPACE ", "ALTER USER ",    "CREATE DATABASE ", "CREATE GROUP ",
    "CREATE ROLE ",      "CREATE TABLESPACE ",
};

/* What a script may set, beside client_encoding and standard_conforming_strings. */
static const char *const settings[] = {
    "DateStyle",
    "IntervalStyle",
    "array_nulls",
    "backslash_quote",
    "bytea_output",
    "check_function_bodies",
    "client_min_messages",
    "default_table_access_method",
    "default_tablespace",
    "default_toast_compression",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "escape_string_warning",
    "extra_float_digits",
    "gin_fuzzy_search_limit",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lc_monetary",
    "lock_timeout",
    "row_security",
    "search_path",
    "statement_timeout",
    "transaction_timeout",
    "transform_null_equals",
    "xmloption",
};

static bool
begins(const char *sql, const char *words)
{
    return strncmp(sql, words, strlen(words)) == 0;
}

static bool
begins_with_one(const char *sql, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (begins(sql, list[i]))
            return true;
    return false;
}

#define ONE_OF(sql, list) begins_with_one(sql, list, sizeof(list) / sizeof *(list))

bool
sql_encoding_read(const char *name, int *number)
{
    *number = pg_char_to_encoding(name);
    return *number >= 0 && pg_valid_server_encoding_id(*number) != 0;
}

bool
sql_guard_init(struct sql_guard *guard, const char *encoding, bool transactions, enum err err,
               struct fault *fault)
{
    *guard = (struct sql_guard){.err = err, .encoding_name = encoding,
                                .transactions = transactions, .state.encoding = -1};
    return sql_encoding_read(encoding, &guard->encoding) ||
           fault_set(fault, err, "the encoding of the dump, %s, is none that a database can have",
                     encoding);
}

static bool
refuse(const struct sql_guard *guard, const char *why, const char *sql, struct fault *fault)
{
    size_t size = strcspn(sql, "\n");
    bool cut = size > SHOWN_BYTES || sql[size] != '\0';

    return fault_set(fault, guard->err, "%s: %.*s%s", why,
                     (int) (size > SHOWN_BYTES ? SHOWN_BYTES : size), sql, cut ? "..." : "");
}

/* "SET client_encoding = 'UTF8';", in which the encoding is the dump's. */
static bool
encoding_is_ours(const struct sql_guard *guard, const char *value)
{
    char name[32];
    int encoding;

    return sscanf(value, "'%31[A-Za-z0-9_-]'", name) == 1 &&
           strcmp(value + 1 + strlen(name), "';") == 0 && sql_encoding_read(name, &encoding) &&
           encoding == guard->encoding;
}

/* "SET name = value;" */
static bool
setting_is_fine(struct sql_guard *guard, const char *setting)
{
    struct sql_state *state = &guard->state;
    size_t size = strcspn(setting, " ");
    const char *value = setting + size + strlen(" = ");

    if (strncmp(setting + size, " = ", strlen(" = ")) != 0)
        return false;
    if (begins(setting, "client_encoding ")) {
        state->encoding = guard->encoding;
        return encoding_is_ours(guard, value);
    }
    if (begins(setting, "standard_conforming_strings ")) {
        state->strings_set = true;
        state->standard_strings = strcmp(value, "on;") == 0;
        return state->standard_strings || strcmp(value, "off;") == 0;
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (strlen(settings[i]) == size && strncmp(setting, settings[i], size) == 0)
            return true;
    return false;
}

/* Large objects are written within transactions. */
static bool
bracket_is_fine(struct sql_guard *guard, const char *sql)
{
    bool begin = sql[0] == 'B';

    if (!guard->transactions || begin == guard->state.open)
        return false;
    guard->state.open = begin;
    return true;
}

static bool
statement_is_fine(struct sql_guard *guard, const char *sql)
{
    if (begins(sql, "SET ") && !begins(sql, "SET SESSION AUTHORIZATION "))
        return setting_is_fine(guard, sql + strlen("SET "));
    if (strcmp(sql, "BEGIN;") == 0 || strcmp(sql, "COMMIT;") == 0)
        return bracket_is_fine(guard, sql);
    return ONE_OF(sql, beginnings) &&
           (!ONE_OF(sql, foreign) || begins(sql, "ALTER USER MAPPING "));
}

bool
sql_guard_statement(struct sql_guard *guard, const char *sql, struct fault *fault)
{
    const struct sql_state *state = &guard->state;

    if (!statement_is_fine(guard, sql))
        return refuse(guard, "the SQL holds a statement that no dump holds", sql, fault);
    if ((state->encoding < 0 || !state->strings_set) && !begins(sql, "SET "))
        return refuse(guard, "the SQL does not set client_encoding and "
                      "standard_conforming_strings before", sql, fault);
    return true;
}

bool
sql_guard_end(const struct sql_guard *guard, struct fault *fault)
{
    return !guard->state.open ||
           fault_set(fault, guard->err, "the SQL ends inside a transaction");
}
