/* fixed_ask - whether the source's server takes the values of fixed(...) whose types fixed_value.c
 * does not know: enums, json, bytea, arrays, addresses, domains over them.
 *
 * It is asked as COPY would ask at the restore, through the type's input function with its
 * modifier.  A cast is not that: it cuts a value to bit(3) or varchar(3)[], where COPY refuses.
 * json_to_record() is the way to an input function that servers before 16 have, too; only what is
 * json itself would come out of it as a json string, so there it is the cast, which cuts nothing.
 */
#include <string.h>

#include "base/log.h"
#include "transform/rule.h"

/* A value that has been asked for, of one type. */
struct asked {
    const char *type, *value;
    struct asked *next;
};

static bool
was_asked(const struct asked *asked, const char *type, const char *value)
{
    for (; asked != NULL; asked = asked->next)
        if (strcmp(asked->type, type) == 0 && strcmp(asked->value, value) == 0)
            return true;
    return false;
}

static void
question_write(struct text *sql, const struct column *column, const char *value)
{
    bool json = strcmp(column->base_type, "json") == 0 || strcmp(column->base_type, "jsonb") == 0;

    text_add(sql, "SAVEPOINT fixed; SELECT ");
    if (!json)
        text_add(sql, "v FROM pg_catalog.json_to_record(pg_catalog.json_build_object('v', ");
    text_add_literal(sql, value);
    if (json)
        text_addf(sql, "::%s", column->type);
    else
        text_addf(sql, "::pg_catalog.text)) AS x(v %s)", column->type);
}

/* Ask under a savepoint, for a no must not end the snapshot's transaction.  why says what the
 * server said; a type that the role may not use is nobody's mistake, since COPY does not ask for
 * that right.  False: the question itself failed. */
static bool
value_ask(struct pg_session *conn, const struct column *column, const char *value,
          struct text *why, struct fault *fault)
{
    struct fault said = {0};
    struct text sql = {0};

    question_write(&sql, column, value);
    PGresult *result = pg_query(conn, "take the value", text_of(&sql), &said);
    text_free(&sql);
    if (result == NULL && conn->sqlstate[0] == '\0') {
        fault_hand_over(fault, &said);
        return false;
    }
    if (result == NULL && strcmp(conn->sqlstate, "42501") == 0) /* insufficient_privilege */
        log_debug("%s is not checked: the server is %s", value, said.text);
    else if (result == NULL)
        text_addf(why, "the server is %s", said.text);
    PQclear(result);
    return pg_run(conn, "go back to a savepoint",
                  "ROLLBACK TO SAVEPOINT fixed; RELEASE SAVEPOINT fixed", fault);
}

static bool
column_ask(struct pg_session *conn, const struct table *table, const struct mask *mask,
           struct mistakes *mistakes, struct fault *fault)
{
    const struct column *column = mask->column;
    struct text why = {0}, what = {0};
    bool done = value_ask(conn, column, mask->settings->value, &why, fault);

    if (why.size > 0) {
        text_add(&what, "column ");
        text_add_name(&what, column->name);
        text_add(&what, " of ");
        text_add_name_pair(&what, table->schema, table->name);
        text_addf(&what, ", %s: %s", column->type, text_of(&why));
        mistakes_add(mistakes, mask->line, mask->written, text_of(&what));
    }
    text_free(&why);
    text_free(&what);
    return done;
}

bool
fixed_values_ask(struct pg_session *conn, const struct catalog *catalog,
                 const struct table_masks *masks, struct arena *arena, struct fault *fault)
{
    struct mistakes mistakes = {0};
    struct asked *asked = NULL;
    bool done = true;

    for (size_t t = 0; t < catalog->tables_count && done; t++) {
        for (size_t i = 0; i < masks[t].ruled_count && done; i++) {
            const struct mask *mask = masks[t].masks[masks[t].ruled[i]];
            if (mask->transformer != TRANSFORMER_fixed || mask->column->kind != VALUE_OTHER ||
                was_asked(asked, mask->column->type, mask->settings->value))
                continue;
            struct asked *one = arena_take(arena, sizeof *one);
            *one = (struct asked){mask->column->type, mask->settings->value, asked};
            asked = one;
            done = column_ask(conn, &catalog->tables[t], mask, &mistakes, fault);
        }
    }
    return mistakes_close(&mistakes, fault) && done;
}
