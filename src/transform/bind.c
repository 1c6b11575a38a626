/* bind - hold the rules against the catalog, before the first byte.
 *
 * Each rule walks over all tables; a table is met by its own name or by that of an ancestor,
 * since the rows of a parent are stored in its descendants.  What is met on a table that is not
 * copied is only remembered: a rule that meets nothing else is a mistake. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "transform/rule.h"

struct oid_place {
    uint32_t oid;
    size_t table;
};

/* One run of rules_bind. */
struct binding {
    const struct catalog *catalog;
    struct arena *arena;
    struct table_masks *masks;   /* of each table */
    const struct rule ***owners; /* of each table and column: the rule that has it, or NULL */
    struct oid_place *oids;      /* sorted */
    bool *named;                 /* of each table: the rule in work names it */
    struct mistakes mistakes;
};

/* What one rule has met so far. */
struct met {
    size_t tables, columns, copied, mistakes;
};

static int
oid_compare(const void *a, const void *b)
{
    uint32_t x = ((const struct oid_place *) a)->oid, y = ((const struct oid_place *) b)->oid;
    return (x > y) - (x < y);
}

static void
binding_init(struct binding *binding, const struct catalog *catalog, struct arena *arena)
{
    size_t count = catalog->tables_count;

    *binding = (struct binding){.catalog = catalog, .arena = arena};
    binding->masks = arena_array(arena, count, sizeof *binding->masks);
    binding->owners = arena_array(arena, count, sizeof *binding->owners);
    binding->oids = arena_array(arena, count, sizeof *binding->oids);
    binding->named = arena_array(arena, count, sizeof *binding->named);
    for (size_t i = 0; i < count; i++) {
        const struct table *table = &catalog->tables[i];
        struct table_masks *masks = &binding->masks[i];
        for (size_t c = 0; c < table->columns_count; c++)
            masks->columns_count += !table->columns[c].generated;
        masks->masks = arena_array(arena, masks->columns_count, sizeof *masks->masks);
        binding->owners[i] = arena_array(arena, table->columns_count, sizeof **binding->owners);
        binding->oids[i] = (struct oid_place){table->oid, i};
    }
    qsort(binding->oids, count, sizeof *binding->oids, oid_compare);
}

/* Add a name as a rule must write it: quoted only where SQL demands it. */
static void
add_name(struct text *text, const char *name)
{
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_$");

    if (size > 0 && name[size] == '\0' && !(name[0] >= '0' && name[0] <= '9') && name[0] != '$')
        text_add(text, name);
    else
        text_add_name(text, name);
}

static void
add_table_name(struct text *text, const char *schema, const char *name)
{
    add_name(text, schema);
    text_add(text, ".");
    add_name(text, name);
}

static void
mistake(struct binding *binding, const struct rule *rule, struct met *met, const struct text *what)
{
    mistakes_add(&binding->mistakes, rule->line, rule->written, text_of(what));
    met->mistakes++;
}

/* Another case of letters is the first guess, the same name in another schema the second. */
static const struct table *
table_nearest(const struct catalog *catalog, const struct rule *rule)
{
    struct text wanted = {0}, offered = {0};
    text_addf(&wanted, "%s.%s", rule->schema.text, rule->table.text);
    struct nearest nearest = {.wanted = text_of(&wanted)}, alone = {.wanted = rule->table.text};

    for (size_t i = 0; i < catalog->tables_count; i++) {
        const struct table *table = &catalog->tables[i];
        text_clear(&offered);
        text_addf(&offered, "%s.%s", table->schema, table->name);
        nearest_offer(&nearest, text_of(&offered), table);
        if (strcasecmp(table->name, rule->table.text) == 0)
            nearest_offer(&alone, table->name, table);
    }
    text_free(&wanted);
    text_free(&offered);
    bool case_only = nearest.best != NULL && nearest.cost <= 1;
    return case_only || alone.best == NULL ? nearest.best : alone.best;
}

static void
table_unknown(struct binding *binding, const struct rule *rule, struct met *met)
{
    struct text what = {0};

    if (rule->schema.has_glob || rule->table.has_glob) {
        text_add(&what, "no table fits");
    } else {
        const struct table *nearest = table_nearest(binding->catalog, rule);
        text_add(&what, "table ");
        add_table_name(&what, rule->schema.text, rule->table.text);
        text_add(&what, " does not exist");
        if (nearest != NULL) {
            text_add(&what, "; did you mean ");
            add_table_name(&what, nearest->schema, nearest->name);
        }
    }
    mistake(binding, rule, met, &what);
    text_free(&what);
}

static void
column_unknown(struct binding *binding, const struct rule *rule, struct met *met)
{
    const struct catalog *catalog = binding->catalog;
    struct nearest nearest = {.wanted = rule->column.text};
    struct text what = {0};

    for (size_t i = 0; i < catalog->tables_count; i++)
        for (size_t c = 0; binding->named[i] && c < catalog->tables[i].columns_count; c++)
            nearest_offer(&nearest, catalog->tables[i].columns[c].name,
                          catalog->tables[i].columns[c].name);
    if (met->tables == 1)
        text_add(&what, "its table has no column ");
    else
        text_addf(&what, "none of the %zu tables that fit has a column ", met->tables);
    if (rule->column.has_glob)
        text_add(&what, "that fits");
    else
        add_name(&what, rule->column.text);
    if (!rule->column.has_glob && nearest.best != NULL) {
        text_add(&what, "; did you mean ");
        add_name(&what, nearest.best);
    }
    mistake(binding, rule, met, &what);
    text_free(&what);
}

/* The place of a column among those that COPY carries. */
static size_t
copy_place(const struct table *table, size_t column)
{
    size_t place = 0;

    for (size_t c = 0; c < column; c++)
        place += !table->columns[c].generated;
    return place;
}

/* Give a column of a copied table to a rule; false: why says what is in the way. */
static bool
column_take(struct binding *binding, const struct rule *rule, size_t t, size_t c, struct text *why)
{
    const struct table *table = &binding->catalog->tables[t];
    const struct column *column = &table->columns[c];
    const struct rule **owner = &binding->owners[t][c];

    if (*owner != NULL) {
        text_addf(why, "line %u has a rule for it already (%s)", (*owner)->line, (*owner)->written);
        return false;
    }
    *owner = rule;
    if (column->generated) {
        text_add(why, "it is computed from other columns, which need the rules instead");
        return false;
    }
    struct mask *mask = arena_take(binding->arena, sizeof *mask);
    if (!mask_init(mask, rule->transformer, rule->settings, column, why))
        return false;
    mask->line = rule->line;
    mask->written = rule->written;
    if (rule->transformer != TRANSFORMER_transient)
        binding->masks[t].masks[copy_place(table, c)] = mask;
    return true;
}

static void
column_meet(struct binding *binding, const struct rule *rule, size_t t, size_t c, struct met *met)
{
    const struct table *table = &binding->catalog->tables[t];
    struct text why = {0}, what = {0};

    met->columns++;
    if (!table->copied)
        return;
    met->copied++;
    /* What is wrong with a parent is wrong with each of its thousand partitions; once is enough. */
    if (!column_take(binding, rule, t, c, &why) && (binding->named[t] || met->mistakes == 0)) {
        text_add(&what, "column ");
        add_name(&what, table->columns[c].name);
        text_add(&what, " of ");
        add_table_name(&what, table->schema, table->name);
        text_addf(&what, ", %s: %s", table->columns[c].type, text_of(&why));
        mistake(binding, rule, met, &what);
    }
    text_free(&why);
    text_free(&what);
}

static bool
table_is_met(const struct binding *binding, size_t t)
{
    const struct table *table = &binding->catalog->tables[t];
    bool met = binding->named[t];

    for (size_t a = 0; a < table->ancestors_count && !met; a++) {
        struct oid_place wanted = {.oid = table->ancestors[a]};
        const struct oid_place *found = bsearch(
            &wanted, binding->oids, binding->catalog->tables_count, sizeof wanted, oid_compare);
        met = found != NULL && binding->named[found->table];
    }
    return met;
}

static void
rule_bind(struct binding *binding, const struct rule *rule)
{
    const struct catalog *catalog = binding->catalog;
    struct met met = {0};

    for (size_t t = 0; t < catalog->tables_count; t++) {
        binding->named[t] = pattern_part_fits(&rule->schema, catalog->tables[t].schema) &&
                            pattern_part_fits(&rule->table, catalog->tables[t].name);
        met.tables += binding->named[t];
    }
    for (size_t t = 0; t < catalog->tables_count; t++) {
        if (!table_is_met(binding, t))
            continue;
        for (size_t c = 0; c < catalog->tables[t].columns_count; c++)
            if (pattern_part_fits(&rule->column, catalog->tables[t].columns[c].name))
                column_meet(binding, rule, t, c, &met);
    }
    if (met.tables == 0) {
        table_unknown(binding, rule, &met);
    } else if (met.columns == 0) {
        column_unknown(binding, rule, &met);
    } else if (met.copied == 0) {
        struct text what = {0};
        text_add(&what, "no rows of its table are copied, so the rule has nothing to do");
        mistake(binding, rule, &met, &what);
        text_free(&what);
    }
}

static void
ruled_list(struct binding *binding, struct table_masks *masks)
{
    size_t count = 0;

    for (size_t i = 0; i < masks->columns_count; i++)
        count += masks->masks[i] != NULL;
    size_t *ruled = arena_array(binding->arena, count, sizeof *ruled);
    masks->ruled = ruled;
    masks->ruled_count = count;
    for (size_t i = 0; i < masks->columns_count; i++)
        if (masks->masks[i] != NULL)
            *ruled++ = i;
}

bool
rules_bind(const struct rules *rules, const struct catalog *catalog, struct arena *arena,
           struct table_masks **result, struct fault *fault)
{
    struct binding binding;

    assert(rules != NULL);
    binding_init(&binding, catalog, arena);
    for (size_t i = 0; i < rules->count; i++)
        rule_bind(&binding, &rules->items[i]);
    for (size_t i = 0; i < catalog->tables_count; i++)
        ruled_list(&binding, &binding.masks[i]);
    *result = binding.masks;
    return mistakes_close(&binding.mistakes, fault);
}
