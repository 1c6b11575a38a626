/* sql_dialect_inside - one statement on its way through sql_dialect; for its two files alone.
 *
 *     sql_dialect.c        what is common: cuts, lists, sentences; phrases that are refused
 *     sql_dialect_forms.c  forms of statements that are rewritten */
#ifndef PG_SQL_DIALECT_INSIDE_H
#define PG_SQL_DIALECT_INSIDE_H

#include "pg/sql_dialect.h"
#include "pg/sql_words.h"

struct run {
    struct sql_dialect *dialect;
    const char *sql;
    const char *copied;   /* up to here it is in out */
    bool changed, left_out, refused;
    struct text *out;
    struct text *said;
    struct sql_word name; /* of the table, of the type … */
    const char *alter;    /* how the table is altered: "ALTER TABLE ONLY " */
};

struct sql_words run_words(const struct run *run, const char *sql);

/* Put instead of what stands between begin and end; cuts come in the order of the text. */
void run_cut(struct run *run, const char *begin, const char *end, const char *instead);

/* Add to what people are told; run_refuse: of several reasons the first is told. */
void run_say(struct run *run, const char *what);
void run_refuse(struct run *run, const char *what, int since);

enum item { ITEM_KEPT, ITEM_DROPPED, ITEM_CHANGED };

/* Look at an item, whose words these are.  ITEM_CHANGED: instead has received another one. */
typedef enum item item_fn(struct run *run, struct sql_words words, struct text *instead);

/* Walk through a list, ( item, item ), whose parenthesis comes next; take nothing when none does.
 * whole, when not NULL, is where that begins which has no sense without a list. */
void run_list(struct run *run, struct sql_words *words, item_fn *look, const char *whole);

/* Remember a NOT NULL that has a name at the source alone; is this one of them? */
void run_name_add(struct run *run, const struct sql_word *owner, const struct sql_word *name);
bool run_name_is_known(struct run *run, const struct sql_word *owner, const struct sql_word *name);

/* Rewrite, leave out or refuse a statement by its form. */
void run_form(struct run *run);

#endif
