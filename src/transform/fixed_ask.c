/* fixed_ask - whether the source's server takes the values of fixed(...) whose types fixed_value.c
 * does not know: enums, json, bytea, arrays, addresses, also below domains.  A domain's CHECK is
 * constraint_ask.c's.
 *
 * It is asked as COPY would ask at the restore, through the type's input function with its
 * modifier.  A cast is not that: it cuts a value to bit(3) or varchar(3)[], where COPY refuses.
 * json_to_record() is the way to an input function that servers before 16 have, too; only what is
 * json itself would come out of it as a json string, so there it is the cast, which cuts nothing.
 *
 * A user's type is met through its column, not by its name, and then without its modifier
 * (constraint_safe.h); one that has a domain inside is not asked, whose CHECK would be evaluated.
 * */
#include <string.h>

#include "base/log.h"
#include "transform/constraint.h"

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

/* One question: the value of a mask, and the place of its column. */
struct fixed {
    struct judgement *judgement;
    const struct mask *mask;
    size_t t, place;
};

static void
question_write(struct text *sql, const struct fixed *fixed)
{
    const char *base = fixed->mask->column->base_type, *value = fixed->mask->settings->value;
    const char *type = fixed->judgement->constraints[fixed->t].types[fixed->place].name;
    bool json = strcmp(base, "json") == 0 || strcmp(base, "jsonb") == 0;

    text_add(sql, "SAVEPOINT fixed; SELECT ");
    if (json || type == NULL) {
        literal_add(fixed->judgement, sql, fixed->t, fixed->place, value);
        return;
    }
    text_add(sql, "v FROM pg_catalog.json_to_record(pg_catalog.json_build_object('v', ");
    text_add_literal(sql, value);
    text_addf(sql, "::pg_catalog.text)) AS x(v %s)", type);
}

/* Ask under a savepoint, for a no must not end the snapshot's transaction.  why says what the
 * server said; a type that the role may not use is nobody's mistake, since COPY does not ask for
 * that right.  False: the question itself failed. */
static bool
value_ask(const struct fixed *fixed, struct text *why, struct fault *fault)
{
    struct pg_session *conn = fixed->judgement->conn;
    struct fault said = {0};
    struct text sql = {0};

    question_write(&sql, fixed);
    PGresult *result = pg_query(conn, "take the value", text_of(&sql), &said);
    text_free(&sql);
    if (result == NULL && conn->sqlstate[0] == '\0') {
        fault_hand_over(fault, &said);
        return false;
    }
    if (result == NULL && strcmp(conn->sqlstate, "42501") == 0) /* insufficient_privilege */
        log_debug("%s is not checked: the server is %s", fixed->mask->settings->value, said.text);
    else if (result == NULL)
        text_addf(why, "the server is %s", said.text);
    PQclear(result);
    return pg_run(conn, "go back to a savepoint",
                  "ROLLBACK TO SAVEPOINT fixed; RELEASE SAVEPOINT fixed", fault);
}

/* %u, %s: table and column.  All types that the input function of the one below all domains may
 * meet: elements, fields, bounds. */
static const char domains_sql[] =
    "WITH RECURSIVE base(oid) AS (SELECT atttypid FROM pg_catalog.pg_attribute"
    "  WHERE attrelid = %u AND attname = %s"
    "  UNION SELECT t.typbasetype FROM base JOIN pg_catalog.pg_type t ON t.oid = base.oid"
    "   WHERE t.typtype = 'd'), "
    "met(oid) AS (SELECT base.oid FROM base JOIN pg_catalog.pg_type t ON t.oid = base.oid"
    "   WHERE t.typtype <> 'd'"
    "  UNION SELECT n.oid FROM met JOIN pg_catalog.pg_type t ON t.oid = met.oid"
    "   CROSS JOIN LATERAL (SELECT t.typelem UNION ALL SELECT t.typbasetype"
    "    UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a"
    "     WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped"
    "    UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r"
    "     WHERE t.oid IN (r.rngtypid%s)) AS n(oid) WHERE n.oid <> 0) "
    "SELECT pg_catalog.format_type(t.oid, NULL) FROM met JOIN pg_catalog.pg_type t"
    " ON t.oid = met.oid WHERE t.typtype = 'd' ORDER BY 1 LIMIT 1";

static bool
domain_inside(const struct fixed *fixed, struct text *domain, struct fault *fault)
{
    struct pg_session *conn = fixed->judgement->conn;
    struct text sql = {0}, name = {0};

    if (fixed->judgement->constraints[fixed->t].types[fixed->place].name != NULL)
        return true;
    text_add_literal(&name, fixed->mask->column->name);
    text_addf(&sql, domains_sql, fixed->judgement->catalog->tables[fixed->t].oid, text_of(&name),
              conn->server_version >= 140000 ? ", r.rngmultitypid" : "");
    PGresult *result = pg_query(conn, "read the domains inside a type", text_of(&sql), fault);
    if (PQntuples(result) > 0)
        text_add(domain, PQgetvalue(result, 0, 0));
    PQclear(result);
    text_free(&sql);
    text_free(&name);
    return result != NULL;
}

static bool
fixed_ask(const struct fixed *fixed, struct fault *fault)
{
    const struct table *table = &fixed->judgement->catalog->tables[fixed->t];
    struct text why = {0}, domain = {0};
    bool done = domain_inside(fixed, &domain, fault) &&
                (domain.size > 0 || value_ask(fixed, &why, fault));

    if (domain.size > 0) {
        text_addf(&why, "the value is not checked, for domain %s inside the type may call what is "
                        "not PostgreSQL's own", text_of(&domain));
        judgement_warn(fixed->judgement, fixed->mask, table->schema, table->name, text_of(&why));
    } else if (why.size > 0) {
        judgement_refuse(fixed->judgement, fixed->mask, table->schema, table->name,
                         text_of(&why));
    }
    text_free(&why);
    text_free(&domain);
    return done;
}

bool
constraint_fixed_judge(struct judgement *judgement, struct fault *fault)
{
    const struct catalog *catalog = judgement->catalog;
    struct asked *asked = NULL;

    for (size_t t = 0; t < catalog->tables_count; t++) {
        const struct table *table = &catalog->tables[t];
        for (size_t c = 0; c < table->columns_count; c++) {
            const struct mask *mask = column_mask(table, &judgement->masks[t], c);
            if (mask == NULL || mask->transformer != TRANSFORMER_fixed ||
                mask->column->kind != VALUE_OTHER ||
                was_asked(asked, mask->column->type, mask->settings->value))
                continue;
            struct asked *one = arena_take(judgement->arena, sizeof *one);
            *one = (struct asked){mask->column->type, mask->settings->value, asked};
            asked = one;
            if (!fixed_ask(&(struct fixed){judgement, mask, t, c}, fault))
                return false;
        }
    }
    return true;
}
