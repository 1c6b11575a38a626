/* transform - the rules, and the stage that applies them to COPY text.
 *
 *     REPLICA_TRANSFORM ─rules_read─▶ rules ─rules_bind(catalog)─▶ masks of each table ─▶ stage
 *
 * A rule is one line (or ends at ';'), '#' starts a comment:
 *
 *     public.users.email        email
 *     public."Cards".number     redacted(character=#, width=4)
 *     *.*.password              fixed(secret)
 *
 * Binding is the gate before the first byte: an unknown table or column, a transformer that
 * cannot serve the type, a NOT NULL column with null, a duplicate rule, a fixed value that its
 * column would not take - each is an ERR_CONFIG
 * sentence, and all of them are reported at once, one per line.
 *
 * The stage knows COPY's text format (PostgreSQL documentation, COPY, "Text Format"): rows end
 * with a newline, columns with a tab, and neither byte stands raw inside a value; \N is NULL.
 * Fields without a rule pass in whole runs, not field by field, and may be of any length.  Of a
 * ruled field the first TRANSFORM_FIELD_BYTES are looked at and the rest is counted and dropped,
 * so memory is bounded.
 *
 * NULL stays NULL; an empty text stays empty unless the rule is null or fixed.  A result is never
 * longer than the column allows, is valid for its type, and differs from the original wherever
 * the transformer has more than one possible result.  The one exception is a random boolean: were
 * it sure to differ, it would tell the original.  Whether results are unique, or pass a CHECK, the
 * masks do not know: constraints_judge() asks before the first byte.
 *
 * Characters are those of UTF-8 when the whole value is valid UTF-8, else bytes; of other
 * encodings only the ASCII bytes of a value are ever kept, so no half of a character comes out.
 *
 * Life:   rules from an arena, read-only once bound; a stage lives for one volume's journey, its
 *         struct transform for a whole table.  Threads: one per stage. */
#ifndef TRANSFORM_TRANSFORM_H
#define TRANSFORM_TRANSFORM_H

#include "base/arena.h"
#include "base/fault.h"
#include "base/random.h"
#include "flow/stage.h"
#include "pg/catalog.h"
#include "pg/pattern.h"

enum {
    TRANSFORM_FIELD_BYTES = 16 * 1024, /* of a ruled value that are looked at, and of a result */
};

struct rules; /* parsed lines */
struct mask;  /* a transformer bound to one column */

/* What the masks of one table are: masks[i] belongs to the i-th column in COPY's order
 * (generated columns left out), NULL = untouched: without a rule, or transient. */
struct table_masks {
    const struct mask **masks;
    size_t columns_count;
    const size_t *ruled; /* the indexes of the masks that are not NULL, ascending */
    size_t ruled_count;
};

/* Parse the lines.  NULL or "" gives no rules.  All mistakes are reported at once (ERR_CONFIG), one
 * line each; returns NULL then. */
const struct rules *rules_read(struct arena *arena, const char *text, struct fault *fault);
size_t rules_count(const struct rules *rules);

/* Bind the rules to the catalog: result[i] belongs to catalog->tables[i].  A rule on a
 * partitioned or inherited table holds for every descendant.  A wildcard rule must match at least
 * one column.  A rule that matches only tables which are not copied is a mistake too. */
bool rules_bind(const struct rules *rules, const struct catalog *catalog, struct arena *arena,
                struct table_masks **result, struct fault *fault);

/* What is worth saying of rules that may stand. */
struct rules_report {
    const char **warnings; /* sentences */
    size_t warnings_count;
    size_t held;           /* constraints that took a hundred results */
};

/* Add a warning, once. */
void rules_report_warn(struct rules_report *report, struct arena *arena, const char *sentence);

/* Hold the rules against what the rows must satisfy at the destination: foreign keys, unique and
 * exclusion constraints, CHECKs of tables and domains, partitions, and expressions that are
 * computed there; and fixed values against types that replica does not know itself.  What must fail
 * is a mistake as in rules_bind, which names the constraint; what may fail is a warning.  Reads up
 * to 10,000 rows of a table for a unique constraint, a hundred for expressions. No original value
 * is sent back, and no code of users' is run, at the source.  Needs an open transaction, which it
 * leaves as it was; the masks are those of rules_bind. */
bool constraints_judge(struct pg_session *conn, const struct catalog *catalog,
                       const struct table_masks *masks, struct arena *arena,
                       struct rules_report *report, struct fault *fault);

/* The transformer's name, as the manifest records it. */
const char *mask_name(const struct mask *mask);

struct transform {
    struct stage stage;
    const struct table_masks *masks;
    struct random random;
    /* private to transform.c from here on: where in the row the walk is, and the ruled field in
     * work */
    int state;
    bool row_open;                   /* a row has begun and its newline has not come */
    size_t column, next;             /* next: index into masks->ruled, of this row */
    size_t field_size;               /* bytes kept of the ruled field, as COPY escaped them */
    uint64_t field_bytes;            /* bytes it really has */
    size_t result_size, result_used; /* the result with its tab or newline */
    uint8_t *field, *result;
};

/* Take the memory for one worker; used for any number of tables and volumes. */
void transform_open(struct transform *transform);
void transform_close(struct transform *transform);

/* Start a table; the stage's free() keeps the memory. */
struct stage *transform_init(struct transform *transform, const struct table_masks *masks);

/* What `replica transformers` prints: name, parameters, kinds of columns it serves, sentence. */
struct transformer_info {
    const char *name, *parameters, *serves, *sentence;
};
const struct transformer_info *transformers_list(size_t *count);

#endif
