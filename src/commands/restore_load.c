/* restore_load - which worker loads what, and whether frozen (restore.h). */
#include <stdlib.h>
#include <string.h>

#include "commands/restore.h"

enum { FREEZE_FROM_BYTES = 1024 * 1024 };

static uint64_t
table_bytes(const struct manifest_table *table)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < table->volumes_count; i++)
        bytes += table->volumes[i].plain_bytes;
    return bytes;
}

struct sized {
    const struct manifest_table *table;
    uint64_t bytes;
};

static int
by_size(const void *left, const void *right)
{
    const struct sized *a = left, *b = right;
    return a->bytes != b->bytes ? (a->bytes < b->bytes) - (a->bytes > b->bytes)
                                : (a->table > b->table) - (a->table < b->table);
}

static void
load_add(struct restore *restore, const struct manifest_table *table, size_t first, size_t count)
{
    restore->queue[restore->queue_count++] = (struct load){
        .table = table,
        .volumes = &table->volumes[first],
        .volumes_count = count,
        .last = first + count == table->volumes_count,
        .whole = count == table->volumes_count && table->late == 0,
    };
}

static size_t
late_plan(struct restore *restore)
{
    size_t late_count, count = 0;
    const struct manifest_table **late = manifest_late(&restore->arena, &restore->manifest,
                                                       &late_count);

    restore->early = restore->queue_count;
    for (size_t i = 0; i < late_count; i++) {
        if (late[i]->volumes_count == 0)
            continue;
        load_add(restore, late[i], 0, late[i]->volumes_count);
        count++;
    }
    return count;
}

/* A table that is no more than a worker's share of all is one worker's: then it can be frozen, and
 * nobody waits for another one's extension of the file.  A larger one would leave the other workers
 * idle in the end, so its volumes are shared out.  Late tables are nobody's share: they are not
 * frozen, either, for a function that looks at the table itself would see rows of the same COPY. */
size_t
restore_plan(struct restore *restore)
{
    const struct manifest *manifest = &restore->manifest;
    struct sized *sized = arena_array(&restore->arena, manifest->tables_count, sizeof *sized);
    size_t volumes = 0, count = 0;
    uint64_t all = 0;

    for (size_t i = 0; i < manifest->tables_count; i++) {
        const struct manifest_table *table = &manifest->tables[i];
        volumes += table->volumes_count;
        if (table->volumes_count == 0 || table->late > 0)
            continue;
        sized[count++] = (struct sized){.table = table, .bytes = table_bytes(table)};
        all += table_bytes(table);
    }
    qsort(sized, count, sizeof *sized, by_size);
    restore->queue = arena_array(&restore->arena, volumes, sizeof *restore->queue);
    for (size_t i = 0; i < count; i++) {
        const struct manifest_table *table = sized[i].table;
        if (sized[i].bytes <= all / restore->workers) {
            load_add(restore, table, 0, table->volumes_count);
            continue;
        }
        for (size_t j = 0; j < table->volumes_count; j++)
            load_add(restore, table, j, 1);
    }
    return count + late_plan(restore);
}

/* An extension's table holds rows of the extension's own. */
static const char thaws_sql[] =
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND"
    " (NOT pg_catalog.has_table_privilege(c.oid, 'TRUNCATE') OR EXISTS (SELECT FROM"
    "  pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid"
    "  AND d.deptype = 'e'))";

static int
by_names(const void *left, const void *right)
{
    const struct thaw *a = left, *b = right;
    int schema = strcmp(a->schema, b->schema);
    return schema != 0 ? schema : strcmp(a->name, b->name);
}

bool
restore_thaws(struct restore *restore, struct fault *fault)
{
    struct thaws *thaws = &restore->thaws;
    PGresult *result = pg_query(&restore->conn, "look which tables can be loaded frozen",
                                thaws_sql, fault);
    if (result == NULL)
        return false;
    thaws->count = (size_t) PQntuples(result);
    thaws->tables = arena_array(&restore->arena, thaws->count, sizeof *thaws->tables);
    for (size_t i = 0; i < thaws->count; i++)
        thaws->tables[i] = (struct thaw){
            .schema = arena_text(&restore->arena, PQgetvalue(result, (int) i, 0)),
            .name = arena_text(&restore->arena, PQgetvalue(result, (int) i, 1)),
        };
    qsort(thaws->tables, thaws->count, sizeof *thaws->tables, by_names);
    PQclear(result);
    return true;
}

bool
restore_freezes(const struct restore *restore, const struct manifest_table *table, uint64_t bytes)
{
    const struct thaws *thaws = &restore->thaws;
    const struct thaw wanted = {.schema = table->schema, .name = table->name};

    /* PostgreSQL refuses it for a partitioned table. */
    if (bytes < FREEZE_FROM_BYTES || table->into_name != NULL)
        return false;
    return thaws->count == 0 || bsearch(&wanted, thaws->tables, thaws->count,
                                        sizeof *thaws->tables, by_names) == NULL;
}

void
restore_copy_statement(struct text *sql, const struct manifest_table *table, struct load_way way,
                       bool first)
{
    static const char *const options[2][2] = {{"", " WITH (FORMAT binary)"},
                                              {" WITH (FREEZE)", " WITH (FREEZE, FORMAT binary)"}};

    if (way.frozen && first) {
        text_add(sql, "BEGIN ISOLATION LEVEL READ COMMITTED; TRUNCATE ONLY ");
        text_add_name_pair(sql, table->schema, table->name);
        text_add(sql, "; ");
    }
    volume_copy(sql, table);
    text_add(sql, options[way.frozen][way.binary]);
}
