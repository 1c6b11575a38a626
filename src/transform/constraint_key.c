/* constraint_key - rules against foreign keys (constraint.h).
 *
 * A rule on one side alone breaks the key, and where it is the referenced side the originals stay
 * for all to read in the other table.  On both sides it holds where equal values get equal results,
 * which is a question to the transformers alone, not to the rows: a dump that goes well today must
 * not fail tomorrow for the first row that is not NULL. */
#include <stdlib.h>
#include <string.h>

#include "transform/constraint.h"

enum { KEPT_BYTES_MAX = 12 }; /* three characters, as redacted keeps them */

/* redacted cuts a result to the column's length. */
static bool
rooms_same(const struct mask *a, const struct mask *b)
{
    size_t longest = KEPT_BYTES_MAX + a->settings->width;

    return a->room == b->room || (a->room >= longest && b->room >= longest);
}

static bool
texts_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
masks_agree(const struct mask *a, const struct mask *b)
{
    return a->transformer == b->transformer && transformer_has(a->transformer, FUNCTION) &&
           a->settings->character == b->settings->character &&
           a->settings->width == b->settings->width &&
           texts_equal(a->settings->value, b->settings->value) &&
           (!transformer_has(a->transformer, SEES) ||
            (a->column->blank_padded == b->column->blank_padded && rooms_same(a, b)));
}

enum key_verdict
key_verdict(const struct mask *from, const struct mask *to)
{
    if (from != NULL && from->transformer == TRANSFORMER_null)
        return KEY_NULL;
    if (from == NULL && to == NULL)
        return KEY_HOLDS;
    if (from == NULL)
        return KEY_TO_ALONE;
    if (to == NULL)
        return KEY_FROM_ALONE;
    return masks_agree(from, to) ? KEY_HOLDS : KEY_DIFFERS;
}

/* %s: whether it is enforced (18); oids of the ruled tables and their ancestors, twice.  One row
 * for a pair of columns; the keys of partitions come with their parent's. */
static const char keys_sql[] =
    "SELECT k.oid, k.conname, k.conrelid, k.confrelid, k.confmatchtype = 'f',"
    "  k.convalidated AND %s, a.attname, b.attname "
    "FROM pg_catalog.pg_constraint k"
    " CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS x(a, b, n)"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.a"
    " JOIN pg_catalog.pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = x.b "
    "WHERE k.contype = 'f' AND k.conparentid = 0"
    " AND (k.conrelid = ANY ('{%s}'::oid[]) OR k.confrelid = ANY ('{%s}'::oid[])) "
    "ORDER BY k.oid, x.n";

enum { AT_OID, AT_NAME, AT_FROM, AT_TO, AT_FULL, AT_CHECKED, AT_FROM_COLUMN, AT_TO_COLUMN };

struct key {
    const char *name;
    const struct table *from, *to;
    bool full;    /* MATCH FULL: NULL in all columns or in none */
    bool checked; /* the restore will hold the rows against it */
    const char **from_columns, **to_columns;
    size_t columns_count;
};

static uint32_t
oid_at(const PGresult *result, int row, int column)
{
    return (uint32_t) strtoul(PQgetvalue(result, row, column), NULL, 10);
}

/* The key that begins with this row. */
static struct key
key_take(const struct judgement *judgement, const PGresult *result, int *row)
{
    struct arena *arena = judgement->arena;
    uint32_t oid = oid_at(result, *row, AT_OID);
    struct key key = {
        .name = arena_text(arena, PQgetvalue(result, *row, AT_NAME)),
        .from = catalog_table_by_oid(judgement->catalog, oid_at(result, *row, AT_FROM)),
        .to = catalog_table_by_oid(judgement->catalog, oid_at(result, *row, AT_TO)),
        .full = PQgetvalue(result, *row, AT_FULL)[0] == 't',
        .checked = PQgetvalue(result, *row, AT_CHECKED)[0] == 't',
    };

    for (; *row < PQntuples(result) && oid_at(result, *row, AT_OID) == oid; (*row)++) {
        size_t count = key.columns_count++;
        key.from_columns = arena_grow(arena, key.from_columns, count, sizeof *key.from_columns);
        key.to_columns = arena_grow(arena, key.to_columns, count, sizeof *key.to_columns);
        key.from_columns[count] = arena_text(arena, PQgetvalue(result, *row, AT_FROM_COLUMN));
        key.to_columns[count] = arena_text(arena, PQgetvalue(result, *row, AT_TO_COLUMN));
    }
    return key;
}

/* Whether a table holds copied rows of another: its own, or those of a partition.  A child that is
 * no partition has keys of its own. */
static bool
holds_rows_of(const struct table *table, const struct table *whole)
{
    if (!table->copied)
        return false;
    for (size_t i = 0; whole->kind == 'p' && i < table->ancestors_count; i++)
        if (table->ancestors[i] == whole->oid)
            return true;
    return table == whole;
}

/* The column's mask in a table, or that of a column from which it is computed there.  A computed
 * one equals nothing but itself. */
static const struct mask *
named_mask(const struct judgement *judgement, const struct table *table, const char *name,
           bool *computed)
{
    size_t t = (size_t) (table - judgement->catalog->tables);

    *computed = false;
    for (size_t place = 0; place < table->columns_count; place++) {
        if (strcmp(table->columns[place].name, name) != 0)
            continue;
        *computed = table->columns[place].generated;
        return places_mask(judgement, t, &(struct places){.items = &place, .count = 1});
    }
    return NULL;
}

/* What is wrong between two tables, at the first pair of columns where something is. */
struct clash {
    enum key_verdict verdict;
    const struct table *from, *to;
    const struct mask *from_mask, *to_mask;
    size_t column;
};

static struct clash
tables_clash(const struct judgement *judgement, const struct key *key, const struct table *from,
             const struct table *to)
{
    struct clash clash = {.verdict = KEY_HOLDS}, one = {.from = from, .to = to};
    size_t nulls = 0;

    for (size_t i = 0; i < key->columns_count; i++) {
        bool from_computed, to_computed;
        one.from_mask = named_mask(judgement, from, key->from_columns[i], &from_computed);
        one.to_mask = named_mask(judgement, to, key->to_columns[i], &to_computed);
        one.column = i;
        one.verdict = key_verdict(one.from_mask, one.to_mask);
        if ((from_computed && one.from_mask != NULL) || (to_computed && one.to_mask != NULL))
            one.verdict = one.from_mask == NULL ? KEY_TO_ALONE
                          : one.to_mask == NULL ? KEY_FROM_ALONE : KEY_DIFFERS;
        nulls += one.verdict == KEY_NULL;
        if (one.verdict > KEY_NULL && clash.verdict <= KEY_NULL)
            clash = one;
        else if (one.verdict == KEY_NULL && clash.from_mask == NULL)
            clash = one;
    }
    /* One NULL is enough, but for MATCH FULL, which then wants all of them. */
    if (nulls == 0 || (key->full && nulls < key->columns_count))
        return clash;
    return (struct clash){.verdict = KEY_HOLDS};
}

/* fixed(x) may name a row that is there; asked only where the types are PostgreSQL's own. */
static bool
fixed_is_there(struct judgement *judgement, const struct key *key, const struct clash *clash,
               bool *there, struct fault *fault)
{
    struct pg_session *conn = judgement->conn;
    struct fault said = {0};
    struct text sql = {0};

    *there = false;
    if (clash->verdict != KEY_FROM_ALONE || key->columns_count != 1 ||
        clash->from_mask->transformer != TRANSFORMER_fixed ||
        clash->from_mask->column->kind == VALUE_OTHER)
        return true;
    text_addf(&sql, "SAVEPOINT fixed; SELECT FROM %s", key->to->kind == 'p' ? "" : "ONLY ");
    text_add_name_pair(&sql, key->to->schema, key->to->name);
    text_add(&sql, " WHERE ");
    text_add_name(&sql, key->to_columns[0]);
    text_add(&sql, " OPERATOR(pg_catalog.=) ");
    text_add_literal(&sql, clash->from_mask->settings->value);
    text_add(&sql, " LIMIT 1");
    PGresult *result = pg_query(conn, "look for the row", text_of(&sql), &said);
    text_free(&sql);
    if (result == NULL && conn->sqlstate[0] == '\0') {
        fault_hand_over(fault, &said);
        return false;
    }
    *there = PQntuples(result) > 0;
    PQclear(result);
    return pg_run(conn, "go back to a savepoint",
                  "ROLLBACK TO SAVEPOINT fixed; RELEASE SAVEPOINT fixed", fault);
}

static void
add_column(struct text *text, const struct table *table, const char *column)
{
    text_add_name_pair(text, table->schema, table->name);
    text_add(text, ".");
    text_add_name(text, column);
}

static void
clash_write(struct text *what, const struct key *key, const struct clash *clash)
{
    const char *from = key->from_columns[clash->column], *to = key->to_columns[clash->column];
    bool to_alone = clash->verdict == KEY_TO_ALONE;

    text_addf(what, to_alone ? "foreign key %s, by which " : "foreign key %s to ", key->name);
    add_column(what, to_alone ? clash->from : clash->to,
               to_alone ? from : to);
    if (clash->verdict == KEY_NULL)
        text_add(what, " is MATCH FULL, so null must rule all of its columns or none");
    else if (to_alone)
        text_add(what, " references it, can't hold, and the originals would stay there, where no "
                       "rule hides them");
    else if (clash->verdict == KEY_FROM_ALONE)
        text_add(what, " can't hold, since what it references stays as it is");
    else
        text_add(what, " can't hold, since both are ruled, but equal values would not get equal "
                       "results");
    if (clash->verdict != KEY_NULL)
        text_add(what, "; give both the same redacted or fixed rule, or the referencing column "
                       "null, or leave the rows of one table out (REPLICA_SKIP_DATA)");
}

static bool
clash_say(struct judgement *judgement, const struct key *key, const struct clash *clash,
          struct fault *fault)
{
    bool on_to = clash->verdict == KEY_TO_ALONE, there;
    const struct mask *mask = on_to ? clash->to_mask : clash->from_mask;
    const struct table *table = on_to ? clash->to : clash->from;
    struct text what = {0};

    if (!fixed_is_there(judgement, key, clash, &there, fault))
        return false;
    if (there)
        return true;
    clash_write(&what, key, clash);
    if (!key->checked)
        text_add(&what, " (it is NOT VALID or not enforced, so the restore does not ask)");
    (key->checked ? judgement_refuse : judgement_warn)(judgement, mask, table->schema, table->name,
                                                       text_of(&what));
    text_free(&what);
    return true;
}

/* What is wrong with one pair of partitions is wrong with all of them. */
static bool
key_judge(struct judgement *judgement, const struct key *key, struct fault *fault)
{
    const struct catalog *catalog = judgement->catalog;

    for (size_t f = 0; key->from != NULL && key->to != NULL && f < catalog->tables_count; f++) {
        const struct table *from = &catalog->tables[f];
        if (!holds_rows_of(from, key->from))
            continue;
        for (size_t t = 0; t < catalog->tables_count; t++) {
            const struct table *to = &catalog->tables[t];
            if (!holds_rows_of(to, key->to))
                continue;
            struct clash clash = tables_clash(judgement, key, from, to);
            if (clash.verdict != KEY_HOLDS)
                return clash_say(judgement, key, &clash, fault);
        }
    }
    return true;
}

static void
oids_of_families(const struct judgement *judgement, struct text *oids)
{
    const struct catalog *catalog = judgement->catalog;

    for (size_t t = 0; t < catalog->tables_count; t++) {
        const struct table *table = &catalog->tables[t];
        if (judgement->masks[t].ruled_count == 0)
            continue;
        text_addf(oids, "%s%u", oids->size == 0 ? "" : ",", table->oid);
        for (size_t a = 0; a < table->ancestors_count; a++)
            text_addf(oids, ",%u", table->ancestors[a]);
    }
}

bool
constraint_keys_judge(struct judgement *judgement, struct fault *fault)
{
    struct pg_session *conn = judgement->conn;
    struct text oids = {0}, sql = {0};
    bool done = true;

    oids_of_families(judgement, &oids);
    text_addf(&sql, keys_sql, conn->server_version >= 180000 ? "k.conenforced" : "true",
              text_of(&oids), text_of(&oids));
    PGresult *result = pg_query(conn, "read the foreign keys", text_of(&sql), fault);
    for (int row = 0; done && row < PQntuples(result);) {
        struct key key = key_take(judgement, result, &row);
        done = key_judge(judgement, &key, fault);
    }
    done = done && result != NULL;
    PQclear(result);
    text_free(&sql);
    text_free(&oids);
    return done;
}
