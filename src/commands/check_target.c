/* check_target - what a restore asks of its destination before the first statement (check.h). */
#include "commands/check.h"

#include <stdlib.h>
#include <string.h>

#include "commands/rights.h"

bool
check_destination(struct check *check, struct text *said, struct fault *fault)
{
    struct restore *restore = &check->restore;

    /* Without a dump any encoding will do, which is what this one stands for. */
    if (restore->manifest.encoding == NULL)
        restore->manifest.encoding = "SQL_ASCII";
    if (!restore_connect(restore, &restore->conn, fault))
        return false;
    check_describe(said, &restore->conn);
    if (!restore_unclaimed(restore, fault))
        return false;

    const char *dumped = restore->manifest.server_version;
    if (dumped != NULL && strtol(dumped, NULL, 10) > restore->conn.server_version / 10000) {
        text_addf(said, "; the dump is of PostgreSQL %s, whose newer statements this one may "
                        "refuse", dumped);
        check->warns = true;
    }
    return true;
}

/* What a restore has to create in.  Without a dump the schemas are unknown: then it is the
 * database. */
static void
rights_needed(const struct manifest *manifest, bool *in_database, bool *in_public)
{
    *in_database = manifest->tables_count == 0;
    *in_public = false;
    for (size_t i = 0; i < manifest->tables_count; i++) {
        bool public = strcmp(manifest->tables[i].schema, "public") == 0;
        *in_public |= public;
        *in_database |= !public;
    }
}

bool
check_rights(struct check *check, struct text *said, struct fault *fault)
{
    struct pg_session *conn = &check->restore.conn;
    bool in_database, in_public;
    PGresult *result = pg_query(conn, "read the rights of the role",
        "SELECT pg_is_in_recovery(), has_database_privilege(current_database(), 'CREATE'),"
        " coalesce(has_schema_privilege(to_regnamespace('public')::oid, 'CREATE'), true)", fault);
    if (result == NULL)
        return false;

    rights_needed(&check->restore.manifest, &in_database, &in_public);
    const char *role = PQuser(conn->pq), *database = PQdb(conn->pq);
    if (PQgetvalue(result, 0, 0)[0] == 't')
        fault_set(fault, ERR_TARGET, "%s is a standby, which takes no writes", database);
    else if (in_database && PQgetvalue(result, 0, 1)[0] != 't')
        fault_set(fault, ERR_TARGET,
                  "role %s may not create schemas in database %s: grant CREATE on the database",
                  role, database);
    else if (in_public && PQgetvalue(result, 0, 2)[0] != 't')
        fault_set(fault, ERR_TARGET,
                  "role %s may not create tables in the schema public of database %s: grant CREATE "
                  "on the schema, or let the role own the database",
                  role, database);
    PQclear(result);
    text_addf(said, "%s may create what a restore creates", role);
    return fault->err == ERR_NONE;
}

static bool
defaults_tell(struct check *check, struct text *said, struct fault *fault)
{
    struct text warning = {0};
    bool asked = restore_defaults(&check->restore, &warning, fault);

    check->warns = warning.size > 0;
    text_add(said, check->warns ? text_of(&warning) : "nothing lies there");
    text_free(&warning);
    return asked;
}

/* Under REPLICA_CLEAN restore_empty() would empty it. */
bool
check_empty(struct check *check, struct text *said, struct fault *fault)
{
    unsigned long count;
    const char *example;

    if (!restore_may_empty(&check->restore, &count, &example, fault))
        return false;
    if (count == 0 && !check->env->clean)
        return defaults_tell(check, said, fault);
    check->warns = count > 0;
    if (count > 0)
        text_addf(said, "REPLICA_CLEAN is set: a restore will drop %lu objects, among them %s",
                  count, example);
    else
        text_add(said, "nothing lies there");
    return true;
}

/* Does the version of the destination know what stands in the dump? */
bool
check_statements(struct check *check, struct text *said, struct fault *fault)
{
    struct restore *restore = &check->restore;
    struct outlook outlook;

    outlook_init(&outlook, restore, NULL, NULL);
    bool read = restore_schema(restore, outlook_statement, &outlook, fault);
    check->warns = outlook.lost_count > 0;
    if (!check->warns)
        text_addf(said, "PostgreSQL %d knows all that the dump's schema says",
                  outlook.dialect.major);
    return outlook_end(&outlook, said, fault) && read;
}

/* What the statements of the dump need beyond a place for their tables. */
bool
check_permissions(struct check *check, struct text *said, struct fault *fault)
{
    struct rights rights = {0};
    struct outlook outlook;
    struct text warning = {0};

    outlook_init(&outlook, &check->restore, rights_statement, &rights);
    bool read = rights_begin(&rights, &check->restore, fault) &&
                restore_schema(&check->restore, outlook_statement, &outlook, fault);
    outlook_end(&outlook, NULL, fault);
    bool may = rights_end(&rights, &warning, fault) && read;

    check->warns = warning.size > 0;
    text_add(said, check->warns ? text_of(&warning) : "every statement of the schema may be run");
    text_free(&warning);
    return may;
}

/* Add "'name'" of CREATE EXTENSION IF NOT EXISTS name WITH SCHEMA ..., as pg_dump writes it. */
static bool
extension_take(void *argument, const char *sql, struct fault *fault)
{
    static const char create[] = "CREATE EXTENSION IF NOT EXISTS ";
    struct text *names = argument, name = {0};
    (void) fault;

    if (strncmp(sql, create, sizeof create - 1) != 0)
        return true;
    sql += sizeof create - 1;
    bool quoted = *sql == '"';
    for (sql += quoted; *sql != '\0'; sql++) {
        if (quoted ? *sql == '"' && *++sql != '"' : *sql == ' ' || *sql == ';')
            break;
        text_add_bytes(&name, sql, 1);
    }
    text_add(names, names->size == 0 ? "" : ", ");
    text_add_literal(names, text_of(&name));
    text_free(&name);
    return true;
}

static bool
extensions_ask(struct pg_session *conn, const char *names, struct text *said, struct fault *fault)
{
    struct text sql = {0};

    text_addf(&sql, "SELECT count(*), string_agg(name, ', ' ORDER BY name)"
                    " FILTER (WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions a"
                    " WHERE a.name = wanted.name)) FROM unnest(ARRAY[%s]::text[]) AS wanted(name)",
              names);
    PGresult *result = pg_query(conn, "ask for extensions", text_of(&sql), fault);
    text_free(&sql);
    if (result == NULL)
        return false;
    if (!PQgetisnull(result, 0, 1))
        fault_set(fault, ERR_TARGET,
                  "the destination's server lacks extensions of the dump: %s; install their "
                  "packages there", PQgetvalue(result, 0, 1));
    text_addf(said, "%s in the dump, all available at the destination", PQgetvalue(result, 0, 0));
    PQclear(result);
    return fault->err == ERR_NONE;
}

bool
check_extensions(struct check *check, struct text *said, struct fault *fault)
{
    struct restore *restore = &check->restore;
    struct text names = {0};
    struct sql_guard guard;
    bool ok = sql_guard_init(&guard, restore->manifest.encoding, false, ERR_INTEGRITY, fault) &&
              restore_statements(restore, &restore->manifest.pre_data, &guard, extension_take,
                                 &names, fault) &&
              extensions_ask(&restore->conn, text_of(&names), said, fault);

    text_free(&names);
    return ok;
}
