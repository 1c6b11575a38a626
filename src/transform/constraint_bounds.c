/* constraint_bounds - whether some partition takes the results of a rule (constraint.h).
 *
 * A row whose partition key is masked is loaded through its root, and fails where no partition is
 * for it.  What the partitions take is one expression, all their bounds with OR between. */
#include <stdlib.h>
#include <string.h>

#include "transform/constraint.h"

enum { LEAVES_MAX = 1000 }; /* whose bounds stand in one expression */

struct root {
    const struct table *table;
    const char **keys; /* columns by which its rows find their partition, on any level */
    size_t keys_count;
    bool computed;          /* or expressions do, which may be users' */
    const char *expression; /* NULL until it is wanted */
    struct root *next;
};

static const char keys_sql[] =
    "SELECT DISTINCT a.attname, p.partexprs IS NOT NULL"
    " FROM pg_catalog.pg_partition_tree(%u) AS t"
    " JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.relid"
    " CROSS JOIN LATERAL unnest(p.partattrs) AS k(attnum)"
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum"
    "  AND k.attnum > 0";

static const char bounds_sql[] =
    "SELECT CASE WHEN count(*) <= %d THEN string_agg('(' || coalesce("
    "  pg_catalog.pg_get_partition_constraintdef(t.relid), 'true') || ')', ' OR ') END"
    " FROM pg_catalog.pg_partition_tree(%u) AS t WHERE t.isleaf";

static bool
root_keys_read(struct judgement *judgement, struct root *root, struct fault *fault)
{
    struct text sql = {0};

    text_addf(&sql, keys_sql, root->table->oid);
    PGresult *result = pg_query(judgement->conn, "read the keys of partitions", text_of(&sql),
                                fault);
    text_free(&sql);
    root->keys = arena_array(judgement->arena, (size_t) PQntuples(result), sizeof *root->keys);
    for (int row = 0; row < PQntuples(result); row++) {
        root->computed = root->computed || PQgetvalue(result, row, 1)[0] == 't';
        if (!PQgetisnull(result, row, 0))
            root->keys[root->keys_count++] = arena_text(judgement->arena,
                                                        PQgetvalue(result, row, 0));
    }
    PQclear(result);
    return result != NULL;
}

static bool
root_bounds_read(struct judgement *judgement, struct root *root, struct fault *fault)
{
    struct text sql = {0};

    text_addf(&sql, bounds_sql, LEAVES_MAX, root->table->oid);
    PGresult *result = pg_query(judgement->conn, "read the bounds of partitions", text_of(&sql),
                                fault);
    text_free(&sql);
    if (result != NULL)
        root->expression = arena_text(judgement->arena, PQgetvalue(result, 0, 0));
    PQclear(result);
    return result != NULL;
}

/* NULL with a fault. */
static struct root *
root_find(struct judgement *judgement, const struct table *table, struct fault *fault)
{
    for (struct root *root = judgement->roots; root != NULL; root = root->next)
        if (root->table == table)
            return root;
    struct root *root = arena_take(judgement->arena, sizeof *root);
    *root = (struct root){.table = table, .next = judgement->roots};
    judgement->roots = root;
    return root_keys_read(judgement, root, fault) ? root : NULL;
}

/* The places of the key in a partition, where it may have another order of columns.  plain: none is
 * of a domain, whose hash the bounds would not take for the column's own. */
static struct places
keys_places(const struct judgement *judgement, const struct root *root, size_t t, bool *plain)
{
    const struct table *table = &judgement->catalog->tables[t];
    const struct column_type *types = judgement->constraints[t].types;
    size_t *items = arena_array(judgement->arena, root->keys_count, sizeof *items), count = 0;

    *plain = true;
    for (size_t k = 0; k < root->keys_count; k++)
        for (size_t c = 0; c < table->columns_count; c++)
            if (strcmp(table->columns[c].name, root->keys[k]) == 0) {
                *plain = *plain && !types[c].domain;
                items[count++] = c;
            }
    return (struct places){items, count};
}

bool
constraint_bounds_read(struct judgement *judgement, size_t t, struct fault *fault)
{
    const struct table *table = &judgement->catalog->tables[t], *top = NULL;
    struct table_constraints *to = &judgement->constraints[t];
    bool plain;

    if (table->ancestors_count > 0)
        top = catalog_table_by_oid(judgement->catalog,
                                   table->ancestors[table->ancestors_count - 1]);
    if (top == NULL || top->kind != 'p')
        return true;
    struct root *root = root_find(judgement, top, fault);
    if (root == NULL)
        return false;
    struct places places = keys_places(judgement, root, t, &plain);
    if (places_mask(judgement, t, &places) == NULL)
        return true;
    if (root->expression == NULL && !root_bounds_read(judgement, root, fault))
        return false;
    to->items = arena_grow(judgement->arena, to->items, to->count, sizeof *to->items);
    to->items[to->count++] = (struct constraint){
        .kind = CONSTRAINT_PARTITION,
        .name = arena_print(judgement->arena, "%s.%s", top->schema, top->name),
        .columns = places,
        .expression = root->expression,
        .safe = plain && !root->computed && root->expression[0] != '\0',
        .inherited = true,
    };
    return true;
}
