/* selection - which tables a dump takes, and what follows from that (catalog.h). */
#include <postgres_fe.h>

#include <fe_utils/string_utils.h>

#include "base/log.h"
#include "base/text.h"
#include "pg/catalog.h"

/* fmtId() of fe_utils quotes as pg_dump does, since pg_dump uses it; it keeps static state, so this
 * runs on one thread only, before the workers start. */

static bool
refuse_idle_patterns(const struct patterns *patterns, const struct catalog *catalog,
                     const char *variable, struct fault *fault)
{
    struct text idle = {0};

    for (size_t i = 0; i < patterns->count; i++) {
        const struct pattern *pattern = &patterns->items[i];
        bool used = false;
        for (size_t j = 0; j < catalog->tables_count && !used; j++)
            used = pattern_part_fits(&pattern->schema, catalog->tables[j].schema) &&
                   pattern_part_fits(&pattern->name, catalog->tables[j].name);
        if (!used)
            text_addf(&idle, "%s%s", idle.size == 0 ? "" : ", ", pattern->written);
    }
    if (idle.size > 0)
        fault_set(fault, ERR_CONFIG,
                  "%s: no table matches %s (unquoted names are folded to lower case)", variable,
                  text_of(&idle));
    text_free(&idle);
    return fault->err == ERR_NONE;
}

static struct table *
find(struct catalog *catalog, uint32_t oid)
{
    return (struct table *) catalog_table_by_oid(catalog, oid);
}

/* Children go with their parents: taken with a taken one unless skipped by name, skipped with a
 * skipped one; a parent of what is taken is taken too, or the child could not be attached, but
 * without rows. */
static void
mark_tables(const struct selection *selection, struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->tables_count; i++) {
        struct table *table = &catalog->tables[i];
        bool taken = selection->tables.count == 0 ||
                     patterns_find(&selection->tables, table->schema, table->name) != NULL;
        bool skipped = patterns_find(&selection->skip_tables, table->schema, table->name) != NULL;
        bool without_rows =
            patterns_find(&selection->skip_data, table->schema, table->name) != NULL;
        for (size_t j = 0; j < table->ancestors_count; j++) {
            const struct table *parent = find(catalog, table->ancestors[j]);
            if (parent == NULL)
                continue;
            taken = taken ||
                    patterns_find(&selection->tables, parent->schema, parent->name) != NULL;
            skipped = skipped ||
                      patterns_find(&selection->skip_tables, parent->schema, parent->name) != NULL;
            without_rows =
                without_rows ||
                patterns_find(&selection->skip_data, parent->schema, parent->name) != NULL;
        }
        table->included = taken && !skipped;
        table->copied = table->included && table->kind == 'r' && !without_rows;
    }
    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *table = &catalog->tables[i];
        for (size_t j = 0; table->included && j < table->ancestors_count; j++) {
            struct table *parent = find(catalog, table->ancestors[j]);
            if (parent != NULL)
                parent->included = true;
        }
    }
}

static bool
list_missing(const struct catalog *catalog, struct text *oids)
{
    for (size_t i = 0; i < catalog->tables_count; i++)
        if (!catalog->tables[i].included)
            text_addf(oids, "%s%u", oids->size == 0 ? "" : ",", catalog->tables[i].oid);
    return oids->size > 0;
}

/* With a list of tables, a view is taken when the tables under it are; without one of them it
 * cannot be made. */
static bool
mark_views(struct pg_session *conn, const struct selection *selection, struct catalog *catalog,
           struct fault *fault)
{
    struct text oids = {0}, sql = {0};

    for (size_t i = 0; i < catalog->tables_count; i++) {
        struct table *table = &catalog->tables[i];
        if ((table->kind == 'v' || table->kind == 'm') && selection->tables.count > 0)
            table->included =
                patterns_find(&selection->skip_tables, table->schema, table->name) == NULL;
    }
    if (!list_missing(catalog, &oids)) {
        text_free(&oids);
        return true;
    }
    text_addf(&sql, "WITH RECURSIVE gone(oid) AS (SELECT unnest('{%s}'::oid[]) UNION"
              " SELECT r.ev_class FROM gone g JOIN pg_catalog.pg_depend d"
              "  ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = g.oid"
              "  AND d.classid = 'pg_catalog.pg_rewrite'::regclass"
              " JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid) SELECT oid FROM gone",
              text_of(&oids));
    PGresult *result = pg_query(conn, "find the views over skipped tables", text_of(&sql), fault);
    for (int i = 0; i < PQntuples(result); i++) {
        struct table *table = find(catalog, (uint32_t) strtoul(PQgetvalue(result, i, 0), NULL, 10));
        if (table != NULL && table->included) {
            log_info("leaving out view %s.%s: it needs a table that is left out", table->schema,
                     table->name);
            table->included = false;
        }
    }
    PQclear(result);
    text_free(&sql);
    text_free(&oids);
    return result != NULL;
}

/* Run a query that names the tables that are left out twice. */
static PGresult *
query_missing(struct pg_session *conn, const struct catalog *catalog, const char *doing,
              const char *before, const char *between, const char *after, struct fault *fault)
{
    struct text oids = {0}, sql = {0};

    list_missing(catalog, &oids);
    text_addf(&sql, "%s'{%s}'::oid[]%s'{%s}'::oid[]%s", before, text_of(&oids), between,
              text_of(&oids), after);
    PGresult *result = pg_query(conn, doing, text_of(&sql), fault);
    text_free(&oids);
    text_free(&sql);
    return result;
}

/* A foreign key whose target is not here cannot be made; name its statements as pg_dump writes them
 * (dumpConstraint() and dumpComment() in pg_dump.c). */
static bool
find_lost_keys(struct pg_session *conn, struct arena *arena, struct catalog *catalog,
               struct fault *fault)
{
    PGresult *result = query_missing(conn, catalog, "find the foreign keys to skipped tables",
        "SELECT c.conrelid, c.conname FROM pg_catalog.pg_constraint c WHERE c.contype = 'f'"
        " AND c.confrelid = ANY (", ") AND NOT c.conrelid = ANY (", ") ORDER BY c.oid", fault);
    if (result == NULL)
        return false;

    catalog->lost = arena_array(arena, 2 * (size_t) PQntuples(result), sizeof *catalog->lost);
    for (int i = 0; i < PQntuples(result); i++) {
        uint32_t oid = (uint32_t) strtoul(PQgetvalue(result, i, 0), NULL, 10);
        const struct table *table = find(catalog, oid);
        if (table == NULL)
            continue;
        char *qualified = arena_text(arena, fmtQualifiedId(table->schema, table->name));
        char *key = arena_text(arena, fmtId(PQgetvalue(result, i, 1)));
        catalog->lost[catalog->lost_count++] =
            arena_print(arena, "ALTER TABLE %s%s\n    ADD CONSTRAINT %s",
                        table->kind == 'p' ? "" : "ONLY ", qualified, key);
        catalog->lost[catalog->lost_count++] =
            arena_print(arena, "COMMENT ON CONSTRAINT %s ON %s", key, qualified);
        log_info("leaving out foreign key %s of %s.%s: its target is left out",
                 PQgetvalue(result, i, 1), table->schema, table->name);
    }
    PQclear(result);
    return true;
}

/* pg_dump adds a table to its publications even when it leaves the table out
 * (getPublicationTables() and dumpPublicationTable() in pg_dump.c). */
static bool
find_lost_publications(struct pg_session *conn, struct arena *arena, struct catalog *catalog,
                       struct fault *fault)
{
    PGresult *result = query_missing(conn, catalog, "find the publications of skipped tables",
        "SELECT p.pubname, r.prrelid FROM pg_catalog.pg_publication_rel r"
        " JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = ANY (",
        ") AND r.prrelid = ANY (", ")", fault);
    if (result == NULL)
        return false;

    size_t count = catalog->lost_count + (size_t) PQntuples(result);
    const char **lost = arena_array(arena, count, sizeof *lost);
    if (catalog->lost_count > 0)
        memcpy(lost, catalog->lost, catalog->lost_count * sizeof *lost);
    catalog->lost = lost;
    for (int i = 0; i < PQntuples(result); i++) {
        uint32_t oid = (uint32_t) strtoul(PQgetvalue(result, i, 1), NULL, 10);
        const struct table *table = find(catalog, oid);
        if (table == NULL)
            continue;
        char *publication = arena_text(arena, fmtId(PQgetvalue(result, i, 0)));
        lost[catalog->lost_count++] =
            arena_print(arena, "ALTER PUBLICATION %s ADD TABLE ONLY %s", publication,
                        fmtQualifiedId(table->schema, table->name));
    }
    PQclear(result);
    return true;
}

bool
selection_apply(struct pg_session *conn, const struct selection *selection, struct arena *arena,
                struct catalog *catalog, struct fault *fault)
{
    if (!refuse_idle_patterns(&selection->tables, catalog, "REPLICA_TABLES", fault) ||
        !refuse_idle_patterns(&selection->skip_tables, catalog, "REPLICA_SKIP_TABLES", fault) ||
        !refuse_idle_patterns(&selection->skip_data, catalog, "REPLICA_SKIP_DATA", fault))
        return false;
    mark_tables(selection, catalog);
    return mark_views(conn, selection, catalog, fault) &&
           find_lost_keys(conn, arena, catalog, fault) &&
           find_lost_publications(conn, arena, catalog, fault);
}
