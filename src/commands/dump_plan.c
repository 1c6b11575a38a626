/* dump_plan - which tables a dump copies, in which order, and what the manifest says (dump.h). */
#include "commands/dump.h"

#include <stdlib.h>

static int
by_size(const void *left, const void *right)
{
    const struct table *a = *(const struct table *const *) left,
                       *b = *(const struct table *const *) right;
    return a->bytes != b->bytes ? (a->bytes < b->bytes) - (a->bytes > b->bytes)
                                : (a > b) - (a < b);
}

static void
entry_fill(struct dump *dump, struct manifest_table *entry, const struct table *table,
           const struct table_masks *masks)
{
    size_t used = 0;

    entry->schema = table->schema;
    entry->name = table->name;
    entry->data = table->copied;
    entry->columns = arena_array(&dump->arena, table->columns_count, sizeof *entry->columns);
    for (size_t i = 0; i < table->columns_count; i++) {
        if (table->columns[i].generated)
            continue;
        const struct mask *mask = masks->ruled_count > 0 ? masks->masks[used] : NULL;
        entry->columns[used++] = (struct manifest_column){
            .name = table->columns[i].name,
            .type = table->columns[i].type,
            .rule = mask == NULL ? NULL : mask_name(mask),
        };
    }
    entry->columns_count = used;
}

/* The topmost partitioned table a leaf belongs to, or NULL.  A partition has no other ancestors. */
static const struct table *
partition_root(const struct catalog *catalog, const struct table *table)
{
    const struct table *root = NULL;

    if (table->ancestors_count > 0)
        root = catalog_table_by_oid(catalog, table->ancestors[table->ancestors_count - 1]);
    return root != NULL && root->kind == 'p' ? root : NULL;
}

/* A row whose partition may be another one at the destination has to find it there: when the key is
 * masked, or hashes differently.  Then every leaf of the family is loaded through its root. */
static void
route_partitions(struct dump *dump, struct manifest_table *const *entry_of)
{
    const struct catalog *catalog = &dump->catalog;
    bool *routed = arena_array(&dump->arena, catalog->tables_count, sizeof *routed);

    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *table = &catalog->tables[i], *root = partition_root(catalog, table);
        bool unsure = entry_of[i] != NULL && dump->masks[i].ruled_count > 0;
        for (size_t j = 0; root != NULL && j < table->ancestors_count && !unsure; j++)
            unsure = catalog_table_by_oid(catalog, table->ancestors[j])->unstable;
        if (root != NULL && unsure)
            routed[root - catalog->tables] = true;
    }
    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *root = partition_root(catalog, &catalog->tables[i]);
        if (entry_of[i] != NULL && root != NULL && routed[root - catalog->tables]) {
            entry_of[i]->into_schema = root->schema;
            entry_of[i]->into_name = root->name;
        }
    }
}

/* The manifest lists the tables that hold rows by nature, in the catalog's order; the queue holds
 * those to copy, the largest first, so that the last one to finish is a small one. */
void
dump_plan(struct dump *dump, uint64_t *bytes, size_t *queued)
{
    struct catalog *catalog = &dump->catalog;

    *bytes = 0;
    *queued = 0;
    dump->manifest.tables = arena_array(&dump->arena, catalog->tables_count,
                                        sizeof *dump->manifest.tables);
    dump->queue = arena_array(&dump->arena, catalog->tables_count, sizeof *dump->queue);
    dump->entries = arena_array(&dump->arena, catalog->tables_count, sizeof *dump->entries);
    struct manifest_table **entry_of = arena_array(&dump->arena, catalog->tables_count,
                                                   sizeof *entry_of);
    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *table = &catalog->tables[i];
        if (!table->included || table->kind != 'r')
            continue;
        entry_of[i] = &dump->manifest.tables[dump->manifest.tables_count++];
        entry_fill(dump, entry_of[i], table, &dump->masks[i]);
        if (table->copied) {
            dump->queue[(*queued)++] = table;
            *bytes += table->bytes;
        }
    }
    route_partitions(dump, entry_of);
    qsort(dump->queue, *queued, sizeof *dump->queue, by_size);
    for (size_t i = 0; i < *queued; i++)
        dump->entries[i] = entry_of[dump->queue[i] - catalog->tables];
}
