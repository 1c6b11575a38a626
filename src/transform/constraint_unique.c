/* constraint_unique - rules against unique constraints (constraint.h).
 *
 * The first rows of the table are read and their results are held against each other: what stays as
 * it is and what the masks make for certain tells the rows' groups; of each group's rows, n, the
 * rest is drawn from N results, so that n(n-1)/2N pairs are expected to meet.  Where n > N some
 * pair must. Nothing is drawn: the verdict is the same each time.
 *
 * Equal bytes are taken for equal keys, and nothing else is; so the count errs to the low side. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/sha256.h"
#include "transform/constraint.h"

enum {
    SHA256_BYTES = 32,
    ROWS_MAX = 10000,      /* of a table that are looked at */
    ROWS_LEAST = 200,      /* even when others have used up what may be read */
    ROWS_FETCHED = 200,    /* at a time: values of 16 KiB each would be 3 MiB */
    COUNTED_MAX = 1000000, /* rows that are counted to be sure */
};

/* With as many pairs the luck to see none of them meet is e^-14, one in a million. */
static const double pairs_certain = 14, pairs_harmless = 1e-6;

/* Among so many results rows don't meet in any number that is looked at. */
static const double choices_plenty = 1e15;

static int
drawn_compare(const void *a, const void *b)
{
    const struct drawn *x = a, *y = b;
    int order = memcmp(x->group, y->group, sizeof x->group);

    return order != 0 ? order : (x->choices > y->choices) - (x->choices < y->choices);
}

double
drawn_pairs(struct drawn *rows, size_t count)
{
    double pairs = 0;

    qsort(rows, count, sizeof *rows, drawn_compare);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && drawn_compare(&rows[begin], &rows[end]) == 0; end++)
            continue;
        double same = (double) (end - begin);
        if (same > rows[begin].choices && !rows[begin].others)
            return INFINITY;
        pairs += same * (same - 1) / 2 / rows[begin].choices;
    }
    return pairs;
}

/* One question: a unique constraint and the columns that it looks at. */
struct uniqueness {
    struct judgement *judgement;
    const struct table *table;
    const struct table_masks *masks;
    const struct constraint *constraint;
    struct places columns; /* its own, and what a computed one among them is computed from */
    uint8_t *result;
    struct drawn *rows;
    size_t count, limit;
    struct sha256 blank; /* to be copied: to begin one asks the CPU, which takes 50 us in a guest */
    double fewest; /* choices of any row so far */
    bool function; /* all masks of it make the same of the same value */
};

static void
where_add(const struct uniqueness *u, struct text *sql)
{
    const struct places *columns = &u->columns;
    const char *glue = " WHERE ";

    for (size_t i = 0; i < columns->count; i++) {
        const struct column *column = &u->table->columns[columns->items[i]];
        if (!u->constraint->strict && !column->not_null) {
            text_add(sql, glue);
            text_add_name(sql, column->name);
            text_add(sql, " IS DISTINCT FROM NULL");
            glue = " AND ";
        }
    }
    if (u->constraint->predicate != NULL)
        text_addf(sql, "%s(%s)", glue, u->constraint->predicate);
}

static void
from_add(const struct uniqueness *u, struct text *sql)
{
    text_add(sql, " FROM ONLY ");
    text_add_name_pair(sql, u->table->schema, u->table->name);
    where_add(u, sql);
}

/* The predicate names columns as they stand in the table, so the table has no other name here. */
static bool
cursor_open(const struct uniqueness *u, struct fault *fault)
{
    const struct places *columns = &u->columns;
    struct text sql = {0};

    text_add(&sql, "DECLARE unique_rows NO SCROLL CURSOR FOR SELECT ");
    for (size_t i = 0; i < columns->count; i++) {
        text_add(&sql, i == 0 ? "" : ", ");
        text_add_name(&sql, u->table->columns[columns->items[i]].name);
    }
    from_add(u, &sql);
    text_addf(&sql, " LIMIT %zu", u->limit);
    bool done = pg_run(u->judgement->conn, "look for equal results", text_of(&sql), fault);
    text_free(&sql);
    return done;
}

/* A field's part: a mark of what follows, its size, its bytes. */
static void
digest_add(struct sha256 *digest, char mark, const void *bytes, size_t size)
{
    uint64_t length = size;

    sha256_update(digest, &mark, 1);
    sha256_update(digest, &length, sizeof length);
    if (size > 0)
        sha256_update(digest, bytes, size);
}

static void
field_take(struct uniqueness *u, const struct mask *mask, const char *data, size_t size,
           struct sha256 *digest, struct drawn *drawn)
{
    bool cut = size > TRANSFORM_FIELD_BYTES;
    const uint8_t *bytes = (const uint8_t *) data;
    struct result result = {.data = u->result};
    struct random random = {0}; /* nothing is drawn */
    struct kept kept;

    size = cut ? TRANSFORM_FIELD_BYTES : size;
    double possible = mask_choices(mask, bytes, size, cut, &kept);
    drawn->choices *= possible;
    drawn->others = drawn->others || kept.others;
    u->function = u->function && transformer_has(mask->transformer, FUNCTION);
    if (possible > 1) {
        digest_add(digest, 'd', kept.data, kept.size);
        digest_add(digest, 's', &kept.shape, sizeof kept.shape);
        digest_add(digest, 'c', &possible, sizeof possible);
        return;
    }
    mask_apply(mask, bytes, size, cut, &random, &result);
    digest_add(digest, result.null ? 'n' : 'v', result.data, result.null ? 0 : result.size);
}

static void
row_take(struct uniqueness *u, const PGresult *result, int row)
{
    const struct places *columns = &u->columns;
    struct drawn *drawn = &u->rows[u->count++];
    struct sha256 digest = u->blank;
    uint8_t out[SHA256_BYTES];

    drawn->choices = 1;
    for (size_t i = 0; i < columns->count; i++) {
        const struct mask *mask = column_mask(u->table, u->masks, columns->items[i]);
        const char *data = PQgetvalue(result, row, (int) i);
        size_t size = (size_t) PQgetlength(result, row, (int) i);
        if (PQgetisnull(result, row, (int) i))
            digest_add(&digest, 'n', NULL, 0);
        else if (mask == NULL)
            digest_add(&digest, 'v', data, size);
        else
            field_take(u, mask, data, size, &digest, drawn);
    }
    u->fewest = fmin(u->fewest, drawn->choices);
    sha256_out(&digest, out);
    memcpy(drawn->group, out, sizeof drawn->group);
}

static bool
rows_read(struct uniqueness *u, struct fault *fault)
{
    struct pg_session *conn = u->judgement->conn;
    struct text fetch = {0};
    bool more = true, done = cursor_open(u, fault);

    text_addf(&fetch, "FETCH %d FROM unique_rows", ROWS_FETCHED);
    while (done && more) {
        PGresult *result = pg_query(conn, "look for equal results", text_of(&fetch), fault);
        int count = PQntuples(result);
        for (int row = 0; row < count && u->count < u->limit; row++)
            row_take(u, result, row);
        more = count == ROWS_FETCHED && u->fewest < choices_plenty;
        done = result != NULL;
        PQclear(result);
    }
    text_free(&fetch);
    return done && pg_run(conn, "look for equal results", "CLOSE unique_rows", fault);
}

/* Rows of the table, as far as they can be known for little: exactly, if they are fewer. */
static bool
rows_count(const struct uniqueness *u, double wanted, double *rows, struct fault *fault)
{
    struct text sql = {0};

    *rows = (double) (u->table->rows_estimate > u->count ? u->table->rows_estimate : u->count);
    if (wanted > COUNTED_MAX)
        return true;
    text_add(&sql, "SELECT count(*) FROM (SELECT");
    from_add(u, &sql);
    text_addf(&sql, " LIMIT %.0f) AS s", wanted);
    PGresult *result = pg_query(u->judgement->conn, "count rows", text_of(&sql), fault);
    if (result != NULL)
        *rows = strtod(PQgetvalue(result, 0, 0), NULL);
    PQclear(result);
    text_free(&sql);
    return result != NULL;
}

static void
say(const struct uniqueness *u, double rows, double pairs)
{
    const struct mask *mask = places_mask(u->judgement, (size_t) (u->table -
                                          u->judgement->catalog->tables),
                                          &u->constraint->columns);
    struct text what = {0};
    bool refused = pairs >= pairs_certain;

    text_addf(&what, "unique constraint %s %s", u->constraint->name,
              refused ? "can't hold: " : "may not hold: ");
    if (isinf(pairs))
        text_addf(&what, "among the first %.0f rows some must get the same %s", rows,
                  u->constraint->columns.count > 1 ? "key" : "value");
    else if (pairs == 0)
        text_addf(&what, "%s makes equal results of different values, if of none in the first "
                         "%.0f rows", mask_name(mask), rows);
    else
        text_addf(&what, "of %.0f rows, %.2g pairs are expected to get the same %s", rows, pairs,
                  u->constraint->columns.count > 1 ? "key" : "value");
    if (refused && !transformer_has(mask->transformer, UNIQUE))
        text_add(&what, transformer_serves(TRANSFORMER_email, mask->column->kind)
                            ? "; random and email draw from more, where the column has room"
                            : "; random draws from more, where the column has room");
    (refused ? judgement_refuse : judgement_warn)(u->judgement, mask, u->table->schema,
                                                  u->table->name, text_of(&what));
    text_free(&what);
}

static bool
verdict_find(struct uniqueness *u, struct fault *fault)
{
    double seen = (double) u->count, pairs = drawn_pairs(u->rows, u->count), rows = seen;
    double density = seen > 1 ? 2 * pairs / (seen * (seen - 1)) : 0;
    bool whole = u->count < u->limit && (u->fewest < choices_plenty || u->count < ROWS_FETCHED);

    if (!whole && pairs < pairs_certain && density > 0) {
        if (!rows_count(u, ceil(sqrt(2 * pairs_certain / density)) + 2, &rows, fault))
            return false;
        pairs = density * rows * (rows - 1) / 2;
        /* Only what was counted is certain. */
        if (pairs >= pairs_certain && sqrt(2 * pairs_certain / density) > COUNTED_MAX)
            pairs = nextafter(pairs_certain, 0);
    }
    if (pairs > pairs_harmless || (!whole && pairs == 0 && u->function))
        say(u, rows, pairs);
    return true;
}

/* A predicate over ruled columns holds for other rows at the destination: nobody knows which. */
static void
warn_unasked(struct judgement *judgement, size_t t, const struct constraint *constraint,
             const char *why)
{
    const struct table *table = &judgement->catalog->tables[t];
    const struct mask *mask = places_mask(judgement, t, &constraint->columns);
    struct text what = {0};

    if (mask == NULL)
        mask = places_mask(judgement, t, &constraint->filter);
    text_addf(&what, "%s constraint %s may not hold: %s",
              constraint->kind == CONSTRAINT_UNIQUE ? "unique" : "exclusion", constraint->name,
              why);
    judgement_warn(judgement, mask, table->schema, table->name, text_of(&what));
    text_free(&what);
}

/* NULL differs from NULL, unless the index says otherwise. */
static bool
is_nulled(const struct judgement *judgement, size_t t, const struct constraint *constraint)
{
    const struct table *table = &judgement->catalog->tables[t];

    for (size_t i = 0; i < constraint->columns.count && !constraint->strict; i++) {
        const struct mask *mask =
            column_mask(table, &judgement->masks[t], constraint->columns.items[i]);
        if (mask != NULL && mask->transformer == TRANSFORMER_null && constraint->expression == NULL)
            return true;
    }
    return false;
}

static bool
unique_ask(struct judgement *judgement, size_t t, const struct constraint *constraint,
           struct fault *fault)
{
    struct uniqueness u = {.judgement = judgement, .table = &judgement->catalog->tables[t],
                           .masks = &judgement->masks[t], .constraint = constraint,
                           .columns = places_copied(judgement, t, &constraint->columns),
                           .fewest = INFINITY, .function = true};
    size_t left = judgement->rows_left;

    sha256_init(&u.blank);
    u.limit = left > ROWS_MAX ? ROWS_MAX : left < ROWS_LEAST ? ROWS_LEAST : left;
    u.result = malloc(TRANSFORM_FIELD_BYTES);
    u.rows = calloc(u.limit, sizeof *u.rows);
    if (u.result == NULL || u.rows == NULL)
        memory_exhausted(TRANSFORM_FIELD_BYTES + u.limit * sizeof *u.rows);
    bool done = rows_read(&u, fault) && verdict_find(&u, fault);
    judgement->rows_left -= u.count < left ? u.count : left;
    free(u.result);
    free(u.rows);
    return done;
}

static bool
constraint_judge(struct judgement *judgement, size_t t, const struct constraint *constraint,
                 struct fault *fault)
{
    bool keyed = places_mask(judgement, t, &constraint->columns) != NULL;
    bool filtered = places_mask(judgement, t, &constraint->filter) != NULL;

    if (!keyed && !filtered)
        return true;
    if (constraint->kind == CONSTRAINT_EXCLUDE)
        warn_unasked(judgement, t, constraint, "its operators may see results as equal");
    else if (is_nulled(judgement, t, constraint))
        return true;
    else if (filtered)
        warn_unasked(judgement, t, constraint, "its predicate sees the results of a rule");
    else if (constraint->predicate != NULL && !constraint->safe)
        warn_unasked(judgement, t, constraint,
                     "its predicate calls what is not PostgreSQL's own, so it is not asked");
    else
        return unique_ask(judgement, t, constraint, fault);
    return true;
}

bool
constraint_unique_judge(struct judgement *judgement, size_t t, struct fault *fault)
{
    const struct table_constraints *constraints = &judgement->constraints[t];

    for (size_t i = 0; i < constraints->count; i++) {
        const struct constraint *one = &constraints->items[i];
        if ((one->kind == CONSTRAINT_UNIQUE || one->kind == CONSTRAINT_EXCLUDE) &&
            !constraint_judge(judgement, t, one, fault))
            return false;
    }
    return true;
}
