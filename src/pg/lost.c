/* lost - the statements of the schema that would fail without a table that is left out (catalog.h).
 *
 * Each is named by its beginning, as pg_dump writes it (pg_dump.c).  fmtId() of fe_utils quotes as
 * pg_dump does, since pg_dump uses it; it keeps static state, so this runs on one thread only,
 * before the workers start. */
#include <postgres_fe.h>

#include <fe_utils/string_utils.h>

#include "base/log.h"
#include "base/text.h"
#include "pg/catalog.h"

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
    text_addf(&sql, "}'::oid[]))%s", query);
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

/* dumpConstraint(): a foreign key whose target is not here. */
static const char keys_sql[] =
    " SELECT c.conrelid, c.conname FROM pg_catalog.pg_constraint c WHERE c.contype = 'f'"
    " AND c.confrelid IN (SELECT oid FROM missing)"
    " AND c.conrelid NOT IN (SELECT oid FROM missing) ORDER BY c.oid";

static void
add_key(struct arena *arena, struct catalog *catalog, const struct table *table,
        const char *const *values)
{
    char *qualified = arena_text(arena, fmtQualifiedId(table->schema, table->name));
    char *key = arena_text(arena, fmtId(values[1]));

    lost_add(arena, catalog, arena_print(arena, "ALTER TABLE %s%s\n    ADD CONSTRAINT %s",
                                         table->kind == 'p' ? "" : "ONLY ", qualified, key));
    lost_add(arena, catalog, arena_print(arena, "COMMENT ON CONSTRAINT %s ON %s", key, qualified));
    log_info("leaving out foreign key %s of %s.%s: its target is left out", values[1],
             table->schema, table->name);
}

/* dumpPublicationTable(): pg_dump adds a table to its publications even when it leaves it out. */
static const char publications_sql[] =
    " SELECT r.prrelid, p.pubname FROM pg_catalog.pg_publication_rel r"
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
    " SELECT DISTINCT r.ev_class, r.rulename, 'CREATE RULE ' || quote_ident(r.rulename)"
    "  || E' AS\\n    ON ' || CASE r.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT'"
    "  ELSE 'DELETE' END || ' TO ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
    " FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass"
    "  AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass"
    " WHERE r.ev_type <> '1' AND d.refobjid IN (SELECT oid FROM missing)"
    " AND r.ev_class NOT IN (SELECT oid FROM missing) ORDER BY 1, 2";

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

enum { LOST_VALUES_MAX = 3 };

/* A query over missing(oid) gives the oid of a table and what names a statement about it. */
struct lost_kind {
    const char *doing, *sql;
    void (*add)(struct arena *, struct catalog *, const struct table *, const char *const *values);
};

static const struct lost_kind kinds[] = {
    {"find the foreign keys to skipped tables", keys_sql, add_key},
    {"find the publications of skipped tables", publications_sql, add_publication},
    {"find the rules that need skipped tables", rules_sql, add_rule},
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
        const struct table *table =
            catalog_table_by_oid(catalog, (uint32_t) strtoul(values[0], NULL, 10));
        if (table != NULL)
            kind->add(arena, catalog, table, values);
    }
    PQclear(result);
    return result != NULL;
}

bool
lost_find(struct pg_session *conn, struct arena *arena, struct catalog *catalog,
          struct fault *fault)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!kind_find(&kinds[i], conn, arena, catalog, fault))
            return false;
    return true;
}
