/* constraint_ask - a hundred results of the rules, and what the server says of them (constraint.h).
 *
 * The first rows of a table are read with the ruled columns, by their places (ctid).  Their results
 * are sent back with those places, and every expression is evaluated over the rows as they would
 * arrive: the ruled columns replaced, the computed ones computed anew, the others as they stand in
 * the table.  So nothing but results and places stands in the query's text, which the source may
 * log. Of few rows several results each are drawn.
 *
 * A CHECK holds unless it is false.  What is computed has to come out without an error. */
#include <stdlib.h>
#include <string.h>

#include "transform/constraint.h"

enum {
    RESULTS = 100,
    SECONDS_MAX = 10, /* for one expression, which may be as slow as its owner likes */
};

static const char unsafe[] =
    "may refuse results: it calls what is not PostgreSQL's own, so it is not asked";

/* The rows of one table in question. */
struct sample {
    struct judgement *judgement;
    size_t t;
    const struct table *table;
    const struct table_masks *masks;
    const struct constraint **asked;
    size_t asked_count;
    struct places copied; /* columns that are needed, without computed ones */
    struct places ruled;  /* of these, the ruled ones */
    struct text values;   /* VALUES of ctid and results */
    struct text ctids;    /* an array of tid, as text */
    size_t results;
};

static void
say(struct sample *sample, const struct constraint *constraint, bool refused, const char *what)
{
    static const struct {
        enum constraint_kind kind;
        const char *words;
    } kinds[] = {
        {CONSTRAINT_CHECK, "check constraint"},    {CONSTRAINT_DOMAIN, "check constraint"},
        {CONSTRAINT_GENERATED, "generated column"}, {CONSTRAINT_INDEX, "index"},
        {CONSTRAINT_PARTITION, "the partitions of"},
    };
    const struct places both[] = {constraint->columns, constraint->filter};
    const struct mask *mask = NULL;
    struct text sentence = {0};

    for (size_t i = 0; i < 2 && mask == NULL; i++)
        mask = places_mask(sample->judgement, sample->t, &both[i]);
    if (refused && constraint->kind == CONSTRAINT_DOMAIN &&
        mask->transformer == TRANSFORMER_fixed)
        text_add(&sentence, "the server is unable to take the value: ");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == constraint->kind)
            text_addf(&sentence, "%s %s", kinds[i].words, constraint->name);
    if (constraint->kind == CONSTRAINT_DOMAIN)
        text_addf(&sentence, " of domain %s", constraint->owner);
    text_addf(&sentence, " %s", what);
    (refused ? judgement_refuse : judgement_warn)(sample->judgement, mask, sample->table->schema,
                                                  sample->table->name, text_of(&sentence));
    text_free(&sentence);
}

static bool
places_has(const struct places *places, size_t place)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->items[i] == place)
            return true;
    return false;
}

static void
places_add(struct arena *arena, struct places *places, size_t place)
{
    if (places_has(places, place))
        return;
    size_t *items = arena_grow(arena, (void *) places->items, places->count, sizeof *items);
    items[places->count++] = place;
    places->items = items;
}

/* Whether an expression may be evaluated, with all that it is computed from. */
static bool
is_safe(const struct sample *sample, const struct constraint *constraint)
{
    const struct table_constraints *all = &sample->judgement->constraints[sample->t];
    bool safe = constraint->safe;

    for (size_t i = 0; i < all->count && safe; i++) {
        const struct constraint *one = &all->items[i];
        for (size_t c = 0; one->kind == CONSTRAINT_GENERATED && c < sample->table->columns_count;
             c++)
            if (strcmp(sample->table->columns[c].name, one->name) == 0 &&
                (places_has(&constraint->columns, c) || places_has(&constraint->filter, c)))
                safe = one->safe;
    }
    return safe;
}

/* The same constraint of another member of a family, which has been asked before. */
static bool
was_asked(struct judgement *judgement, const struct constraint *constraint)
{
    for (size_t i = 0; i < judgement->asked_count; i++) {
        const struct constraint *one = judgement->asked[i];
        if (one->kind == constraint->kind && strcmp(one->name, constraint->name) == 0 &&
            strcmp(one->expression != NULL ? one->expression : "",
                   constraint->expression != NULL ? constraint->expression : "") == 0)
            return true;
    }
    return false;
}

/* Of fixed(x) a domain is asked even where the table has no rows. */
static bool
is_wanted(const struct sample *sample, const struct constraint *constraint)
{
    const struct mask *mask = places_mask(sample->judgement, sample->t, &constraint->columns);

    if (constraint->kind == CONSTRAINT_UNIQUE || constraint->kind == CONSTRAINT_EXCLUDE)
        return false;
    if (mask == NULL && places_mask(sample->judgement, sample->t, &constraint->filter) == NULL)
        return false;
    return constraint->kind != CONSTRAINT_DOMAIN || mask->transformer != TRANSFORMER_fixed;
}

static void
constraints_choose(struct sample *sample)
{
    struct judgement *judgement = sample->judgement;
    const struct table_constraints *all = &judgement->constraints[sample->t];

    sample->asked = arena_array(judgement->arena, all->count, sizeof *sample->asked);
    for (size_t i = 0; i < all->count; i++) {
        const struct constraint *one = &all->items[i];
        if (!is_wanted(sample, one) || (one->inherited && was_asked(judgement, one)))
            continue;
        if (is_safe(sample, one))
            sample->asked[sample->asked_count++] = one;
        else if (one->kind != CONSTRAINT_INDEX) /* of these too few fail to speak of all */
            say(sample, one, false, unsafe);
    }
}

static void
columns_choose(struct sample *sample)
{
    struct arena *arena = sample->judgement->arena;

    for (size_t i = 0; i < sample->asked_count; i++) {
        const struct places both[] = {sample->asked[i]->columns, sample->asked[i]->filter};
        for (size_t b = 0; b < 2; b++) {
            struct places copied = places_copied(sample->judgement, sample->t, &both[b]);
            for (size_t j = 0; j < copied.count; j++) {
                places_add(arena, &sample->copied, copied.items[j]);
                if (column_mask(sample->table, sample->masks, copied.items[j]) != NULL)
                    places_add(arena, &sample->ruled, copied.items[j]);
            }
        }
    }
}

/* Of what no transformer looks into, whether it is NULL is enough; and texts that are longer than
 * masks look at are not fetched, however long they are. */
static void
rows_question(const struct sample *sample, struct text *sql)
{
    const char *glue = " WHERE ";
    struct text where = {0};

    text_add(sql, "SELECT ctid");
    for (size_t i = 0; i < sample->ruled.count; i++) {
        const struct column *column = &sample->table->columns[sample->ruled.items[i]];
        struct text name = {0};
        text_add_name(&name, column->name);
        if (column->kind == VALUE_OTHER)
            text_addf(sql, ", CASE WHEN %s IS DISTINCT FROM NULL THEN '' END", text_of(&name));
        else
            text_addf(sql, ", %s", text_of(&name));
        if (column->kind == VALUE_TEXT) {
            text_addf(&where, "%scoalesce(pg_catalog.octet_length(%s), 0) <= %d", glue,
                      text_of(&name), TRANSFORM_FIELD_BYTES);
            glue = " AND ";
        }
        text_free(&name);
    }
    text_add(sql, " FROM ONLY ");
    text_add_name_pair(sql, sample->table->schema, sample->table->name);
    text_addf(sql, "%s LIMIT %d", text_of(&where), RESULTS);
    text_free(&where);
}

/* A literal of one result.  Of users' types there is but NULL or the fixed value, which stands in
 * the question itself (column_add); other places only need to know which. */
static void
result_add_literal(struct sample *sample, size_t place, const struct result *result)
{
    const char *type = sample->judgement->constraints[sample->t].types[place].name;

    if (result == NULL || result->null) {
        text_addf(&sample->values, ", NULL::%s", type != NULL ? type : "text");
        return;
    }
    text_add(&sample->values, ", ");
    text_add_literal(&sample->values, (const char *) result->data);
    text_addf(&sample->values, "::%s", type != NULL ? type : "text");
}

static void
row_add(struct sample *sample, const PGresult *rows, int row, struct random *random,
        struct result *result)
{
    const char *ctid = PQgetvalue(rows, row, 0);

    text_addf(&sample->values, "%s('%s'::tid", sample->results++ == 0 ? "" : ", ", ctid);
    for (size_t i = 0; i < sample->ruled.count; i++) {
        size_t place = sample->ruled.items[i];
        const struct mask *mask = column_mask(sample->table, sample->masks, place);
        if (PQgetisnull(rows, row, (int) i + 1)) {
            result_add_literal(sample, place, NULL);
            continue;
        }
        mask_apply(mask, (const uint8_t *) PQgetvalue(rows, row, (int) i + 1),
                   (size_t) PQgetlength(rows, row, (int) i + 1), false, random, result);
        result->data[result->size] = '\0';
        result_add_literal(sample, place, result);
    }
    text_add(&sample->values, ")");
}

static bool
is_drawn(const struct sample *sample)
{
    for (size_t i = 0; i < sample->ruled.count; i++) {
        const struct mask *mask =
            column_mask(sample->table, sample->masks, sample->ruled.items[i]);
        if (!transformer_has(mask->transformer, FUNCTION))
            return true;
    }
    return false;
}

static bool
results_draw(struct sample *sample, struct fault *fault)
{
    struct text sql = {0};
    struct random random;

    rows_question(sample, &sql);
    PGresult *rows = pg_query(sample->judgement->conn, "read rows to ask about", text_of(&sql),
                              fault);
    text_free(&sql);
    int count = PQntuples(rows);
    int times = count > 0 && is_drawn(sample) ? (RESULTS + count - 1) / count : 1;
    uint8_t *data = malloc(TRANSFORM_FIELD_BYTES + 1);
    if (data == NULL)
        memory_exhausted(TRANSFORM_FIELD_BYTES + 1);
    struct result result = {.data = data};
    random_init(&random);
    for (int row = 0; row < count; row++) {
        text_addf(&sample->ctids, "%s\"%s\"", row == 0 ? "" : ",", PQgetvalue(rows, row, 0));
        for (int i = 0; i < times; i++)
            row_add(sample, rows, row, &random, &result);
    }
    free(data);
    PQclear(rows);
    return rows != NULL;
}

/* What counts the results that a constraint refuses. */
static void
expression_add(struct text *sql, const struct sample *sample, const struct constraint *constraint)
{
    const char *expression = constraint->expression;

    text_add(sql, ", pg_catalog.count(*) FILTER (WHERE ");
    switch (constraint->kind) {
    case CONSTRAINT_DOMAIN:
        text_addf(sql, "(SELECT %s FROM (SELECT ", expression);
        text_add_name(sql, sample->table->columns[constraint->columns.items[0]].name);
        text_add(sql, " AS value) AS d) IS FALSE");
        break;
    case CONSTRAINT_GENERATED:
        text_addf(sql, "pg_catalog.num_nulls(%s) %s", expression,
                  constraint->strict ? "> 0" : "< 0");
        break;
    case CONSTRAINT_INDEX:
        text_addf(sql, "CASE WHEN %s THEN pg_catalog.num_nulls(%s) < 0 END",
                  constraint->predicate != NULL ? constraint->predicate : "true",
                  expression != NULL ? expression : "1");
        break;
    default:
        text_addf(sql, "(%s) IS FALSE", expression);
    }
    text_add(sql, ")");
}

/* The computed columns that a constraint names. */
static void
computed_add(struct text *sql, const struct sample *sample, const struct constraint *constraint)
{
    const struct table_constraints *all = &sample->judgement->constraints[sample->t];

    for (size_t i = 0; i < all->count; i++) {
        const struct constraint *one = &all->items[i];
        bool named = false;
        for (size_t c = 0; one->kind == CONSTRAINT_GENERATED && c < sample->table->columns_count;
             c++)
            named = named || (strcmp(sample->table->columns[c].name, one->name) == 0 &&
                              (places_has(&constraint->columns, c) ||
                               places_has(&constraint->filter, c)));
        if (!named)
            continue;
        text_addf(sql, ", CAST(%s AS %s) AS ", one->expression, one->owner);
        text_add_name(sql, one->name);
    }
}

static void
question_begin(struct text *sql)
{
    text_addf(sql, "SAVEPOINT constraints; SET LOCAL statement_timeout = '%d s'; SELECT 0",
              SECONDS_MAX);
}

/* A column as it would arrive, under its name.  citext is a user's type here, too, and comes as
 * text: what is safe to evaluate takes it as text. */
static void
column_add(struct text *sql, const struct sample *sample, size_t place)
{
    const struct column *column = &sample->table->columns[place];
    const struct mask *mask = column_mask(sample->table, sample->masks, place);

    if (mask == NULL) {
        text_add(sql, "t.");
        text_add_name(sql, column->name);
    } else if (column->kind == VALUE_OTHER) {
        text_add(sql, "CASE WHEN false THEN t.");
        text_add_name(sql, column->name);
        text_addf(sql, " WHEN v.r%zu IS NOT NULL THEN ", place);
        literal_add(sample->judgement, sql, sample->t, place,
                    mask->transformer == TRANSFORMER_fixed ? mask->settings->value : NULL);
        text_add(sql, " END");
    } else {
        text_addf(sql, "v.r%zu", place);
    }
    text_add(sql, " AS ");
    text_add_name(sql, column->name);
}

/* The rows as they would arrive, under the table's own name; for whole rows as well. */
static void
question_write(struct text *sql, const struct sample *sample, const struct constraint *constraint)
{
    question_begin(sql);
    expression_add(sql, sample, constraint);
    text_add(sql, " FROM (SELECT s.*");
    computed_add(sql, sample, constraint);
    text_add(sql, " FROM (SELECT t.tableoid");
    for (size_t i = 0; i < sample->copied.count; i++) {
        size_t place = sample->copied.items[i];
        text_add(sql, ", ");
        column_add(sql, sample, place);
    }
    text_add(sql, " FROM (VALUES ");
    text_add_bytes(sql, sample->values.data, sample->values.size);
    text_add(sql, ") AS v(place");
    for (size_t i = 0; i < sample->ruled.count; i++)
        text_addf(sql, ", r%zu", sample->ruled.items[i]);
    text_add(sql, ") JOIN ONLY ");
    text_add_name_pair(sql, sample->table->schema, sample->table->name);
    text_addf(sql, " AS t ON t.ctid = v.place WHERE t.ctid = ANY ('{%s}'::tid[])) AS s) AS ",
              text_of(&sample->ctids));
    text_add_name(sql, sample->table->name);
}

/* An error of class 22 or 23, or one that is raised, is what the rows would meet; others tell that
 * we can't ask: a right that the role has not, a name that is not found, too much time. */
static bool
is_refusal(const char *sqlstate)
{
    return strncmp(sqlstate, "22", 2) == 0 || strncmp(sqlstate, "23", 2) == 0 ||
           strncmp(sqlstate, "P0", 2) == 0;
}

/* What the server says of an error may hold values of the row, so it is not repeated. */
static void
verdict_say(struct sample *sample, const struct constraint *constraint, const PGresult *result)
{
    const char *sqlstate = sample->judgement->conn->sqlstate;
    struct text what = {0};

    if (result != NULL && strcmp(PQgetvalue(result, 0, 1), "0") == 0) {
        sample->judgement->report->held++;
        return;
    }
    bool refused = result != NULL || is_refusal(sqlstate);
    if (result != NULL && sample->results == 1 && constraint->kind == CONSTRAINT_DOMAIN)
        text_add(&what, "refuses it");
    else if (result != NULL)
        text_addf(&what, "%s %s of %zu results",
                  constraint->kind == CONSTRAINT_PARTITION ? "have no place for"
                  : constraint->kind == CONSTRAINT_GENERATED ? "would be NULL for" : "refuses",
                  PQgetvalue(result, 0, 1), sample->results);
    else if (refused)
        text_addf(&what, "can't be computed from results: SQLSTATE %s", sqlstate);
    else
        text_addf(&what, "may refuse results: it could not be asked, SQLSTATE %s", sqlstate);
    say(sample, constraint, refused, text_of(&what));
    text_free(&what);
}

static bool
question_ask(struct sample *sample, const struct constraint *constraint, const struct text *sql,
             struct fault *fault)
{
    struct judgement *judgement = sample->judgement;
    struct pg_session *conn = judgement->conn;
    struct fault said = {0};
    PGresult *result = pg_query(conn, "ask about results", text_of(sql), &said);

    if (result == NULL && conn->sqlstate[0] == '\0') {
        fault_hand_over(fault, &said);
        return false;
    }
    verdict_say(sample, constraint, result);
    PQclear(result);
    judgement->asked = arena_grow(judgement->arena, judgement->asked, judgement->asked_count,
                                  sizeof *judgement->asked);
    judgement->asked[judgement->asked_count++] = constraint;
    return pg_run(conn, "go back to a savepoint",
                  "ROLLBACK TO SAVEPOINT constraints; RELEASE SAVEPOINT constraints", fault);
}

static bool
constraint_ask(struct sample *sample, const struct constraint *constraint, struct fault *fault)
{
    struct text sql = {0};

    question_write(&sql, sample, constraint);
    bool done = question_ask(sample, constraint, &sql, fault);
    text_free(&sql);
    return done;
}

/* The value of fixed(x), which needs no row. */
static bool
domain_ask(struct sample *sample, const struct constraint *constraint, struct fault *fault)
{
    size_t place = constraint->columns.items[0];
    const struct mask *mask = column_mask(sample->table, sample->masks, place);
    struct text sql = {0};

    if (mask == NULL || mask->transformer != TRANSFORMER_fixed)
        return true;
    if (!constraint->safe) {
        say(sample, constraint, false, unsafe);
        return true;
    }
    question_begin(&sql);
    text_addf(&sql, ", CASE WHEN (SELECT %s FROM (SELECT ", constraint->expression);
    literal_add(sample->judgement, &sql, sample->t, place, mask->settings->value);
    text_add(&sql, " AS value) AS d) IS FALSE THEN 1 ELSE 0 END");
    sample->results = 1;
    bool done = question_ask(sample, constraint, &sql, fault);
    sample->results = 0;
    text_free(&sql);
    return done;
}

bool
constraint_expressions_judge(struct judgement *judgement, size_t t, struct fault *fault)
{
    struct sample sample = {.judgement = judgement, .t = t,
                            .table = &judgement->catalog->tables[t],
                            .masks = &judgement->masks[t]};

    if (!constraint_bounds_read(judgement, t, fault))
        return false;
    const struct table_constraints *all = &judgement->constraints[t];
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].kind == CONSTRAINT_DOMAIN &&
            !domain_ask(&sample, &all->items[i], fault))
            return false;
    constraints_choose(&sample);
    columns_choose(&sample);
    bool done = sample.asked_count == 0 || results_draw(&sample, fault);
    for (size_t i = 0; done && sample.results > 0 && i < sample.asked_count; i++)
        done = constraint_ask(&sample, sample.asked[i], fault);
    text_free(&sample.values);
    text_free(&sample.ctids);
    return done;
}
