/* selection - which tables a dump takes, and what follows from that (catalog.h). */
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"
#include "pg/catalog.h"

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

/* With a list of tables, a view is taken when the tables under it are. */
static void
take_views(const struct selection *selection, struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->tables_count; i++) {
        struct table *table = &catalog->tables[i];
        if ((table->kind == 'v' || table->kind == 'm') && selection->tables.count > 0)
            table->included =
                patterns_find(&selection->skip_tables, table->schema, table->name) == NULL;
    }
}

static bool
all_is_taken(const struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->tables_count; i++)
        if (!catalog->tables[i].included)
            return false;
    return true;
}

static bool
all_rows_are_taken(const struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->tables_count; i++)
        if (catalog->tables[i].kind == 'r' && !catalog->tables[i].copied)
            return false;
    return true;
}

/* A view cannot be made without one of the tables under it. */
static bool
drop_views(struct pg_session *conn, struct catalog *catalog, struct fault *fault)
{
    PGresult *result = lost_query(conn, catalog, "find the views over skipped tables",
        "SELECT oid FROM gone WHERE class = 'pg_catalog.pg_class'::regclass", fault);
    for (int i = 0; i < PQntuples(result); i++) {
        struct table *table = find(catalog, (uint32_t) strtoul(PQgetvalue(result, i, 0), NULL, 10));
        if (table != NULL && table->included) {
            log_info("leaving out view %s.%s: it needs a table that is left out", table->schema,
                     table->name);
            table->included = false;
        }
    }
    PQclear(result);
    return result != NULL;
}

bool
selection_mark(const struct selection *selection, struct catalog *catalog, struct fault *fault)
{
    if (!refuse_idle_patterns(&selection->tables, catalog, "REPLICA_TABLES", fault) ||
        !refuse_idle_patterns(&selection->skip_tables, catalog, "REPLICA_SKIP_TABLES", fault) ||
        !refuse_idle_patterns(&selection->skip_data, catalog, "REPLICA_SKIP_DATA", fault))
        return false;
    mark_tables(selection, catalog);
    take_views(selection, catalog);
    return true;
}

bool
selection_follow(struct pg_session *conn, struct arena *arena, struct catalog *catalog,
                 struct fault *fault)
{
    bool all = all_is_taken(catalog);
    if (!all && !drop_views(conn, catalog, fault))
        return false;
    return (all && all_rows_are_taken(catalog)) || lost_find(conn, arena, catalog, fault);
}
