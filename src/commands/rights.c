/* rights - what the destination says to all that the statements need (rights.h). */
#include "commands/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

bool
rights_begin(struct rights *rights, struct restore *restore, struct fault *fault)
{
    *rights = (struct rights){.restore = restore, .conn = &restore->conn};
    PGresult *result = pg_query(rights->conn, "read the rights of the role",
        "SELECT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),"
        " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),"
        " coalesce(pg_catalog.has_schema_privilege("
        "  pg_catalog.to_regnamespace('public')::oid, 'CREATE'), true),"
        " coalesce((SELECT pg_catalog.pg_has_role(nspowner, 'USAGE') FROM pg_catalog.pg_namespace"
        "  WHERE nspname = 'public'), true), EXISTS (SELECT FROM pg_catalog.pg_namespace,"
        "  pg_catalog.aclexplode(nspacl) WHERE nspname = 'public' AND grantee = 0"
        "  AND privilege_type = 'CREATE')", fault);
    if (result == NULL)
        return false;
    rights->super = PQgetvalue(result, 0, 0)[0] == 't';
    rights->in_database = PQgetvalue(result, 0, 1)[0] == 't';
    rights->in_public = PQgetvalue(result, 0, 2)[0] == 't';
    rights->owns_public = PQgetvalue(result, 0, 3)[0] == 't';
    rights->public_open = PQgetvalue(result, 0, 4)[0] == 't';
    PQclear(result);
    return true;
}

/* Try something in a transaction that is rolled back, in a schema of its own.  may is false only
 * where the server says that the right is lacking. */
static bool
trial_run(struct rights *rights, const char *trial, bool *may, struct fault *fault)
{
    struct fault refused = {0};
    struct text sql = {0};

    text_addf(&sql, "BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL client_min_messages = error;"
                    " CREATE SCHEMA replica_trial_%d; SET LOCAL search_path = replica_trial_%d; ",
              PQbackendPID(rights->conn->pq), PQbackendPID(rights->conn->pq));
    text_add(&sql, trial);
    *may = pg_run(rights->conn, "try", text_of(&sql), &refused) ||
           strcmp(rights->conn->sqlstate, "42501") != 0;
    text_free(&sql);
    if (PQstatus(rights->conn->pq) != CONNECTION_OK || refused.err == ERR_STOPPED) {
        fault_hand_over(fault, &refused);
        return false;
    }
    if (refused.err != ERR_NONE)
        log_debug("a trial of rights: %s", refused.text);
    return pg_run(rights->conn, "end a trial", "ROLLBACK", fault);
}

/* Run a query over the names of a kind. */
static PGresult *
names_ask(struct rights *rights, enum rights_asked asked, const char *before, const char *after,
          struct fault *fault)
{
    const struct rights_names *list = &rights->asked[asked];
    struct text sql = {0};

    text_addf(&sql, "%s pg_catalog.unnest(ARRAY[", before);
    for (size_t i = 0; i < list->count; i++) {
        text_add(&sql, i == 0 ? "" : ", ");
        text_add_literal(&sql, list->names[i]);
    }
    text_addf(&sql, "]::pg_catalog.text[]) WITH ORDINALITY AS wanted(name, at) %s", after);
    PGresult *result = pg_query(rights->conn, "ask for what the dump needs", text_of(&sql), fault);
    text_free(&sql);
    return result;
}

/* What is asked by name: rows of what is lacking, in words, and a trial or NULL, which may show
 * that it is not. */
static const struct question {
    enum rights_asked asked;
    bool of_superusers; /* they are asked, too */
    const char *before, *after;
} questions[] = {
    {RIGHTS_ROLE, true, "SELECT format('role %I, which is missing', name), NULL, at FROM",
     "WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name)"},
    {RIGHTS_OWNER, true, "SELECT CASE WHEN r.oid IS NULL THEN format('role %I, which is missing',"
     " name) ELSE format('membership in role %I, to which it shall belong', name) END,"
     " NULL, at FROM",
     "LEFT JOIN pg_catalog.pg_roles r ON rolname = name"
     " WHERE r.oid IS NULL OR NOT pg_catalog.pg_has_role(r.oid, 'MEMBER')"},
    {RIGHTS_EXTENSION, false,
     "SELECT format('extension %I', wanted.name),"
     " format('CREATE EXTENSION %I CASCADE', wanted.name) FROM",
     "JOIN pg_catalog.pg_available_extensions a ON a.name = wanted.name"
     " JOIN pg_catalog.pg_available_extension_versions v ON v.name = a.name"
     " AND v.version = a.default_version WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension"
     " WHERE extname = a.name) AND v.superuser AND NOT (v.trusted AND"
     " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'))"},
    {RIGHTS_LANGUAGE, false, "SELECT format('functions in language %I', name), format('CREATE"
     " FUNCTION trial() RETURNS pg_catalog.int4 LANGUAGE %I AS ''trial''', name) FROM",
     "JOIN pg_catalog.pg_language l ON lanname = name WHERE NOT (lanpltrusted AND"
     " pg_catalog.has_language_privilege(l.oid, 'USAGE'))"},
    {RIGHTS_WRAPPER, false, "SELECT format('USAGE on foreign-data wrapper %I', name), NULL FROM",
     "JOIN pg_catalog.pg_foreign_data_wrapper w ON fdwname = name"
     " WHERE NOT pg_catalog.has_foreign_data_wrapper_privilege(w.oid, 'USAGE')"},
    {RIGHTS_SUPERUSER, false, "SELECT split_part(name, E'\\n', 1), nullif(split_part(name, E'\\n',"
     " 2), '') FROM", ""},
};

static void
question_lack(struct rights *rights, const struct question *question, const PGresult *result,
              int row)
{
    struct text words = {0};

    text_add(&words, PQgetvalue(result, row, 0));
    if (PQnfields(result) > 2)
        text_addf(&words, " (%s)", rights->asked[question->asked]
                                       .shown[strtol(PQgetvalue(result, row, 2), NULL, 10) - 1]);
    rights_lack(rights, text_of(&words));
    text_free(&words);
}

/* Of many things that need the same, the first is tried. */
static bool
question_ask(struct rights *rights, const struct question *question, struct fault *fault)
{
    char tried[512] = "";
    bool asked = true, may = false;
    PGresult *result = names_ask(rights, question->asked, question->before, question->after,
                                 fault);

    if (result == NULL)
        return false;
    for (int i = 0; i < PQntuples(result) && asked; i++) {
        const char *trial = PQgetvalue(result, i, 1);
        if (trial[0] == '\0')
            may = false;
        else if (strcmp(tried, trial) != 0)
            asked = trial_run(rights, trial, &may, fault);
        snprintf(tried, sizeof tried, "%s", trial);
        if (asked && !may)
            question_lack(rights, question, result, i);
    }
    PQclear(result);
    return asked;
}

static const char tablespace_unfit[] =
    "WHERE NOT coalesce((SELECT pg_catalog.has_tablespace_privilege(t.oid, 'CREATE')"
    " FROM pg_catalog.pg_tablespace t WHERE t.spcname = name), false)";

static bool
tablespaces_ask(struct rights *rights, struct text *warning, struct fault *fault)
{
    if (rights->asked[RIGHTS_TABLESPACE].count == 0)
        return true;
    PGresult *result = names_ask(rights, RIGHTS_TABLESPACE,
                                 "SELECT string_agg(name, ', ') FROM", tablespace_unfit, fault);
    if (result != NULL && !PQgetisnull(result, 0, 0))
        text_addf(warning, "tablespaces that the destination lacks, or where role %s may not "
                           "create: %s; what lies there at the source will lie where the database "
                           "does",
                  PQuser(rights->conn->pq), PQgetvalue(result, 0, 0));
    PQclear(result);
    return result != NULL;
}

static void
warning_add(struct text *warning, const char *sentence)
{
    text_addf(warning, "%s%s", warning->size > 0 ? "; " : "", sentence);
}

/* Since 15 a new database lets only its owner create in public; pg_dump writes what differs from
 * the source's own default, so between the two more is allowed than anybody said. */
static void
public_compare(const struct rights *rights, struct text *warning)
{
    const char *version = rights->restore->manifest.server_version;
    long source = version == NULL ? 0 : strtol(version, NULL, 10);
    int target = rights->conn->server_version / 10000;

    if (!rights->restore->env->privileges || source == 0)
        return;
    if (source < 15 && target >= 15 && rights->opens_public)
        warning_add(warning, "the source lets everybody create in the schema public, and so will "
                             "the destination, where PostgreSQL's default since 15 is not to");
    if (source >= 15 && target < 15 && rights->public_open && !rights->opens_public)
        warning_add(warning, "everybody may create in the schema public of the destination, which "
                             "is PostgreSQL's default before 15, and not at the source");
}

bool
rights_end(struct rights *rights, struct text *warning, struct fault *fault)
{
    bool done = fault->err == ERR_NONE;

    for (size_t i = 0; i < sizeof questions / sizeof *questions && done; i++)
        if (rights->asked[questions[i].asked].count > 0 &&
            (!rights->super || questions[i].of_superusers))
            done = question_ask(rights, &questions[i], fault);
    done = done && tablespaces_ask(rights, warning, fault);
    if (done)
        public_compare(rights, warning);
    if (done && rights->lacks_count > 0)
        done = fault_set(fault, ERR_TARGET,
                         "role %s lacks what the schema needs at the destination, where nothing "
                         "was changed: %s%s; restore as a role that has it, or leave this out at "
                         "the source",
                         PQuser(rights->conn->pq), text_of(&rights->lacks),
                         rights->lacks.size + 200 > RIGHTS_SHOWN_BYTES ? "; ..." : "");
    text_free(&rights->lacks);
    arena_free(&rights->arena);
    return done;
}

bool
rights_told(struct rights *rights, struct fault *fault)
{
    struct text warning = {0};
    bool may = rights_end(rights, &warning, fault);

    if (may && warning.size > 0)
        log_warning("%s", text_of(&warning));
    text_free(&warning);
    return may;
}

static const char *
behind(const char *sql, const char *words)
{
    size_t size = strlen(words);
    return strncmp(sql, words, size) == 0 ? sql + size : NULL;
}

static bool
ask(struct pg_session *conn, const struct text *sql, bool *yes, struct fault *fault)
{
    PGresult *result = pg_query(conn, "ask whose it is", text_of(sql), fault);
    *yes = result != NULL && PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return result != NULL;
}

/* Add the name that begins here as a literal. */
static void
add_name_literal(struct text *sql, const char *at)
{
    struct rights one = {0};

    rights_name_add(&one, RIGHTS_ROLE, at);
    text_add_literal(sql, one.asked[RIGHTS_ROLE].count == 0 ? "" : one.asked[RIGHTS_ROLE].names[0]);
    arena_free(&one.arena);
}

bool
rights_instead(struct pg_session *conn, const char *sql, const char **instead,
               struct fault *fault)
{
    const char *extension = behind(sql, "COMMENT ON EXTENSION ");
    const char *tablespace = behind(sql, "SET default_tablespace = ");
    bool public = behind(sql, "COMMENT ON SCHEMA public IS ") != NULL, yes = true;
    struct text question = {0};

    *instead = sql;
    if (extension != NULL) {
        text_add(&question, "SELECT pg_catalog.pg_has_role(extowner, 'USAGE')"
                            " FROM pg_catalog.pg_extension WHERE extname = ");
        add_name_literal(&question, extension);
    } else if (public) {
        text_add(&question, "SELECT pg_catalog.pg_has_role(nspowner, 'USAGE')"
                            " FROM pg_catalog.pg_namespace WHERE nspname = 'public'");
    } else if (tablespace != NULL && *tablespace != '\'') {
        text_add(&question, "SELECT NOT EXISTS (SELECT FROM (SELECT ");
        add_name_literal(&question, tablespace);
        text_addf(&question, "::pg_catalog.text) AS wanted(name) %s)", tablespace_unfit);
    }
    bool done = question.size == 0 || ask(conn, &question, &yes, fault);
    text_free(&question);
    if (!done || yes)
        return done;
    *instead = tablespace != NULL ? "SET default_tablespace = '';" : NULL;
    if (tablespace == NULL)
        log_info("left out, for role %s does not own it: %.*s", PQuser(conn->pq),
                 (int) strcspn(sql, "'"), sql);
    return true;
}
