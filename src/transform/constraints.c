/* constraints - see constraint.h: read what the ruled tables must satisfy, and judge it. */
#include <stdlib.h>
#include <string.h>

#include "transform/constraint.h"
#include "transform/constraint_safe.h"

enum { ROWS_ALL_MAX = 200000 }; /* read in search of equal results, of all tables together */

/* The columns that an expression names; 0 is the whole row. */
#define ATTNUMS(tree)                                                                              \
    "(SELECT pg_catalog.string_agg(m[1], ' ') FROM pg_catalog.regexp_matches(" tree ","            \
    "  ':varattno ([0-9]+)', 'g') AS m)"

/* %s: the oids of the tables; whether a constraint is enforced (18); whether NULLs are equal (15).
 * tree and filter are what the catalog has stored; their columns are looked for in them.  The rows
 * of a table begin with its columns (z), in their order. */
static const char constraints_sql[] =
    "WITH RECURSIVE ruled(oid) AS (SELECT pg_catalog.unnest('{%s}'::oid[])), "
    "col AS (SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.attnotnull, a.attgenerated,"
    "  a.atttypmod FROM pg_catalog.pg_attribute a JOIN ruled ON ruled.oid = a.attrelid"
    "  WHERE a.attnum > 0 AND NOT a.attisdropped), "
    "domain(attrelid, attnum, oid, base, typmod) AS ("
    "  SELECT col.attrelid, col.attnum, t.oid, t.typbasetype, t.typtypmod FROM col"
    "   JOIN pg_catalog.pg_type t ON t.oid = col.atttypid WHERE t.typtype = 'd'"
    "  UNION ALL SELECT d.attrelid, d.attnum, t.oid, t.typbasetype,"
    "   CASE WHEN d.typmod >= 0 THEN d.typmod ELSE t.typtypmod END FROM domain d"
    "   JOIN pg_catalog.pg_type t ON t.oid = d.base WHERE t.typtype = 'd'), "
    "con AS (SELECT * FROM pg_catalog.pg_constraint c WHERE c.convalidated AND %s), "
    "ix AS (SELECT i.*, coalesce(k.conname, c.relname) AS name, k.conexclop,"
    "   (i.indkey::int2[])[0:i.indnkeyatts - 1] AS keys, %s AS nulls_equal,"
    "   EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid) AS inherited"
    "  FROM pg_catalog.pg_index i JOIN ruled ON ruled.oid = i.indrelid"
    "  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
    "  LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid"
    "   AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')"
    "  WHERE i.indisready OR i.indisvalid), "
    "found(relid, kind, name, owner, keys, tree, filter, expression, predicate, strict, inherited)"
    "AS (SELECT indrelid, CASE WHEN NOT indisexclusion OR NOT EXISTS (SELECT"
    "   FROM pg_catalog.unnest(conexclop) AS x(oid) JOIN pg_catalog.pg_operator o ON o.oid = x.oid"
    "   WHERE o.oprname <> '=') THEN 'u' ELSE 'x' END, name, NULL, keys, indexprs::text,"
    "   indpred::text, pg_catalog.pg_get_expr(indexprs, indrelid),"
    "   pg_catalog.pg_get_expr(indpred, indrelid), nulls_equal, inherited"
    "   FROM ix WHERE indisunique OR indisexclusion"
    "  UNION ALL SELECT indrelid, 'i', name, NULL, '{}', indexprs::text, indpred::text,"
    "   pg_catalog.pg_get_expr(indexprs, indrelid), pg_catalog.pg_get_expr(indpred, indrelid),"
    "   false, inherited FROM ix WHERE indexprs IS NOT NULL OR indpred IS NOT NULL"
    "  UNION ALL SELECT conrelid, 'c', conname, NULL, '{}', conbin::text, NULL,"
    "   pg_catalog.pg_get_expr(conbin, conrelid), NULL, false, coninhcount > 0"
    "   FROM con JOIN ruled ON ruled.oid = con.conrelid WHERE contype = 'c'"
    "  UNION ALL SELECT domain.attrelid, 'd', conname, pg_catalog.format_type(domain.oid, NULL),"
    "   ARRAY[domain.attnum], conbin::text, NULL, pg_catalog.pg_get_expr(conbin, 0), NULL, false,"
    "   false FROM con JOIN domain ON domain.oid = con.contypid WHERE contype = 'c'"
    "  UNION ALL SELECT col.attrelid, 'g', attname,"
    "   pg_catalog.format_type(col.atttypid, col.atttypmod), '{}',"
    "   pg_catalog.concat(d.adbin::text, ' :resulttype ', col.atttypid), NULL,"
    "   pg_catalog.pg_get_expr(d.adbin, d.adrelid), NULL, attnotnull, false FROM col"
    "   JOIN pg_catalog.pg_attrdef d ON d.adrelid = col.attrelid AND d.adnum = col.attnum"
    "   WHERE attgenerated <> ''"
    "  UNION ALL SELECT col.attrelid, 'z', '', CASE WHEN coalesce(d.base, col.atttypid) < 16384"
    "   THEN pg_catalog.format_type(coalesce(d.base, col.atttypid), coalesce(d.typmod, atttypmod))"
    "   END, ARRAY[col.attnum], NULL, NULL, NULL, NULL, d.base IS NOT NULL, false FROM col"
    "   LEFT JOIN (domain d JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype <> 'd')"
    "    ON d.attrelid = col.attrelid AND d.attnum = col.attnum) "
    "SELECT relid, kind, name, owner, expression, predicate, strict, inherited,"
    "  pg_catalog.concat(pg_catalog.array_to_string(pg_catalog.array_remove(keys, 0::int2), ' '),"
    "   ' ', " ATTNUMS("tree") "), " ATTNUMS("filter") ","
    "  " EXPRESSION_IS_SAFE("pg_catalog.concat(tree, filter)") " "
    "FROM found ORDER BY relid, kind DESC, keys, name COLLATE \"C\", owner COLLATE \"C\"";

/* The columns of its rows. */
enum {
    AT_TABLE, AT_KIND, AT_NAME, AT_OWNER, AT_EXPRESSION, AT_PREDICATE, AT_STRICT, AT_INHERITED,
    AT_COLUMNS, AT_FILTER, AT_SAFE,
};

static bool
is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static const char *
text_at(struct arena *arena, const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column)
               ? NULL : arena_text(arena, PQgetvalue(result, row, column));
}

static bool
places_have(const struct places *places, size_t place)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->items[i] == place)
            return true;
    return false;
}

/* Attnums with blanks between, as places in the table's columns. */
static struct places
places_at(struct arena *arena, const PGresult *result, int row, int column,
          const struct table_constraints *of)
{
    struct places places = {0};
    size_t *items = arena_array(arena, of->types_count, sizeof *items);
    const char *at = PQgetvalue(result, row, column);
    char *end;

    places.items = items;
    for (at += strspn(at, " "); *at != '\0'; at = end + strspn(end, " ")) {
        unsigned long attnum = strtoul(at, &end, 10);
        for (size_t place = 0; place < of->types_count; place++)
            if ((attnum == 0 || of->types[place].attnum == attnum) && !places_have(&places, place))
                items[places.count++] = place;
    }
    return places;
}

static void
type_take(struct arena *arena, const PGresult *result, int row, struct table_constraints *to)
{
    to->types = arena_grow(arena, to->types, to->types_count, sizeof *to->types);
    to->types[to->types_count++] = (struct column_type){
        .name = text_at(arena, result, row, AT_OWNER),
        .domain = is_true(result, row, AT_STRICT),
        .attnum = strtoul(PQgetvalue(result, row, AT_COLUMNS), NULL, 10),
    };
}

static void
row_take(struct arena *arena, const PGresult *result, int row, struct table_constraints *to)
{
    if (PQgetvalue(result, row, AT_KIND)[0] == 'z') {
        type_take(arena, result, row, to);
        return;
    }
    to->items = arena_grow(arena, to->items, to->count, sizeof *to->items);
    to->items[to->count++] = (struct constraint){
        .kind = (enum constraint_kind) PQgetvalue(result, row, AT_KIND)[0],
        .name = text_at(arena, result, row, AT_NAME),
        .owner = text_at(arena, result, row, AT_OWNER),
        .expression = text_at(arena, result, row, AT_EXPRESSION),
        .predicate = text_at(arena, result, row, AT_PREDICATE),
        .strict = is_true(result, row, AT_STRICT),
        .inherited = is_true(result, row, AT_INHERITED),
        .columns = places_at(arena, result, row, AT_COLUMNS, to),
        .filter = places_at(arena, result, row, AT_FILTER, to),
        .safe = is_true(result, row, AT_SAFE),
    };
}

/* The oids of the tables with rules; false: there are none. */
static bool
ruled_oids(const struct catalog *catalog, const struct table_masks *masks, struct text *oids)
{
    for (size_t t = 0; t < catalog->tables_count; t++)
        if (masks[t].ruled_count > 0)
            text_addf(oids, "%s%u", oids->size == 0 ? "" : ",", catalog->tables[t].oid);
    return oids->size > 0;
}

bool
constraints_read(struct pg_session *conn, const struct catalog *catalog,
                 const struct table_masks *masks, struct arena *arena,
                 struct table_constraints **constraints, struct fault *fault)
{
    struct text oids = {0}, sql = {0};

    *constraints = arena_array(arena, catalog->tables_count, sizeof **constraints);
    if (!ruled_oids(catalog, masks, &oids))
        return true;
    text_addf(&sql, constraints_sql, text_of(&oids),
              conn->server_version >= 180000 ? "c.conenforced" : "true",
              conn->server_version >= 150000 ? "i.indnullsnotdistinct" : "false");
    PGresult *result = pg_query(conn, "read the constraints", text_of(&sql), fault);
    for (int row = 0; row < PQntuples(result); row++) {
        uint32_t oid = (uint32_t) strtoul(PQgetvalue(result, row, AT_TABLE), NULL, 10);
        const struct table *table = catalog_table_by_oid(catalog, oid);
        row_take(arena, result, row, &(*constraints)[table - catalog->tables]);
    }
    PQclear(result);
    text_free(&sql);
    text_free(&oids);
    return result != NULL;
}

const struct mask *
column_mask(const struct table *table, const struct table_masks *masks, size_t place)
{
    size_t at = 0;

    if (masks->ruled_count == 0 || table->columns[place].generated)
        return NULL;
    for (size_t c = 0; c < place; c++)
        at += !table->columns[c].generated;
    return masks->masks[at];
}

/* From what a generated column is computed. */
static const struct places *
computed_from(const struct table_constraints *constraints, const struct column *column)
{
    for (size_t i = 0; i < constraints->count; i++) {
        const struct constraint *one = &constraints->items[i];
        if (one->kind == CONSTRAINT_GENERATED && strcmp(one->name, column->name) == 0)
            return &one->columns;
    }
    return NULL;
}

struct places
places_copied(const struct judgement *judgement, size_t t, const struct places *places)
{
    const struct table *table = &judgement->catalog->tables[t];
    size_t *items = NULL, count = 0;

    for (size_t i = 0; i < places->count; i++) {
        const struct places own = {&places->items[i], 1}, *from = NULL;
        const struct column *column = &table->columns[places->items[i]];
        if (column->generated)
            from = computed_from(&judgement->constraints[t], column);
        if (from == NULL)
            from = &own;
        for (size_t j = 0; j < from->count; j++) {
            items = arena_grow(judgement->arena, items, count, sizeof *items);
            items[count++] = from->items[j];
        }
    }
    return (struct places){items, count};
}

/* What is computed is not computed from what is computed. */
const struct mask *
places_mask(const struct judgement *judgement, size_t t, const struct places *places)
{
    const struct places copied = places_copied(judgement, t, places);
    const struct mask *found = NULL;

    for (size_t i = 0; i < copied.count && found == NULL; i++)
        found = column_mask(&judgement->catalog->tables[t], &judgement->masks[t],
                            copied.items[i]);
    return found;
}

void
literal_add(const struct judgement *judgement, struct text *sql, size_t t, size_t place,
            const char *value)
{
    const struct table *table = &judgement->catalog->tables[t];
    const struct column_type *type = &judgement->constraints[t].types[place];

    if (value == NULL || type->name != NULL) {
        if (value != NULL)
            text_add_literal(sql, value);
        else
            text_add(sql, "NULL");
        if (type->name != NULL)
            text_addf(sql, "::%s", type->name);
        return;
    }
    text_add(sql, "CASE WHEN false THEN (SELECT t.");
    text_add_name(sql, table->columns[place].name);
    text_add(sql, " FROM ONLY ");
    text_add_name_pair(sql, table->schema, table->name);
    text_add(sql, " AS t LIMIT 0) ELSE ");
    text_add_literal(sql, value);
    text_add(sql, " END");
}

static void
sentence_write(struct text *sentence, const struct mask *mask, const char *schema,
               const char *table, const char *what)
{
    text_add(sentence, "column ");
    text_add_name(sentence, mask->column->name);
    text_add(sentence, " of ");
    text_add_name_pair(sentence, schema, table);
    text_addf(sentence, ", %s: %s", mask->column->type, what);
}

void
judgement_warn(struct judgement *judgement, const struct mask *mask, const char *schema,
               const char *table, const char *what)
{
    struct text sentence = {0};

    text_addf(&sentence, "REPLICA_TRANSFORM line %u (%s): ", mask->line, mask->written);
    sentence_write(&sentence, mask, schema, table, what);
    rules_report_warn(judgement->report, judgement->arena, text_of(&sentence));
    text_free(&sentence);
}

void
judgement_refuse(struct judgement *judgement, const struct mask *mask, const char *schema,
                 const char *table, const char *what)
{
    struct text sentence = {0};

    sentence_write(&sentence, mask, schema, table, what);
    mistakes_add(&judgement->mistakes, mask->line, mask->written, text_of(&sentence));
    text_free(&sentence);
}

void
rules_report_warn(struct rules_report *report, struct arena *arena, const char *sentence)
{
    for (size_t i = 0; i < report->warnings_count; i++)
        if (strcmp(report->warnings[i], sentence) == 0)
            return;
    report->warnings = arena_grow(arena, report->warnings, report->warnings_count,
                                  sizeof *report->warnings);
    report->warnings[report->warnings_count++] = arena_text(arena, sentence);
}

bool
constraints_judge(struct pg_session *conn, const struct catalog *catalog,
                  const struct table_masks *masks, struct arena *arena,
                  struct rules_report *report, struct fault *fault)
{
    struct judgement judgement = {.conn = conn, .catalog = catalog, .masks = masks, .arena = arena,
                                  .report = report, .rows_left = ROWS_ALL_MAX};
    struct table_constraints *constraints;
    bool ruled = false;

    for (size_t t = 0; t < catalog->tables_count && !ruled; t++)
        ruled = masks[t].ruled_count > 0;
    if (!ruled)
        return true;
    bool done = constraints_read(conn, catalog, masks, arena, &constraints, fault);
    judgement.constraints = constraints;
    done = done && constraint_fixed_judge(&judgement, fault) &&
           constraint_keys_judge(&judgement, fault);
    for (size_t t = 0; done && t < catalog->tables_count; t++)
        if (masks[t].ruled_count > 0)
            done = constraint_unique_judge(&judgement, t, fault) &&
                   constraint_expressions_judge(&judgement, t, fault);
    return mistakes_close(&judgement.mistakes, fault) && done;
}
