/* catalog - see catalog.h.
 *
 * Two queries, not one per table: a database of 10,000 tables is read in a second. */
#include "pg/catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "pg/hold.h"

/* Schemas that begin with pg_ are the system's (PostgreSQL documentation, CREATE SCHEMA).
 * $ancestors: every parent, nearest first, by inheritance or partitioning. */
static const char tables_sql[] =
    "WITH RECURSIVE config AS ("
    "  SELECT c.oid, x.condition FROM pg_catalog.pg_extension e,"
    "  LATERAL unnest(e.extconfig, e.extcondition) AS x(oid, condition)"
    "  JOIN pg_catalog.pg_class c ON c.oid = x.oid WHERE c.relkind = 'r'), "
    "lineage(oid, ancestor, depth) AS ("
    "  SELECT inhrelid, inhparent, 1 FROM pg_catalog.pg_inherits"
    "  UNION SELECT l.oid, i.inhparent, l.depth + 1 FROM lineage l"
    "  JOIN pg_catalog.pg_inherits i ON i.inhrelid = l.ancestor) "
    "SELECT c.oid, n.nspname, c.relname, c.relkind, config.condition,"
    "  has_table_privilege(c.oid, 'SELECT'),"
    "  row_security_active(c.oid), c.reltuples::bigint,"
    "  (SELECT string_agg(l.ancestor::text, ' ' ORDER BY l.depth) FROM lineage l"
    "   WHERE l.oid = c.oid),"
    "  member.objid IS NOT NULL,"
    "  EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_opclass o"
    "   ON o.oid = ANY (p.partclass) WHERE p.partrelid = c.oid AND p.partstrat = 'h'"
    "   AND o.opcname = 'enum_ops') "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN config ON config.oid = c.oid "
    "LEFT JOIN pg_catalog.pg_depend member ON member.classid = 'pg_catalog.pg_class'::regclass"
    "  AND member.objid = c.oid AND member.deptype = 'e' "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' "
    "  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
    "  AND (member.objid IS NULL OR config.oid IS NOT NULL) "
    "ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

static const char columns_sql[] =
    "WITH RECURSIVE domain(oid, base, typmod, not_null) AS ("
    "  SELECT oid, typbasetype, typtypmod, typnotnull FROM pg_catalog.pg_type WHERE typtype = 'd'"
    "  UNION ALL SELECT d.oid, t.typbasetype, t.typtypmod, d.not_null OR t.typnotnull FROM domain d"
    "  JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype = 'd') "
    "SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),"
    "  CASE WHEN b.oid < 16384 OR (b.typname = 'citext' AND b.typtype = 'b') THEN b.typname"
    "   ELSE pg_catalog.format_type(b.oid, NULL) END," /* no user's type called text or date */
    "  coalesce(d.typmod, a.atttypmod), a.attnotnull OR coalesce(d.not_null, false),"
    "  a.attgenerated <> '', b.oid < 16384, a.xmax <> 0 " /* FirstNormalObjectId */
    "FROM pg_catalog.pg_attribute a "
    "LEFT JOIN (domain d JOIN pg_catalog.pg_type bt ON bt.oid = d.base AND bt.typtype <> 'd')"
    "  ON d.oid = a.atttypid "
    "JOIN pg_catalog.pg_type b ON b.oid = coalesce(d.base, a.atttypid) "
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY ('{%s}'::oid[]) "
    "ORDER BY a.attrelid, a.attnum";

static bool
is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static uint32_t
get_oid(const PGresult *result, int row, int column)
{
    return (uint32_t) strtoul(PQgetvalue(result, row, column), NULL, 10);
}

static void
ancestors_read(struct arena *arena, struct table *table, const char *list)
{
    size_t count = 1;
    for (const char *at = list; *at != '\0'; at++)
        count += *at == ' ';
    uint32_t *oids = arena_array(arena, count, sizeof *oids);
    for (size_t i = 0; i < count; i++) {
        char *end;
        oids[i] = (uint32_t) strtoul(list, &end, 10);
        list = end;
    }
    table->ancestors = oids;
    table->ancestors_count = count;
}

static bool
tables_read(struct pg_session *conn, struct arena *arena, struct catalog *catalog,
            struct fault *fault)
{
    PGresult *result = pg_query(conn, "read the list of tables", tables_sql, fault);
    if (result == NULL)
        return false;

    catalog->tables_count = (size_t) PQntuples(result);
    catalog->tables = arena_array(arena, catalog->tables_count, sizeof *catalog->tables);
    for (size_t i = 0; i < catalog->tables_count; i++) {
        struct table *table = &catalog->tables[i];
        int row = (int) i;
        long long rows = strtoll(PQgetvalue(result, row, 7), NULL, 10);
        table->oid = get_oid(result, row, 0);
        table->schema = arena_text(arena, PQgetvalue(result, row, 1));
        table->name = arena_text(arena, PQgetvalue(result, row, 2));
        table->kind = PQgetvalue(result, row, 3)[0];
        table->condition = PQgetvalue(result, row, 4)[0] == '\0'
                               ? NULL : arena_text(arena, PQgetvalue(result, row, 4));
        table->readable = is_true(result, row, 5);
        table->filtered = is_true(result, row, 6);
        table->rows_estimate = rows > 0 ? (uint64_t) rows : 0;
        if (!PQgetisnull(result, row, 8))
            ancestors_read(arena, table, PQgetvalue(result, row, 8));
        table->of_extension = is_true(result, row, 9);
        table->unstable = is_true(result, row, 10);
    }
    PQclear(result);
    return true;
}

static enum value_kind
kind_of(const char *base)
{
    static const struct {
        const char *name;
        enum value_kind kind;
    } kinds[] = {
        {"text", VALUE_TEXT},    {"varchar", VALUE_TEXT},        {"bpchar", VALUE_TEXT},
        {"citext", VALUE_TEXT},  {"name", VALUE_TEXT},           {"int2", VALUE_INTEGER},
        {"int4", VALUE_INTEGER}, {"int8", VALUE_INTEGER},        {"numeric", VALUE_NUMERIC},
        {"float4", VALUE_FLOAT}, {"float8", VALUE_FLOAT},        {"bool", VALUE_BOOLEAN},
        {"date", VALUE_DATE},    {"timestamp", VALUE_TIMESTAMP}, {"timestamptz", VALUE_TIMESTAMP},
        {"uuid", VALUE_UUID},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, base) == 0)
            return kinds[i].kind;
    return VALUE_OTHER;
}

/* What a type modifier means: PostgreSQL's varchar.c (length + 4) and numeric.c (precision << 16 |
 * scale in 11 bits with sign, + 4). */
static void
limits_of(struct column *column, int typmod)
{
    const char *base = column->base_type;

    column->kind = kind_of(base);
    if (strcmp(base, "name") == 0)
        column->length_max = 63;
    else if (column->kind == VALUE_TEXT && typmod >= 4)
        column->length_max = typmod - 4;
    if (column->kind == VALUE_NUMERIC && typmod >= 4) {
        column->precision = (typmod - 4) >> 16 & 0xffff;
        column->scale = ((typmod - 4) & 0x7ff) ^ 1024;
        column->scale -= 1024;
    }
    if (column->kind == VALUE_INTEGER || column->kind == VALUE_FLOAT)
        column->byte_width = base[strlen(base) - 1] - '0';
    column->blank_padded = strcmp(base, "bpchar") == 0;
    column->with_zone = strcmp(base, "timestamptz") == 0;
}

/* Types whose binary form names no object of one database, and is read by every server since
 * PostgreSQL 13 as older ones have written it (their receive functions in the server's
 * src/backend/utils/adt).
 * Not the other way: numeric has infinities since 14, interval since 17, and older servers take
 * the latter for 178 million years. */
static bool
type_is_portable(const char *base)
{
    static const char *const names[] = {
        "bool",        "int2",    "int4",     "int8", "float4", "float8",    "numeric",
        "text",        "varchar", "bpchar",   "name", "bytea",  "date",      "time",
        "timetz",      "interval", "timestamp", "uuid", "json",  "timestamptz", "jsonb",
        "inet",        "cidr",    "macaddr",  "bit",  "varbit", "oid",
    };

    base += base[0] == '_'; /* an array carries its element type's oid, everywhere the same */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], base) == 0)
            return true;
    return false;
}

static int
by_oid(const void *left, const void *right)
{
    uint32_t a = (*(struct table *const *) left)->oid, b = (*(struct table *const *) right)->oid;
    return (a > b) - (a < b);
}

/* The columns come ordered by oid: walk them beside the tables in that order.  Returns whether
 * somebody has touched one since the snapshot (hold.h). */
static bool
columns_take(const PGresult *result, const char *encoding, struct arena *arena,
             struct table **tables, size_t tables_count)
{
    bool touched = false, other = strcmp(encoding, "UTF8") != 0 &&
                                  strcmp(encoding, "SQL_ASCII") != 0;
    int rows = PQntuples(result), row = 0;

    for (size_t i = 0; i < tables_count; i++) {
        struct table *table = tables[i];
        int begin = row;
        while (row < rows && get_oid(result, row, 0) == table->oid)
            row++;
        table->columns_count = (size_t) (row - begin);
        table->columns = arena_array(arena, table->columns_count, sizeof *table->columns);
        table->portable = table->columns_count > 0;
        for (size_t j = 0; j < table->columns_count; j++) {
            struct column *column = &table->columns[j];
            int at = begin + (int) j;
            column->name = arena_text(arena, PQgetvalue(result, at, 1));
            column->type = arena_text(arena, PQgetvalue(result, at, 2));
            column->base_type = arena_text(arena, PQgetvalue(result, at, 3));
            limits_of(column, (int) strtol(PQgetvalue(result, at, 4), NULL, 10));
            column->not_null = is_true(result, at, 5);
            column->generated = is_true(result, at, 6);
            column->other_encoding = other;
            touched = touched || is_true(result, at, 8);
            if (!is_true(result, at, 7) || !type_is_portable(column->base_type))
                table->portable = table->portable && column->generated;
        }
    }
    assert(row == rows);
    return touched;
}

static bool
columns_read(struct pg_session *conn, struct arena *arena, struct catalog *catalog, bool *touched,
             struct fault *fault)
{
    struct text oids = {0}, sql = {0};
    struct table **tables = arena_array(arena, catalog->tables_count, sizeof *tables);

    for (size_t i = 0; i < catalog->tables_count; i++) {
        tables[i] = &catalog->tables[i];
        text_addf(&oids, "%s%u", i == 0 ? "" : ",", tables[i]->oid);
    }
    qsort(tables, catalog->tables_count, sizeof *tables, by_oid);
    text_addf(&sql, columns_sql, text_of(&oids));
    PGresult *result = pg_query(conn, "read the list of columns", text_of(&sql), fault);
    if (result != NULL)
        *touched = columns_take(result, pg_encoding(conn), arena, tables, catalog->tables_count);
    PQclear(result);
    text_free(&sql);
    text_free(&oids);
    return result != NULL;
}

/* An error before the first byte instead of one in the middle, or of a dump with rows missing.  Who
 * may read each column, but not the table, may not lock it. */
static bool
refuse_unreadable(const struct pg_session *conn, const struct catalog *catalog, struct fault *fault)
{
    struct text denied = {0}, filtered = {0};

    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *table = &catalog->tables[i];
        struct text *list = hold_wants(table) && !table->readable ? &denied
                          : table->copied && table->filtered ? &filtered : NULL;
        if (list != NULL) {
            text_add(list, list->size == 0 ? "" : ", ");
            text_add_name_pair(list, table->schema, table->name);
        }
    }
    if (denied.size > 0)
        fault_set(fault, ERR_SOURCE,
                  "role %s may not read %s: grant SELECT on the whole table, or leave it out with "
                  "REPLICA_SKIP_TABLES",
                  PQuser(conn->pq), text_of(&denied));
    else if (filtered.size > 0)
        fault_set(fault, ERR_SOURCE,
                  "row-level security would hide rows of %s from role %s: use a role with "
                  "BYPASSRLS, or leave the table out with REPLICA_SKIP_DATA",
                  text_of(&filtered), PQuser(conn->pq));
    text_free(&denied);
    text_free(&filtered);
    return fault->err == ERR_NONE;
}

/* Sizes come from the files, not from pg_class.relpages, which is 0 for a table never analysed; and
 * from those that hold rows: pg_table_size() looks at four times as many, which takes long with
 * thousands of tables.  Blocks count only where the server finds a range of them by itself: TID
 * range scans came with PostgreSQL 14, for tables of the access method heap. */
static bool
sizes_read(struct pg_session *conn, struct catalog *catalog, struct fault *fault)
{
    struct text sql = {0};

    text_add(&sql, "SELECT o, heap + toast, CASE WHEN amname = 'heap'"
                   "  THEN heap / current_setting('block_size')::int8 ELSE 0 END"
                   " FROM (SELECT o, i, a.amname,"
                   "  coalesce(pg_catalog.pg_relation_size(o), 0) AS heap,"
                   "  coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0)"
                   "  AS toast"
                   "  FROM (VALUES (0::oid, 0)");
    for (size_t i = 0; i < catalog->tables_count; i++)
        if (catalog->tables[i].copied)
            text_addf(&sql, ", (%u, %zu)", catalog->tables[i].oid, i);
    text_add(&sql, ") AS t(o, i) LEFT JOIN pg_catalog.pg_class c ON c.oid = o"
                   " LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam OFFSET 0) AS s ORDER BY i");
    PGresult *result = pg_query(conn, "read the sizes of the tables", text_of(&sql), fault);
    text_free(&sql);
    if (result == NULL)
        return false;

    int row = 0;
    for (size_t i = 0; i < catalog->tables_count; i++) {
        if (!catalog->tables[i].copied)
            continue;
        while (get_oid(result, row, 0) != catalog->tables[i].oid)
            row++;
        catalog->tables[i].bytes = strtoull(PQgetvalue(result, row, 1), NULL, 10);
        if (conn->server_version >= 140000)
            catalog->tables[i].blocks = strtoull(PQgetvalue(result, row, 2), NULL, 10);
    }
    PQclear(result);
    return true;
}

/* That they stay away is worth a line: nobody finds them by a table's name. */
static bool
large_objects_read(struct pg_session *conn, const struct selection *selection,
                   struct catalog *catalog, struct fault *fault)
{
    PGresult *result = pg_query(conn, "count the large objects",
                                "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata", fault);
    if (result == NULL)
        return false;
    catalog->large_objects = selection->large_objects;
    catalog->large_objects_count = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    if (!catalog->large_objects && catalog->large_objects_count > 0)
        log_info("leaving out the large objects, %s in number: REPLICA_LARGE_OBJECTS=yes takes "
                 "them", PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

/* Large objects come last in a dump: a right that is missing must not show only then.  Servers
 * before 18 have no function that tells; the rights are the owner's, and what the list grants. */
static bool
refuse_unreadable_large_objects(struct pg_session *conn, const struct catalog *catalog,
                                struct fault *fault)
{
    if (!catalog->large_objects)
        return true;
    PGresult *result = pg_query(conn, "read the rights on large objects",
        "SELECT count(*), min(m.oid) FROM pg_catalog.pg_largeobject_metadata m"
        " WHERE NOT current_setting('lo_compat_privileges')::boolean"
        " AND NOT pg_has_role(m.lomowner, 'USAGE') AND NOT EXISTS (SELECT FROM"
        " pg_catalog.aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'"
        " AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))", fault);
    if (result == NULL)
        return false;
    if (strcmp(PQgetvalue(result, 0, 0), "0") != 0)
        fault_set(fault, ERR_SOURCE,
                  "role %s may not read %s large objects, among them %s: grant SELECT on them, or "
                  "leave all large objects out with REPLICA_LARGE_OBJECTS=no",
                  PQuser(conn->pq), PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
    PQclear(result);
    return fault->err == ERR_NONE;
}

/* Read and lock the tables under the snapshot; moved tells what was altered in between.  To look at
 * all columns twice takes long with thousands of tables. */
static bool
tables_try(struct pg_session *conn, const char *uri, const struct selection *selection,
           struct arena *arena, struct catalog *catalog, struct text *moved, struct fault *fault)
{
    bool touched = false;

    *catalog = (struct catalog){0};
    if (!tables_read(conn, arena, catalog, fault) || !selection_mark(selection, catalog, fault))
        return false;
    struct fault locking = {0};
    enum hold_locked locked = hold_lock(conn, catalog, &locking);
    if (locked == HOLD_AGAIN)
        text_add(moved, locking.text);
    else
        fault_hand_over(fault, &locking);
    if (locked != HOLD_DONE)
        return locked == HOLD_AGAIN;
    if (!hold_ask(conn, uri, catalog, HOLD_TABLES, moved, fault) ||
        !columns_read(conn, arena, catalog, &touched, fault))
        return false;
    return !touched || moved->size > 0 ||
           hold_ask(conn, uri, catalog, HOLD_COLUMNS, moved, fault);
}

/* A new snapshot, with the locks taken before it: what they hold can't have changed in between. */
static bool
snapshot_again(struct pg_session *conn, const struct catalog *catalog, struct snapshot *snapshot,
               struct fault *fault)
{
    struct fault locking = {0};

    if (!pg_run(conn, "begin again", "ROLLBACK", fault) || !snapshot_begin(conn, fault))
        return false;
    enum hold_locked locked = hold_lock(conn, catalog, &locking);
    if (locked == HOLD_FAILED)
        fault_hand_over(fault, &locking);
    if (locked == HOLD_AGAIN && !pg_run(conn, "begin again", "ROLLBACK", fault))
        return false;
    return locked != HOLD_FAILED && snapshot_export(conn, snapshot, fault);
}

/* Seldom is anything altered just now, so the snapshot comes first and the tables are read once.
 * Where something was, those that were seen are locked before the next snapshot, and only new ones
 * can be altered under it. */
static bool
tables_hold(struct pg_session *conn, const char *uri, const struct selection *selection,
            struct arena *arena, struct snapshot *snapshot, struct catalog *catalog,
            struct fault *fault)
{
    for (int tries = 1;; tries++) {
        struct text moved = {0};
        bool done = tables_try(conn, uri, selection, arena, catalog, &moved, fault);
        bool again = done && moved.size > 0;
        if (again && tries < HOLD_TRIES_MAX)
            log_info("%s: altered between the snapshot and its lock, beginning again",
                     text_of(&moved));
        else if (again)
            done = fault_set(fault, ERR_SOURCE,
                             "%s: altered at the source between snapshot and lock, %d times in a "
                             "row; run it again when the tables are no longer being altered",
                             text_of(&moved), HOLD_TRIES_MAX);
        text_free(&moved);
        if (!done || !again)
            return done;
        if (!snapshot_again(conn, catalog, snapshot, fault))
            return false;
    }
}

bool
catalog_read(struct pg_session *conn, const char *uri, const struct selection *selection,
             struct arena *arena, struct snapshot *snapshot, struct catalog *catalog,
             struct fault *fault)
{
    return tables_hold(conn, uri, selection, arena, snapshot, catalog, fault) &&
           selection_follow(conn, arena, catalog, fault) &&
           late_find(conn, arena, catalog, fault) &&
           refuse_unreadable(conn, catalog, fault) &&
           large_objects_read(conn, selection, catalog, fault) &&
           refuse_unreadable_large_objects(conn, catalog, fault) &&
           sizes_read(conn, catalog, fault);
}

const struct table *
catalog_table(const struct catalog *catalog, const char *schema, const char *name)
{
    for (size_t i = 0; i < catalog->tables_count; i++)
        if (strcmp(catalog->tables[i].schema, schema) == 0 &&
            strcmp(catalog->tables[i].name, name) == 0)
            return &catalog->tables[i];
    return NULL;
}

const struct table *
catalog_table_by_oid(const struct catalog *catalog, uint32_t oid)
{
    for (size_t i = 0; i < catalog->tables_count; i++)
        if (catalog->tables[i].oid == oid)
            return &catalog->tables[i];
    return NULL;
}
