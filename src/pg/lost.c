/* lost - the statements of the schema that would fail without a table that is left out, or without
 * its rows (catalog.h).
 *
 * Each is named by its beginning, as pg_dump writes it (pg_dump.c).  fmtId() of fe_utils quotes as
 * pg_dump does, since pg_dump uses it; it keeps static state, so this runs on one thread only,
 * before the workers start. */
#include <postgres_fe.h>

#include <fe_utils/string_utils.h>

#include "base/log.h"
#include "base/text.h"
#include "pg/catalog.h"

/* What goes with the missing tables: their row types and the arrays of those, functions that take,
 * give or use one of all these, views over it.  A view is a relation with a rule for SELECT; other
 * rules are only rules.  What an extension makes is there at the destination. */
static const char gone_sql[] =
    ", gone(class, oid) AS ("
    "SELECT 'pg_catalog.pg_class'::regclass::oid, m.oid FROM missing m WHERE NOT EXISTS (SELECT"
    " FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass"
    " AND e.objid = m.oid AND e.deptype = 'e') "
    "UNION SELECT CASE WHEN r.oid IS NULL THEN d.classid"
    "  ELSE 'pg_catalog.pg_class'::regclass END, coalesce(r.ev_class, d.objid)"
    " FROM gone g JOIN pg_catalog.pg_depend d ON d.refclassid = g.class AND d.refobjid = g.oid"
    " LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass"
    "  AND r.oid = d.objid AND r.ev_type = '1'"
    " LEFT JOIN pg_catalog.pg_proc p ON d.classid = 'pg_catalog.pg_proc'::regclass"
    "  AND p.oid = d.objid AND p.prokind <> 'a'"
    " WHERE r.oid IS NOT NULL OR p.oid IS NOT NULL"
    " OR (d.classid = 'pg_catalog.pg_type'::regclass AND d.deptype = 'i')) ";

PGresult *
lost_query(struct pg_session *conn, const struct catalog *catalog, const char *doing,
           const char *query, struct fault *fault)
{
    struct text sql = {0};
    const char *comma = "";

    text_add(&sql, "WITH RECURSIVE missing(oid) AS (SELECT unnest('{");
    for (size_t i = 0; i < catalog->tables_count; i++) {
        if (catalog->tables[i].included)
            continue;
        text_addf(&sql, "%s%u", comma, catalog->tables[i].oid);
        comma = ",";
    }
    text_add(&sql, "}'::oid[])), bare(oid) AS (SELECT unnest('{");
    comma = "";
    for (size_t i = 0; i < catalog->tables_count; i++) {
        if (catalog->tables[i].copied || catalog->tables[i].kind != 'r')
            continue;
        text_addf(&sql, "%s%u", comma, catalog->tables[i].oid);
        comma = ",";
    }
    text_addf(&sql, "}'::oid[]))%s%s", gone_sql, query);
    PGresult *result = pg_query(conn, doing, text_of(&sql), fault);
    text_free(&sql);
    return result;
}

static void
lost_add(struct arena *arena, struct catalog *catalog, const char *beginning)
{
    catalog->lost = arena_grow(arena, catalog->lost, catalog->lost_count, sizeof *catalog->lost);
    catalog->lost[catalog->lost_count++] = beginning;
}

/* A relation's own oid and those of all its partitions. */
#define FAMILY(relation) \
    "(SELECT " relation " AS oid UNION SELECT relid::oid FROM" \
    " pg_catalog.pg_partition_tree(" relation ")) AS f"

/* dumpConstraint() writes a key once, for the topmost table that has it: what it has become for the
 * partitions at either end follows from that.  It can't be made when the table that it refers to is
 * not here, and need not hold when rows of it are not, be it those of one partition, while the rows
 * that refer to them are. */
#define KEYS \
    "SELECT * FROM (SELECT c.conrelid, c.conname, coalesce((SELECT" \
    " 'the table that it refers to is left out'" \
    "  FROM missing m WHERE m.oid = c.confrelid AND e.objid IS NULL), (SELECT" \
    "  min(format('it may refer to rows of %s.%s, which are left out', n.nspname, t.relname))" \
    "  FROM " FAMILY("c.confrelid") " JOIN bare b ON b.oid = f.oid" \
    "  JOIN pg_catalog.pg_class t ON t.oid = f.oid" \
    "  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace" \
    "  WHERE c.convalidated AND EXISTS (SELECT FROM " FAMILY("c.conrelid") \
    "   JOIN pg_catalog.pg_class t ON t.oid = f.oid AND t.relkind = 'r'" \
    "   WHERE f.oid NOT IN (SELECT oid FROM bare)))) AS why, e.objid IS NOT NULL AS of_extension" \
    " FROM pg_catalog.pg_constraint c LEFT JOIN pg_catalog.pg_depend e ON e.objid = c.conrelid" \
    "  AND e.classid = 'pg_catalog.pg_class'::regclass AND e.deptype = 'e'" \
    " WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid NOT IN (SELECT oid FROM missing)" \
    " ORDER BY c.oid) AS k WHERE k.why IS NOT NULL AND "

static const char keys_sql[] = KEYS "NOT k.of_extension";

/* They are there before the rows come. */
static const char extension_keys_sql[] =
    "SELECT k.conname, k.conrelid::regclass, k.why FROM (" KEYS "k.of_extension) AS k LIMIT 1";

static void
add_key(struct arena *arena, struct catalog *catalog, const struct table *table,
        const char *const *values)
{
    char *qualified = arena_text(arena, fmtQualifiedId(table->schema, table->name));
    char *key = arena_text(arena, fmtId(values[1]));

    lost_add(arena, catalog, arena_print(arena, "ALTER TABLE %s%s\n    ADD CONSTRAINT %s",
                                         table->kind == 'p' ? "" : "ONLY ", qualified, key));
    lost_add(arena, catalog, arena_print(arena, "COMMENT ON CONSTRAINT %s ON %s", key, qualified));
    log_info("leaving out foreign key %s of %s.%s: %s", values[1], table->schema, table->name,
             values[2]);
}

/* dumpPublicationTable(): pg_dump adds a table to its publications even when it leaves it out. */
static const char publications_sql[] =
    "SELECT r.prrelid, p.pubname FROM pg_catalog.pg_publication_rel r"
    " JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid"
    " WHERE r.prrelid IN (SELECT oid FROM missing)";

static void
add_publication(struct arena *arena, struct catalog *catalog, const struct table *table,
                const char *const *values)
{
    char *publication = arena_text(arena, fmtId(values[1]));

    lost_add(arena, catalog, arena_print(arena, "ALTER PUBLICATION %s ADD TABLE ONLY %s",
                                         publication, fmtQualifiedId(table->schema, table->name)));
}

/* dumpRule(): the server itself writes CREATE RULE, pg_dump what is said about the rule.  Rules of
 * two tables may share a name, hence the beginning reaches to the table. */
static const char rules_sql[] =
    "SELECT DISTINCT r.ev_class, r.rulename, 'CREATE RULE ' || quote_ident(r.rulename)"
    "  || E' AS\\n    ON ' || CASE r.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT'"
    "  ELSE 'DELETE' END || ' TO ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
    " FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass"
    "  AND d.objid = r.oid JOIN gone g ON g.class = d.refclassid AND g.oid = d.refobjid"
    " WHERE r.ev_type <> '1' AND r.ev_class NOT IN (SELECT oid FROM missing) ORDER BY 1, 2";

static void
add_rule(struct arena *arena, struct catalog *catalog, const struct table *table,
         const char *const *values)
{
    static const char *const firings[] = {"ENABLE ALWAYS", "ENABLE REPLICA", "DISABLE"};
    char *qualified = arena_text(arena, fmtQualifiedId(table->schema, table->name));
    char *rule = arena_text(arena, fmtId(values[1]));

    lost_add(arena, catalog, arena_text(arena, values[2]));
    lost_add(arena, catalog, arena_print(arena, "COMMENT ON RULE %s ON %s", rule, qualified));
    for (size_t i = 0; i < sizeof firings / sizeof *firings; i++)
        lost_add(arena, catalog,
                 arena_print(arena, "ALTER TABLE %s %s RULE %s", qualified, firings[i], rule));
    log_info("leaving out rule %s of %s.%s: it needs a table that is left out", values[1],
             table->schema, table->name);
}

/* dumpPolicy().  A table whose row-level security is enabled shows no row that a permissive policy
 * does not let pass; a restrictive one hides more. */
static const char policies_sql[] =
    "SELECT DISTINCT p.polrelid, p.polname,"
    "  CASE WHEN p.polpermissive THEN 'stricter' ELSE 'weaker' END"
    " FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_depend d"
    "  ON d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid"
    " JOIN gone g ON g.class = d.refclassid AND g.oid = d.refobjid"
    " WHERE p.polrelid NOT IN (SELECT oid FROM missing) ORDER BY 1, 2";

static void
add_policy(struct arena *arena, struct catalog *catalog, const struct table *table,
           const char *const *values)
{
    char *qualified = arena_text(arena, fmtQualifiedId(table->schema, table->name));
    char *policy = arena_text(arena, fmtId(values[1]));

    lost_add(arena, catalog, arena_print(arena, "CREATE POLICY %s ON %s", policy, qualified));
    lost_add(arena, catalog, arena_print(arena, "COMMENT ON POLICY %s ON %s", policy, qualified));
    log_warning("leaving out policy %s of %s.%s: it needs a table that is left out, and without "
                "the policy row-level security is %s", values[1], table->schema, table->name,
                values[2]);
}

/* dumpFunc(): the server itself writes the arguments. */
static const char functions_sql[] =
    "SELECT 0, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, n.nspname, p.proname,"
    "  pg_catalog.pg_get_function_arguments(p.oid),"
    "  pg_catalog.pg_get_function_identity_arguments(p.oid)"
    " FROM gone g JOIN pg_catalog.pg_proc p ON p.oid = g.oid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
    " WHERE g.class = 'pg_catalog.pg_proc'::regclass ORDER BY p.oid";

static void
add_function(struct arena *arena, struct catalog *catalog, const struct table *table,
             const char *const *values)
{
    static const char *const facts[] = {"COMMENT ON", "ALTER", "REVOKE ALL ON", "GRANT ALL ON"};
    const char *keyword = values[1];
    char *qualified = arena_text(arena, fmtQualifiedId(values[2], values[3]));
    (void) table;

    lost_add(arena, catalog,
             arena_print(arena, "CREATE %s %s(%s)", keyword, qualified, values[4]));
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        lost_add(arena, catalog, arena_print(arena, "%s %s %s(%s)", facts[i], keyword, qualified,
                                             values[5]));
    log_info("leaving out %s %s(%s): it needs a table that is left out",
             keyword[0] == 'P' ? "procedure" : "function", qualified, values[5]);
}

enum { LOST_VALUES_MAX = 6 };

/* A query, as for lost_query(), gives the oid of a table, or 0, and what names a statement. */
struct lost_kind {
    const char *doing, *sql;
    void (*add)(struct arena *, struct catalog *, const struct table *, const char *const *values);
};

static const struct lost_kind kinds[] = {
    {"find the foreign keys to skipped tables", keys_sql, add_key},
    {"find the publications of skipped tables", publications_sql, add_publication},
    {"find the rules that need skipped tables", rules_sql, add_rule},
    {"find the policies that need skipped tables", policies_sql, add_policy},
    {"find the functions that need skipped tables", functions_sql, add_function},
};

static bool
kind_find(const struct lost_kind *kind, struct pg_session *conn, struct arena *arena,
          struct catalog *catalog, struct fault *fault)
{
    PGresult *result = lost_query(conn, catalog, kind->doing, kind->sql, fault);

    for (int row = 0; row < PQntuples(result); row++) {
        const char *values[LOST_VALUES_MAX] = {0};
        for (int i = 0; i < PQnfields(result) && i < LOST_VALUES_MAX; i++)
            values[i] = PQgetvalue(result, row, i);
        uint32_t oid = (uint32_t) strtoul(values[0], NULL, 10);
        const struct table *table = catalog_table_by_oid(catalog, oid);
        if (oid == 0 || table != NULL)
            kind->add(arena, catalog, table, values);
    }
    PQclear(result);
    return result != NULL;
}

/* What goes with a missing table may be needed where leaving out more would be no answer: for a
 * column of its row type, by a default, a check, an index, a trigger, an aggregate. */
static const char needed_sql[] =
    "SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid),"
    "  pg_catalog.pg_describe_object(g.class, g.oid, 0)"
    " FROM gone g JOIN pg_catalog.pg_depend d ON d.refclassid = g.class AND d.refobjid = g.oid"
    " WHERE g.class <> 'pg_catalog.pg_class'::regclass AND d.deptype IN ('n', 'a')"
    " AND d.classid <> ALL ('{pg_catalog.pg_policy,pg_catalog.pg_rewrite}'::regclass[])"
    " AND NOT EXISTS (SELECT FROM gone o WHERE o.class = d.classid AND o.oid = d.objid)"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend o JOIN gone m"
    "  ON m.class = 'pg_catalog.pg_class'::regclass AND o.refclassid = m.class"
    "  AND o.refobjid = m.oid WHERE o.classid = d.classid AND o.objid = d.objid"
    "  AND o.deptype IN ('a', 'i')) ORDER BY 1 LIMIT 1";

static bool
refuse_needed(struct pg_session *conn, const struct catalog *catalog, struct fault *fault)
{
    PGresult *result = lost_query(conn, catalog, "find what needs skipped tables", needed_sql,
                                  fault);

    if (PQntuples(result) > 0)
        fault_set(fault, ERR_CONFIG,
                  "%s needs %s, which goes with a table that is left out: take that table along, "
                  "if need be without its rows (REPLICA_SKIP_DATA)",
                  PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
    PQclear(result);
    return fault->err == ERR_NONE;
}

static bool
refuse_extension_keys(struct pg_session *conn, const struct catalog *catalog, struct fault *fault)
{
    PGresult *result = lost_query(conn, catalog, "find extensions' keys to skipped rows",
                                  extension_keys_sql, fault);

    if (PQntuples(result) > 0)
        fault_set(fault, ERR_CONFIG,
                  "foreign key %s of %s, which an extension makes, can't hold: %s; leave out the "
                  "rows of %s, too (REPLICA_SKIP_DATA)",
                  PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2),
                  PQgetvalue(result, 0, 1));
    PQclear(result);
    return fault->err == ERR_NONE;
}

bool
lost_find(struct pg_session *conn, struct arena *arena, struct catalog *catalog,
          struct fault *fault)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!kind_find(&kinds[i], conn, arena, catalog, fault))
            return false;
    return refuse_needed(conn, catalog, fault) && refuse_extension_keys(conn, catalog, fault);
}
