/* hold - see hold.h. */
#include "pg/hold.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LOCK_BATCH = 100 };

bool
hold_wants(const struct table *table)
{
    return table->copied || (table->included && !table->of_extension &&
                             (table->kind == 'r' || table->kind == 'p'));
}

/* The server does not say for which of the tables it has waited in vain. */
static void
explain_timeout(struct pg_session *conn, struct fault *fault)
{
    struct fault asking = {0};
    PGresult *result = pg_query(conn, "ask who holds locks",
        "ROLLBACK; SELECT format('%I.%I', n.nspname, c.relname), l.pid FROM pg_catalog.pg_locks l"
        " JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.database ="
        " (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
        " ORDER BY l.granted DESC, 1 LIMIT 1", &asking);

    if (result != NULL && PQntuples(result) > 0)
        fault_because(fault, "after %d s; the process %s of the source wants %s for itself alone",
                      HOLD_LOCK_SECONDS, PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 0));
    PQclear(result);
}

/* What a table that is dropped, moved, or replaced by something else does to the statement. */
static bool
state_is_passing(const char *sqlstate)
{
    static const char *const states[] = {
        "42P01", /* undefined_table */
        "3F000", /* invalid_schema_name */
        "42809", /* wrong_object_type */
        "40P01", /* deadlock_detected: the one who does it waits for another of the tables */
    };
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(sqlstate, states[i]) == 0)
            return true;
    return false;
}

enum hold_locked
hold_lock(struct pg_session *conn, const struct catalog *catalog, struct fault *fault)
{
    struct text sql = {0};
    size_t named = 0;
    bool locked = true;

    text_addf(&sql, "SET LOCAL lock_timeout = '%d s'", HOLD_LOCK_SECONDS);
    for (size_t i = 0; i < catalog->tables_count && locked; i++) {
        const struct table *table = &catalog->tables[i];
        if (!hold_wants(table) || !table->readable)
            continue;
        text_add(&sql, named == 0 ? "; LOCK TABLE ONLY " : ", ONLY ");
        text_add_name_pair(&sql, table->schema, table->name);
        if (++named < LOCK_BATCH)
            continue;
        text_add(&sql, " IN ACCESS SHARE MODE");
        locked = pg_run(conn, "lock the tables", text_of(&sql), fault);
        text_clear(&sql);
        text_addf(&sql, "SET LOCAL lock_timeout = '%d s'", HOLD_LOCK_SECONDS);
        named = 0;
    }
    text_addf(&sql, "%s; SET LOCAL lock_timeout = 0", named == 0 ? "" : " IN ACCESS SHARE MODE");
    locked = locked && pg_run(conn, "lock the tables", text_of(&sql), fault);
    text_free(&sql);
    if (!locked && strcmp(conn->sqlstate, "55P03") == 0) /* lock_not_available */
        explain_timeout(conn, fault);
    return locked ? HOLD_DONE : state_is_passing(conn->sqlstate) ? HOLD_AGAIN : HOLD_FAILED;
}

/* Rows of one system catalog that are relied upon. */
struct kind {
    unsigned moments;
    bool gone_counts;  /* that it was dropped matters, and is not noticed by pg_dump itself */
    bool once;         /* it was relied upon all the time: altered and altered back matters */
    bool of_table;     /* owner is a table's oid: only those that are locked matter */
    const char *owner; /* the oid by which it is found again */
    const char *part;  /* which of the owner's rows it is */
    const char *noun, *name;
    const char *looks; /* what must not have changed */
    const char *rows;  /* FROM, with t for the catalog itself, and WHERE */
};

/* Whether a column, or another type, holds values of a type or arrays of it. */
#define IS_USED(oid) \
    "EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_type y ON d.refobjid = y.oid" \
    " OR d.refobjid = y.typarray WHERE y.oid = " oid \
    " AND d.refclassid = 'pg_catalog.pg_type'::regclass" \
    " AND (d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid > 0" \
    "  OR d.classid = 'pg_catalog.pg_type'::regclass AND d.deptype = 'n'))"

#define IS_NOT_OF_A_SESSION(oid) \
    "EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.oid = " oid \
    " AND n.nspname !~ '^pg_temp')"

/* Schemas are the first. */
static const struct kind kinds[] = {
    {.moments = HOLD_TABLES | HOLD_SCRIPTS | HOLD_NAMES, .once = true,
     .owner = "t.oid", .part = "0", .noun = "'schema'", .name = "t.nspname",
     .looks = "t.nspname", .rows = "pg_catalog.pg_namespace t WHERE t.nspname !~ '^pg_'"},
    {.moments = HOLD_TABLES, .gone_counts = true, .once = true, .of_table = true,
     .owner = "t.oid", .part = "0", .noun = "'table'", .name = "t.relname",
     .looks = "concat_ws(' ', t.relname, t.relnamespace, t.relkind, t.relfilenode, t.relnatts,"
              " t.relpersistence, t.relispartition, t.relrowsecurity, t.relforcerowsecurity)",
     .rows = "pg_catalog.pg_class t WHERE t.relkind IN ('r', 'p')"},
    {.moments = HOLD_TABLES, .gone_counts = true, .of_table = true,
     .owner = "t.inhrelid", .part = "t.inhparent", .noun = "'table'", .name = "t.inhrelid",
     .looks = "to_jsonb(t)", /* inhdetachpending came with PostgreSQL 14 */
     .rows = "pg_catalog.pg_inherits t WHERE true"},
    {.moments = HOLD_COLUMNS, .gone_counts = true, .of_table = true,
     .owner = "t.attrelid", .part = "t.attnum", .noun = "'table'", .name = "t.attname",
     .looks = "concat_ws(' ', t.attname, t.atttypid, t.atttypmod, t.attisdropped, t.attgenerated,"
              " t.attidentity, t.attnotnull, t.attinhcount, t.attislocal)",
     .rows = "pg_catalog.pg_attribute t WHERE t.attnum > 0"},
    {.moments = HOLD_SCRIPTS, .owner = "t.oid", .part = "0",
     .noun = "CASE t.relkind WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'"
             " ELSE 'view' END",
     .name = "t.relname", .looks = "concat_ws(' ', t.relname, t.relnamespace, t.relkind)",
     .rows = "pg_catalog.pg_class t WHERE t.relkind IN ('v', 'm', 'f', 'S')"
             " AND t.relpersistence <> 't'"},
    {.moments = HOLD_SCRIPTS, .owner = "t.attrelid", .part = "t.attnum",
     .noun = "'column'", .name = "t.attname",
     .looks = "concat_ws(' ', t.attname, t.atttypid, t.attisdropped)",
     .rows = "pg_catalog.pg_class c JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid"
             " AND t.attnum > 0 WHERE c.relkind IN ('v', 'm', 'f') AND c.oid >= 16384"
             " AND c.relpersistence <> 't'"},
    {.moments = HOLD_SCRIPTS, .gone_counts = true, .owner = "t.oid", .part = "0",
     .noun = "'type'", .name = "t.typname", .looks = "concat_ws(' ', t.typname, t.typnamespace)",
     .rows = "pg_catalog.pg_type t WHERE t.typtype IN ('b', 'd', 'e', 'r')"
             " AND t.typcategory <> 'A' AND t.oid >= 16384 AND "
             IS_NOT_OF_A_SESSION("t.typnamespace")},
    {.moments = HOLD_SCRIPTS, .gone_counts = true, .owner = "t.oid", .part = "0",
     .noun = "'function'", .name = "t.proname",
     .looks = "concat_ws(' ', t.proname, t.pronamespace, t.prorettype, t.proargnames,"
              " t.pronargdefaults)",
     .rows = "pg_catalog.pg_proc t WHERE t.oid >= 16384 AND "
             IS_NOT_OF_A_SESSION("t.pronamespace")},
    {.moments = HOLD_SCRIPTS, .gone_counts = true, .owner = "t.oid", .part = "0",
     .noun = "'collation'", .name = "t.collname",
     .looks = "concat_ws(' ', t.collname, t.collnamespace)",
     .rows = "pg_catalog.pg_collation t WHERE t.oid >= 16384"},
    {.moments = HOLD_SCRIPTS | HOLD_ROWS, .once = true, .owner = "t.oid", .part = "0",
     .noun = "'enum value'", .name = "t.enumlabel", .looks = "t.enumlabel",
     .rows = "pg_catalog.pg_enum t WHERE " IS_USED("t.enumtypid")},
    {.moments = HOLD_SCRIPTS | HOLD_ROWS, .owner = "t.oid", .part = "0",
     .noun = "'composite type'", .name = "t.relname", .looks = "t.relnatts",
     .rows = "pg_catalog.pg_class t WHERE t.relkind = 'c' AND " IS_USED("t.reltype")},
    {.moments = HOLD_SCRIPTS | HOLD_ROWS, .owner = "t.attrelid", .part = "t.attnum",
     .noun = "'attribute'", .name = "t.attname",
     .looks = "concat_ws(' ', t.attname, t.atttypid, t.atttypmod, t.attisdropped)",
     .rows = "pg_catalog.pg_class c JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid"
             " AND t.attnum > 0 WHERE c.relkind = 'c' AND " IS_USED("c.reltype")},
};

enum { KINDS_COUNT = sizeof kinds / sizeof *kinds };

/* The columns of both questions. */
enum { KIND, OWNER, PART, LOOKS, XMIN, XMAX, NOUN, NAME };

/* Only who was still at work when the snapshot was taken, or came later, can have changed what it
 * sees; an older xmax is that of a transaction that was rolled back. */
static const char touched[] =
    " AND t.xmax <> 0 AND age(t.xmax) <="
    " age(pg_catalog.xid(pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())))";

static void
question_add(struct text *sql, size_t at)
{
    const struct kind *kind = &kinds[at];

    text_addf(sql, "%sSELECT %zu, (%s)::text, (%s)::text, (%s)::text, t.xmin::text, t.xmax::text,"
                   " (%s)::text, (%s)::text FROM %s",
              sql->size == 0 ? "" : " UNION ALL ", at, kind->owner, kind->part, kind->looks,
              kind->noun, kind->name, kind->rows);
}

static size_t
kind_of(const PGresult *result, int row)
{
    size_t at = strtoul(PQgetvalue(result, row, KIND), NULL, 10);

    assert(at < KINDS_COUNT);
    return at;
}

/* The same rows as they are now. */
static PGresult *
ask_again(struct pg_session *conn, const char *uri, const PGresult *then, struct fault *fault)
{
    struct pg_session beside;
    struct text sql = {0};
    PGresult *now = NULL;
    size_t last = KINDS_COUNT;

    for (int row = 0; row < PQntuples(then); row++) {
        size_t at = kind_of(then, row);
        if (at != last) {
            text_add(&sql, last == KINDS_COUNT ? "" : "}'::oid[])");
            question_add(&sql, at);
            text_addf(&sql, " AND %s = ANY ('{", kinds[at].owner);
        }
        text_addf(&sql, "%s%s", at != last ? "" : ",", PQgetvalue(then, row, OWNER));
        last = at;
    }
    text_add(&sql, "}'::oid[])");
    if (pg_open_beside(&beside, uri, conn, fault))
        now = pg_query(&beside, "ask what has been altered", text_of(&sql), fault);
    pg_close(&beside);
    text_free(&sql);
    return now;
}

static bool
row_is_same(const PGresult *then, int row, const PGresult *now, int other)
{
    for (int column = KIND; column <= PART; column++)
        if (strcmp(PQgetvalue(then, row, column), PQgetvalue(now, other, column)) != 0)
            return false;
    return true;
}

/* What has become of a row that somebody has touched. */
enum fate {
    FATE_STILL,    /* who touched it has rolled back, is still at it, or has changed nothing */
    FATE_REPEATED, /* it looks the same, but more than one has changed it */
    FATE_CHANGED,
    FATE_GONE,
};

static enum fate
fate_of(const PGresult *then, int row, const PGresult *now)
{
    int other = 0;

    while (other < PQntuples(now) && !row_is_same(then, row, now, other))
        other++;
    if (other == PQntuples(now))
        return FATE_GONE;
    const char *maker = PQgetvalue(now, other, XMIN);
    if (strcmp(maker, PQgetvalue(then, row, XMIN)) == 0)
        return FATE_STILL;
    if (strcmp(PQgetvalue(now, other, LOOKS), PQgetvalue(then, row, LOOKS)) != 0)
        return FATE_CHANGED;
    return strcmp(maker, PQgetvalue(then, row, XMAX)) == 0 ? FATE_STILL : FATE_REPEATED;
}

static bool
fate_matters(const struct kind *kind, enum fate fate)
{
    return fate == FATE_CHANGED || (fate == FATE_REPEATED && kind->once) ||
           (fate == FATE_GONE && kind->gone_counts);
}

/* Whether there is a schema that the snapshot does not show. */
static bool
schema_is_new(struct pg_session *conn, const char *uri, bool *is_new, struct fault *fault)
{
    static const char doing[] = "look for new schemas";
    struct pg_session beside = {0};
    struct text sql = {0};
    PGresult *now = NULL;
    PGresult *then = pg_query(conn, doing, "SELECT string_agg(oid::text, ',')"
                                           " FROM pg_catalog.pg_namespace", fault);

    if (then != NULL && pg_open_beside(&beside, uri, conn, fault)) {
        text_addf(&sql, "SELECT FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'"
                        " AND oid <> ALL ('{%s}'::oid[]) LIMIT 1", PQgetvalue(then, 0, 0));
        now = pg_query(&beside, doing, text_of(&sql), fault);
        *is_new = PQntuples(now) > 0;
    }
    pg_close(&beside);
    text_free(&sql);
    PQclear(then);
    bool asked = now != NULL;
    PQclear(now);
    return asked;
}

/* A schema that has its name may have lost it for a while only if another one had it meanwhile: one
 * that was renamed or dropped, too, or is new.  Else its rights were changed, twice. */
static bool
schema_had_rival(struct pg_session *conn, const char *uri, const PGresult *then, int row,
                 const PGresult *now, bool *had, struct fault *fault)
{
    *had = false;
    for (int other = 0; other < PQntuples(then); other++)
        if (other != row && kind_of(then, other) == 0 && fate_of(then, other, now) != FATE_STILL)
            *had = true;
    return *had || schema_is_new(conn, uri, had, fault);
}

static bool
schema_is_taken(const struct catalog *catalog, const char *schema)
{
    for (size_t i = 0; i < catalog->tables_count; i++)
        if (hold_wants(&catalog->tables[i]) && strcmp(catalog->tables[i].schema, schema) == 0)
            return true;
    return false;
}

static const struct table *
table_of(const struct catalog *catalog, const PGresult *then, int row)
{
    return catalog_table_by_oid(catalog,
                                (uint32_t) strtoul(PQgetvalue(then, row, OWNER), NULL, 10));
}

/* pg_dump writes all schemas, also those of which no table is taken. */
static bool
row_matters(const struct catalog *catalog, enum hold_moment moment, const PGresult *then, int row)
{
    size_t at = kind_of(then, row);

    if (kinds[at].of_table) {
        const struct table *table = table_of(catalog, then, row);
        return table != NULL && hold_wants(table);
    }
    return at != 0 || moment == HOLD_SCRIPTS ||
           schema_is_taken(catalog, PQgetvalue(then, row, NAME));
}

static void
row_describe(const struct catalog *catalog, const PGresult *then, int row, struct text *moved)
{
    if (kinds[kind_of(then, row)].of_table) {
        const struct table *table = table_of(catalog, then, row);
        text_addf(moved, "table %s.%s", table->schema, table->name);
    } else {
        text_addf(moved, "%s %s", PQgetvalue(then, row, NOUN), PQgetvalue(then, row, NAME));
    }
}

/* Find the first row that matters and has not stayed what it was. */
static bool
look_closer(struct pg_session *conn, const char *uri, const struct catalog *catalog,
            enum hold_moment moment, const PGresult *then, const PGresult *now, struct text *moved,
            struct fault *fault)
{
    for (int row = 0; row < PQntuples(then) && moved->size == 0; row++) {
        enum fate fate = fate_of(then, row, now);
        bool had = true;
        if (!fate_matters(&kinds[kind_of(then, row)], fate) ||
            !row_matters(catalog, moment, then, row))
            continue;
        if (kind_of(then, row) == 0 && fate == FATE_REPEATED &&
            !schema_had_rival(conn, uri, then, row, now, &had, fault))
            return false;
        if (had)
            row_describe(catalog, then, row, moved);
    }
    return true;
}

bool
hold_ask(struct pg_session *conn, const char *uri, const struct catalog *catalog,
         enum hold_moment moment, struct text *moved, struct fault *fault)
{
    struct text sql = {0};

    for (size_t at = 0; at < KINDS_COUNT; at++) {
        if (kinds[at].moments & moment) {
            question_add(&sql, at);
            text_add(&sql, touched);
        }
    }
    text_add(&sql, " ORDER BY 1");
    PGresult *then = pg_query(conn, "ask what has been touched", text_of(&sql), fault);
    text_free(&sql);
    if (then == NULL)
        return false;
    bool asked = true;
    if (PQntuples(then) > 0) {
        PGresult *now = ask_again(conn, uri, then, fault);
        asked = now != NULL && look_closer(conn, uri, catalog, moment, then, now, moved, fault);
        PQclear(now);
    }
    PQclear(then);
    return asked;
}

bool
hold_check(struct pg_session *conn, const char *uri, const struct catalog *catalog,
           enum hold_moment moment, struct fault *fault)
{
    struct text moved = {0};
    bool held = hold_ask(conn, uri, catalog, moment, &moved, fault);

    if (held && moved.size > 0)
        held = fault_set(fault, ERR_SOURCE,
                         "%s was renamed or altered at the source while it was being read, so that "
                         "names no longer lead to what the snapshot shows: run it again",
                         text_of(&moved));
    text_free(&moved);
    return held;
}
