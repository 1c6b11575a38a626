/* constraint - what a table's rows must satisfy at the destination, as far as a rule could break
 * it. Private to transform/.
 *
 *     constraints_read ─▶ constraint_key.c     foreign keys: decided by the rules alone
 *                      ─▶ constraint_unique.c  how many results meet, in the first rows
 *                      ─▶ constraint_ask.c     whether the server takes a hundred results, also
 *                                              the partitions (constraint_bounds.c)
 *
 * What is read: unique and exclusion constraints and unique indexes; CHECK constraints of tables
 * and domains; the expressions of generated columns and of indexes, which must be computed there;
 * the bounds of partitions.  What is NOT VALID or NOT ENFORCED is no concern: pg_dump adds it
 * behind the rows, unchecked.  NOT NULL is bind.c's.
 *
 * A CHECK's owner must not make us run code of his: constraint_safe.h says what is evaluated.
 *
 * Threads: one; all of it stands before the workers. */
#ifndef TRANSFORM_CONSTRAINT_H
#define TRANSFORM_CONSTRAINT_H

#include "transform/rule.h"

enum constraint_kind {
    CONSTRAINT_UNIQUE = 'u',    /* also primary keys, and exclusion by = alone */
    CONSTRAINT_EXCLUDE = 'x',
    CONSTRAINT_CHECK = 'c',
    CONSTRAINT_DOMAIN = 'd',    /* a CHECK of a domain that the column's type is, or rests on */
    CONSTRAINT_GENERATED = 'g', /* a column that is computed: from what, and not to NULL */
    CONSTRAINT_INDEX = 'i',     /* computes expressions, or has a predicate */
    CONSTRAINT_PARTITION = 'p', /* some partition takes the row; name is the root's */
};

/* Places of columns in struct table's columns. */
struct places {
    const size_t *items;
    size_t count;
};

struct constraint {
    enum constraint_kind kind;
    const char *name, *owner; /* owner: the domain; of a generated column its type */
    struct places columns;    /* what it looks at, without the predicate; what a computed one among
                                 them is computed from is not in here (places_copied) */
    struct places filter;     /* what the predicate looks at */
    const char *expression;   /* SQL over the table's column names; a domain's over VALUE; of a
                                 unique or exclusion constraint, and of an index, a list of them or
                                 NULL */
    const char *predicate;    /* or NULL */
    bool safe;                /* expression and predicate may be evaluated at the source */
    bool strict;              /* unique: NULLs are equal; generated: not to NULL */
    bool inherited;           /* it is that of a parent as well */
};

/* The type of a column below all domains. */
struct column_type {
    const char *name; /* as SQL, with its modifier; NULL when it is a user's, whose name is not
                         used */
    bool domain;      /* the column's own is a domain */
    size_t attnum;    /* of the column */
};

/* Of one table; all empty for those without rules. */
struct table_constraints {
    struct constraint *items;
    size_t count;
    struct column_type *types; /* of each column */
    size_t types_count;
};

/* What the judges share. */
struct judgement {
    struct pg_session *conn;
    const struct catalog *catalog;
    const struct table_masks *masks;
    struct table_constraints *constraints; /* constraints[i] is of catalog->tables[i] */
    struct arena *arena;
    struct rules_report *report;
    struct mistakes mistakes;
    size_t rows_left;     /* that may still be read to find equal results */
    const struct constraint **asked; /* of parents: once is enough for a family */
    size_t asked_count;
    struct root *roots; /* of the partitions seen so far */
};

/* Read the constraints of all tables with rules, under the snapshot. */
bool constraints_read(struct pg_session *conn, const struct catalog *catalog,
                      const struct table_masks *masks, struct arena *arena,
                      struct table_constraints **result, struct fault *fault);

/* Hold the rules against the types of fixed values (fixed_ask.c), the foreign keys, the unique
 * constraints and the expressions.  False: the
 * question itself failed; what is wrong with rules is added to the mistakes. */
bool constraint_fixed_judge(struct judgement *judgement, struct fault *fault);
bool constraint_keys_judge(struct judgement *judgement, struct fault *fault);
bool constraint_unique_judge(struct judgement *judgement, size_t table, struct fault *fault);
bool constraint_expressions_judge(struct judgement *judgement, size_t table, struct fault *fault);

/* Add a value, NULL for NULL, as a literal of the column's type below all domains.  A user's type
 * is not named, but taken from the column: CASE goes below domains, and no cast of users' stands
 * between. */
void literal_add(const struct judgement *judgement, struct text *sql, size_t table, size_t place,
                 const char *value);

/* Add the bounds of a partition's family to the table's constraints, where a rule of it changes a
 * column by which rows find their partition. */
bool constraint_bounds_read(struct judgement *judgement, size_t table, struct fault *fault);

/* The mask of a column by its place in struct table's columns; NULL: none, or computed. */
const struct mask *column_mask(const struct table *table, const struct table_masks *masks,
                               size_t place);

/* A mask of one of the places, also of one from which a generated column among them is computed;
 * NULL when the rules leave them all alone. */
const struct mask *places_mask(const struct judgement *judgement, size_t table,
                               const struct places *places);

/* The places with what is computed among them replaced by what it is computed from. */
struct places places_copied(const struct judgement *judgement, size_t table,
                            const struct places *places);

/* Add a warning, or a mistake of the rule: "column a of s.t, integer: <what>". */
void judgement_warn(struct judgement *judgement, const struct mask *mask, const char *schema,
                    const char *table, const char *what);
void judgement_refuse(struct judgement *judgement, const struct mask *mask, const char *schema,
                      const char *table, const char *what);

/* How two columns of a foreign key stand to each other, the referencing one first; NULL: no rule.
 * */
enum key_verdict {
    KEY_HOLDS,      /* both as they are, or equal values get equal results */
    KEY_NULL,       /* the referencing one is NULL, so it references nothing */
    KEY_FROM_ALONE, /* only the referencing one is ruled */
    KEY_TO_ALONE,   /* only the referenced one is */
    KEY_DIFFERS,    /* both are, and equal values get different results */
};
enum key_verdict key_verdict(const struct mask *from, const struct mask *to);

/* One row's part in the search for equal results. */
struct drawn {
    uint64_t group[2]; /* a digest of all that is certain about its key */
    double choices;    /* how many results the rest may have */
    bool others;       /* and, seldom, others */
};

/* How many pairs of rows are expected to get the same key; sorts them.  INFINITY: some must. */
double drawn_pairs(struct drawn *rows, size_t count);

#endif
