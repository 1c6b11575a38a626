/* dump_plan - which tables a dump copies, in which pieces and order, and what the manifest says of
 * them (dump.h). */
#include "commands/dump.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    /* A large table is cut so that each worker gets several pieces of it: whoever is done early
     * takes the next one, and the last one ends at most one piece after the others. */
    PIECES_PER_WORKER = 6,
};

/* Below the first, a COPY of its own and a volume of its own cost more than they bring, unless
 * volumes shall be smaller than that; above the second, idle workers would wait too long. */
static const uint64_t piece_bytes_min = 64ull << 20, piece_bytes_max = 1ull << 30;

/* For a dump, which writes volumes in any order. */
static int
by_size(const void *left, const void *right)
{
    const struct table *a = *(const struct table *const *) left,
                       *b = *(const struct table *const *) right;
    return a->bytes != b->bytes ? (a->bytes < b->bytes) - (a->bytes > b->bytes)
                                : (a > b) - (a < b);
}

/* For a copy, which loads what it reads. */
static int
by_place(const void *left, const void *right)
{
    const struct table *a = *(const struct table *const *) left,
                       *b = *(const struct table *const *) right;
    return a->late != b->late ? (a->late > b->late) - (a->late < b->late) : by_size(left, right);
}

static void
entry_fill(struct dump *dump, struct manifest_table *entry, const struct table *table,
           const struct table_masks *masks)
{
    size_t used = 0;

    entry->schema = table->schema;
    entry->name = table->name;
    entry->data = table->copied;
    entry->late = table->late;
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

/* Whether the manifest speaks of a table: it holds rows by nature. */
static bool
table_is_listed(const struct table *table)
{
    return table->included && table->kind == 'r';
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

/* Which roots rows are loaded through, by their place in the catalog.  A row whose partition may be
 * another one at the destination has to find it there: when the key is masked, or hashes
 * differently.  Then every leaf of the family is loaded through its root. */
static bool *
roots_routed(struct dump *dump)
{
    const struct catalog *catalog = &dump->catalog;
    bool *routed = arena_array(&dump->arena, catalog->tables_count, sizeof *routed);

    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *table = &catalog->tables[i], *root = partition_root(catalog, table);
        bool unsure = table_is_listed(table) && dump->masks[i].ruled_count > 0;
        for (size_t j = 0; root != NULL && j < table->ancestors_count && !unsure; j++)
            unsure = catalog_table_by_oid(catalog, table->ancestors[j])->unstable;
        if (root != NULL && unsure)
            routed[root - catalog->tables] = true;
    }
    return routed;
}

static void
route_partitions(struct dump *dump, struct manifest_table *const *entry_of)
{
    const struct catalog *catalog = &dump->catalog;
    const bool *routed = roots_routed(dump);

    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *root = partition_root(catalog, &catalog->tables[i]);
        if (entry_of[i] != NULL && root != NULL && routed[root - catalog->tables]) {
            entry_of[i]->into_schema = root->schema;
            entry_of[i]->into_name = root->name;
        }
    }
}

bool
dump_routes_check(struct dump *dump, struct fault *fault)
{
    const struct catalog *catalog = &dump->catalog;
    const bool *routed = roots_routed(dump);

    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *table = &catalog->tables[i], *root = partition_root(catalog, table);
        if (table->included && table->kind == 'f' && root != NULL &&
            routed[root - catalog->tables])
            return fault_set(fault, ERR_CONFIG,
                             "the rows of %s.%s may change their partition and so would be loaded "
                             "through it, but its partition %s.%s is a foreign table, whose server "
                             "would get some of them: leave it out by REPLICA_SKIP_TABLES, or "
                             "do without rules for the other partitions",
                             root->schema, root->name, table->schema, table->name);
    }
    return true;
}

/* In how many pieces a table is copied.  By its bytes, TOAST included, but cut at its heap's
 * blocks: a table of few long rows has few blocks and much to copy. */
static uint64_t
pieces_of(const struct dump *dump, const struct table *table, unsigned workers, uint64_t bytes)
{
    uint64_t volume = dump->env->volume_bytes, size = bytes / workers / PIECES_PER_WORKER;
    uint64_t least = volume < piece_bytes_min ? volume : piece_bytes_min;

    if (workers == 1 || table->condition != NULL || table->columns_count == 0)
        return 1;
    if (size < least)
        size = least;
    if (size > piece_bytes_max)
        size = piece_bytes_max;
    uint64_t pieces = table->bytes / size;
    if (pieces > table->blocks)
        pieces = table->blocks;
    return pieces < 1 ? 1 : pieces;
}

static void
queue_add(struct dump *dump, const struct table *table, struct manifest_table *entry,
          uint64_t pieces)
{
    _Atomic unsigned *left = arena_take(&dump->arena, sizeof *left);

    atomic_init(left, (unsigned) pieces);
    for (uint64_t i = 0; i < pieces; i++)
        dump->queue[dump->queued++] = (struct dump_piece){
            .table = table,
            .masks = &dump->masks[table - dump->catalog.tables],
            .entry = entry,
            .whole = pieces == 1,
            .begin = table->blocks * i / pieces,
            .end = i + 1 == pieces ? 0 : table->blocks * (i + 1) / pieces,
            .left = left,
        };
}

static void
queue_fill(struct dump *dump, unsigned workers, const struct table **tables, size_t count,
           uint64_t bytes, struct manifest_table *const *entry_of)
{
    uint64_t all = 0;

    qsort(tables, count, sizeof *tables, dump->loads ? by_place : by_size);
    for (size_t i = 0; i < count; i++)
        all += pieces_of(dump, tables[i], workers, bytes);
    dump->queue = arena_array(&dump->arena, all, sizeof *dump->queue);
    for (size_t i = 0; i < count; i++)
        queue_add(dump, tables[i], entry_of[tables[i] - dump->catalog.tables],
                  pieces_of(dump, tables[i], workers, bytes));
    while (dump->early < dump->queued && dump->queue[dump->early].table->late == 0)
        dump->early++;
}

/* The manifest lists the tables that hold rows by nature, in the catalog's order; the queue holds
 * those to copy, the largest first, so that the last one to finish is a small one. */
void
dump_plan(struct dump *dump, unsigned workers, uint64_t *bytes, size_t *tables)
{
    struct catalog *catalog = &dump->catalog;
    const struct table **copied = arena_array(&dump->arena, catalog->tables_count, sizeof *copied);

    *bytes = 0;
    *tables = 0;
    dump->manifest.tables = arena_array(&dump->arena, catalog->tables_count,
                                        sizeof *dump->manifest.tables);
    struct manifest_table **entry_of = arena_array(&dump->arena, catalog->tables_count,
                                                   sizeof *entry_of);
    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *table = &catalog->tables[i];
        if (!table_is_listed(table))
            continue;
        entry_of[i] = &dump->manifest.tables[dump->manifest.tables_count++];
        entry_fill(dump, entry_of[i], table, &dump->masks[i]);
        if (table->copied) {
            copied[(*tables)++] = table;
            *bytes += table->bytes;
        }
    }
    route_partitions(dump, entry_of);
    queue_fill(dump, workers, copied, *tables, *bytes, entry_of);
}

void
dump_gather(struct dump *dump)
{
    const struct dump_piece *end = dump->queue + dump->queued, *next;

    for (const struct dump_piece *piece = dump->queue; piece < end; piece = next) {
        struct manifest_table *entry = piece->entry;
        size_t count = 0;
        for (next = piece; next < end && next->entry == entry; next++)
            count += next->volumes_count;
        entry->volumes = arena_array(&dump->arena, count, sizeof *entry->volumes);
        entry->volumes_count = 0;
        entry->rows = 0;
        for (next = piece; next < end && next->entry == entry; next++) {
            for (size_t i = 0; i < next->volumes_count; i++)
                entry->volumes[entry->volumes_count++] = next->volumes[i];
            entry->rows += next->rows;
        }
    }
}
