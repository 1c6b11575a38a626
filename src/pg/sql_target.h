/* sql_target, sql_filter - SQL text at the end and in the middle of a corridor, by statements.
 *
 * sql_target hands every statement to a function, which may block; sql_filter lets pass those that
 * a function wants to keep, each followed by a newline, and drops comments and psql's own commands.
 * Statements about event triggers it lets pass at the end, behind all others (sql_kind.h).
 *
 * Life:   x_init; the stage's free() returns what it holds.
 * Limits: those of sql_split; sql_filter holds the statements of one window, and of those about
 *         event triggers SQL_LAST_BYTES_MAX.
 * Threads: one at a time. */
#ifndef PG_SQL_TARGET_H
#define PG_SQL_TARGET_H

#include "flow/stage.h"
#include "pg/sql_split.h"

enum { SQL_LAST_BYTES_MAX = 16 * 1024 * 1024 }; /* some 50,000 event triggers */

struct sql_target {
    struct stage stage;
    struct sql_split split;
    sql_statement_fn *statement;
    void *argument;
};

struct stage *sql_target_init(struct sql_target *target, sql_statement_fn *statement,
                              void *argument);

typedef bool sql_keep_fn(const void *argument, const char *sql);

struct sql_filter {
    struct stage stage;
    struct sql_split split;
    sql_keep_fn *keep;
    const void *argument;
    struct text kept;
    size_t kept_used;
    struct text last; /* statements that pass at the end */
    uint64_t bytes;   /* of SQL that passed */
    bool ended;
};

/* Keep a statement for the end, with what stands behind it there: a newline, or its zero byte.
 * False with the fault (ERR_INTEGRITY) when there are more of them than anybody has. */
bool sql_last_add(struct text *last, const char *sql, char behind, struct fault *fault);

struct stage *sql_filter_init(struct sql_filter *filter, sql_keep_fn *keep, const void *argument);

#endif
