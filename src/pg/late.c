/* late - which tables' rows mean something else, or are refused, when they come too early
 * (catalog.h).
 *
 * COPY computes stored generated columns, and checks CHECKs, domains and bounds of partitions, by
 * expressions.  Functions that users wrote may read other tables there, whatever they are declared;
 * what stands in a function's body no catalog knows.  So every expression that calls one is
 * suspected, by operators and types, too.  The walk goes from the functions up to the tables:
 * databases without such functions have nothing to walk. */
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"
#include "pg/catalog.h"

#define CLASS(name) "'pg_catalog." name "'::regclass"
#define MEMBER(class, oid) \
    "EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = " class \
    " AND e.objid = " oid " AND e.deptype = 'e')"

/* Of PostgreSQL's own extensions those whose functions look at nothing but their arguments; a CHECK
 * on a citext is common, and its table may be the largest. */
#define CALLABLE \
    "plain(oid) AS (SELECT oid FROM pg_catalog.pg_extension WHERE extname IN ('btree_gin'," \
    "  'btree_gist', 'citext', 'cube', 'earthdistance', 'fuzzystrmatch', 'hstore', 'intarray'," \
    "  'isn', 'ltree', 'pg_trgm', 'pgcrypto', 'seg', 'unaccent', 'uuid-ossp'))," \
    " callable(oid) AS MATERIALIZED (SELECT p.oid FROM pg_catalog.pg_proc p" \
    "  WHERE p.oid >= 16384 AND p.prokind = 'f'" /* FirstNormalObjectId */ \
    "  AND p.prorettype <> ALL ('{pg_catalog.trigger,pg_catalog.event_trigger}'::regtype[])" \
    "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = " CLASS("pg_proc") \
    "   AND e.objid = p.oid AND e.deptype = 'e' AND e.refobjid IN (SELECT oid FROM plain)))," \
    " operator(oid) AS MATERIALIZED (SELECT oid FROM pg_catalog.pg_operator" \
    "  WHERE oprcode IN (SELECT oid FROM callable))," \
    " opclass(oid, type) AS MATERIALIZED (SELECT oid, opcintype FROM pg_catalog.pg_opclass" \
    "  WHERE opcfamily IN (SELECT amprocfamily FROM pg_catalog.pg_amproc WHERE amproc IN" \
    "   (SELECT oid FROM callable) UNION SELECT amopfamily FROM pg_catalog.pg_amop" \
    "   WHERE amopopr IN (SELECT oid FROM operator)))"

/* No dependency is noted on what is built in, so the few of those that read tables, sequences and
 * files are looked for in the stored expressions (pg_proc.dat of the server's source). */
#define READERS \
    "reader(pattern) AS (SELECT ':funcid (' || string_agg(oid::text, '|') || ') '" \
    "  FROM pg_catalog.pg_proc WHERE oid < 16384 AND (proname ~ '^(query|table|cursor|schema|" \
    "database)_to_xml' OR proname ~ '^pg_(relation|table|total_relation|indexes|database)_size$'" \
    "  OR proname IN ('nextval', 'currval', 'lastval', 'setval', 'lo_get', 'ts_stat') OR" \
    "  (proname = 'ts_rewrite' AND provolatile = 'v')))"

/* From what is suspected to what is suspected therefore: the expressions that use it; the columns
 * of a type, and the type of the rows that have it; domains, arrays, ranges over a type; and the
 * partitioned table that is bounded by it.  Before PostgreSQL 15 a generated column depends on what
 * its expression calls as a column does on its type.  A type's functions count when it is a range's
 * or one whose input and output are written outside of extensions; those of extensions' types, all
 * in C, are taken for plain. */
#define TOUCHED \
    "touched(class, oid) AS ((SELECT " CLASS("pg_proc") "::oid, oid FROM callable" \
    "  UNION ALL SELECT " CLASS("pg_operator") "::oid, oid FROM operator" \
    "  UNION ALL SELECT " CLASS("pg_opclass") "::oid, oid FROM opclass" \
    "  UNION ALL SELECT " CLASS("pg_type") "::oid, type FROM opclass WHERE type >= 16384" \
    "   AND NOT " MEMBER(CLASS("pg_type"), "type") \
    "  UNION ALL SELECT " CLASS("pg_constraint") "::oid, c.oid FROM pg_catalog.pg_constraint c" \
    "   WHERE c.contype = 'c' AND c.oid >= 16384 AND" /* position() for its speed */ \
    "   CASE WHEN position(':funcid ' IN c.conbin::text) > 0" \
    "   THEN c.conbin::text ~ (SELECT pattern FROM reader) END)" \
    " UNION SELECT n.class, n.oid FROM touched t, LATERAL (SELECT d.classid, d.objid" \
    "  FROM pg_catalog.pg_depend d" \
    "  LEFT JOIN pg_catalog.pg_class r ON d.classid = " CLASS("pg_class") " AND r.oid = d.objid" \
    "  LEFT JOIN pg_catalog.pg_type y ON d.classid = " CLASS("pg_type") " AND y.oid = d.objid" \
    "  WHERE d.refclassid = t.class AND d.refobjid = t.oid AND CASE d.classid" \
    "   WHEN " CLASS("pg_constraint") " THEN t.class <> " CLASS("pg_class") \
    "   WHEN " CLASS("pg_attrdef") " THEN t.class <> " CLASS("pg_class") \
    "   WHEN " CLASS("pg_class") " THEN t.class <> " CLASS("pg_class") \
    "    AND (d.objsubid > 0 OR r.relkind = 'p')" \
    "   WHEN " CLASS("pg_type") " THEN t.class = " CLASS("pg_type") \
    "    OR (y.typtype IN ('b', 'r') AND NOT " MEMBER(CLASS("pg_type"), "y.oid") ")" \
    "   ELSE false END" \
    "  UNION ALL SELECT " CLASS("pg_type") "::oid, c.contypid FROM pg_catalog.pg_constraint c" \
    "   WHERE t.class = " CLASS("pg_constraint") " AND c.oid = t.oid AND c.contypid <> 0" \
    "   AND c.convalidated" \
    "  UNION ALL SELECT " CLASS("pg_type") "::oid, r.reltype FROM pg_catalog.pg_class r" \
    "   WHERE t.class = " CLASS("pg_class") " AND r.oid = t.oid AND r.reltype <> 0)" \
    " AS n(class, oid))"

/* What is not validated, pg_dump adds when the rows are there.  Configuration tables of extensions
 * have their keys and triggers before the rows come. */
static const char late_sql[] =
    "WITH RECURSIVE " CALLABLE ", " READERS ", " TOUCHED
    " SELECT c.conrelid FROM touched t JOIN pg_catalog.pg_constraint c ON c.oid = t.oid"
    "  WHERE t.class = " CLASS("pg_constraint") " AND c.contype = 'c' AND c.convalidated"
    "  AND c.conrelid <> 0"
    " UNION SELECT a.adrelid FROM touched t JOIN pg_catalog.pg_attrdef a ON a.oid = t.oid"
    "  JOIN pg_catalog.pg_attribute g ON g.attrelid = a.adrelid AND g.attnum = a.adnum"
    "  WHERE t.class = " CLASS("pg_attrdef") " AND g.attgenerated <> ''"
    " UNION SELECT oid FROM touched WHERE class = " CLASS("pg_class")
    " UNION SELECT x.oid FROM pg_catalog.pg_extension e, LATERAL unnest(e.extconfig) AS x(oid)"
    "  WHERE EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = x.oid)";

/* processExtensionTables() of pg_dump. */
static const char keys_sql[] =
    "SELECT c.conrelid, c.confrelid FROM pg_catalog.pg_constraint c,"
    " (SELECT array_agg(x) AS oids FROM pg_catalog.pg_extension, LATERAL unnest(extconfig) AS x)"
    " AS config WHERE c.contype = 'f' AND c.conrelid = ANY (config.oids)"
    " AND c.confrelid = ANY (config.oids) AND c.conrelid <> c.confrelid";

static struct table *
find(struct catalog *catalog, uint32_t oid)
{
    return (struct table *) catalog_table_by_oid(catalog, oid);
}

static uint32_t
get_oid(const PGresult *result, int row, int column)
{
    return (uint32_t) strtoul(PQgetvalue(result, row, column), NULL, 10);
}

/* A partition comes late with its parents, and with its siblings, as rows that are loaded through
 * the root may be theirs. */
static void
late_spread(struct catalog *catalog)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < catalog->tables_count; i++) {
            struct table *table = &catalog->tables[i];
            for (size_t j = 0; j < table->ancestors_count; j++) {
                struct table *parent = find(catalog, table->ancestors[j]);
                if (parent == NULL || parent->kind != 'p')
                    continue;
                if (table->late > 0)
                    parent->late = 1;
                if (parent->late > 0)
                    table->late = 1;
            }
        }
}

/* Whether a table that has no place yet refers to this one. */
static bool
is_needed(struct catalog *catalog, const PGresult *keys, const struct table *table,
          const bool *placed)
{
    for (int row = 0; row < PQntuples(keys); row++) {
        const struct table *other = find(catalog, get_oid(keys, row, 0));
        if (get_oid(keys, row, 1) == table->oid && other != NULL && other->late > 0 &&
            !placed[other - catalog->tables])
            return true;
    }
    return false;
}

/* TopoSort() of pg_dump: from the end, always the last one by schema and name that nothing else
 * needs; the tables stand by schema and name.  In a circle pg_dump's own order would not load. */
static void
late_number(struct arena *arena, struct catalog *catalog, const PGresult *keys, size_t count)
{
    bool *placed = arena_array(arena, catalog->tables_count, sizeof *placed);
    unsigned place = 0;

    for (size_t i = 0; i < catalog->tables_count && PQntuples(keys) == 0; i++)
        if (catalog->tables[i].late > 0)
            catalog->tables[i].late = ++place;
    for (; place == 0 && count > 0; count--) {
        struct table *last = NULL;
        for (size_t i = catalog->tables_count; i-- > 0;) {
            struct table *table = &catalog->tables[i];
            if (table->late == 0 || placed[i])
                continue;
            if (last == NULL)
                last = table;
            if (!is_needed(catalog, keys, table, placed)) {
                last = table;
                break;
            }
        }
        placed[last - catalog->tables] = true;
        last->late = (unsigned) count;
    }
}

/* How many tables come late; of those whose rows are copied. */
static size_t
late_count(struct catalog *catalog, const struct table **first)
{
    size_t count = 0;

    for (size_t i = catalog->tables_count; i-- > 0;) {
        struct table *table = &catalog->tables[i];
        if (!table->copied)
            table->late = 0;
        if (table->late == 0)
            continue;
        *first = table;
        count++;
    }
    return count;
}

bool
late_find(struct pg_session *conn, struct arena *arena, struct catalog *catalog,
          struct fault *fault)
{
    PGresult *result = pg_query(conn, "find the tables whose rows come last", late_sql, fault);
    const struct table *first = NULL;

    for (int row = 0; row < PQntuples(result); row++) {
        struct table *table = find(catalog, get_oid(result, row, 0));
        if (table != NULL)
            table->late = 1;
    }
    bool none = PQntuples(result) == 0;
    PQclear(result);
    if (result == NULL || none)
        return result != NULL;
    late_spread(catalog);
    size_t count = late_count(catalog, &first);
    if (count == 0)
        return true;
    PGresult *keys = pg_query(conn, "read the keys of extensions' tables", keys_sql, fault);
    if (keys == NULL)
        return false;
    late_number(arena, catalog, keys, count);
    PQclear(keys);
    log_info("%zu tables come after all others, one by one, as they compute or check something by "
             "functions that may read other tables: %s.%s%s", count, first->schema, first->name,
             count > 1 ? ", …" : "");
    return true;
}
