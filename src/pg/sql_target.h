/* sql_target, sql_filter - SQL text at the end and in the middle of a corridor, by statements.
 *
 * sql_target hands every statement to a function, which may block; sql_filter lets pass those that
 * a function wants to keep, each followed by a newline, and drops comments and psql's own commands.
 * Statements about event triggers it lets pass at the end, behind all others (sql_kind.h).
 *
 * Both may be given a promise of what the text is; what breaks it goes no further.  The rest is
 * read all the same before that is said, for damage that shows at its end, by a checksum, would be
 * the cause; only what is longer than promised is refused at once.
 *
 * For psql, sql_filter puts a line before each statement with a backslash or a byte that is no
 * ASCII: SETs of the two settings by which psql cuts text into statements.  Whatever an earlier
 * statement has made of them, by a function say, psql then reads what we have read.
 *
 * Life:   x_init; the stage's free() returns what it holds.
 * Limits: those of sql_split; sql_filter holds the statements of one window, and of those about
 *         event triggers SQL_LAST_BYTES_MAX.
 * Threads: one at a time. */
#ifndef PG_SQL_TARGET_H
#define PG_SQL_TARGET_H

#include "flow/stage.h"
#include "pg/sql_dialect.h"
#include "pg/sql_guard.h"
#include "pg/sql_split.h"

enum { SQL_LAST_BYTES_MAX = 16 * 1024 * 1024 }; /* some 50,000 event triggers */

/* What the text should be; a zeroed one promises nothing. */
struct sql_promise {
    struct sql_guard *guard; /* of its statements; NULL: any */
    const char *name;        /* of the object, for sentences; NULL: of any length */
    uint64_t bytes_wanted;   /* of it */
};

struct sql_reading {
    struct sql_promise promise;
    struct sql_split split;
    uint64_t bytes;
    struct fault refusal;    /* nothing is handed on any more */
};

struct sql_target {
    struct stage stage;
    struct sql_reading reading;
    sql_statement_fn *statement;
    void *argument;
};

struct stage *sql_target_init(struct sql_target *target, struct sql_promise promise,
                              sql_statement_fn *statement, void *argument);

typedef bool sql_keep_fn(const void *argument, const char *sql);

struct sql_filter {
    struct stage stage;
    struct sql_reading reading;
    sql_keep_fn *keep;
    const void *argument;
    bool for_psql;
    struct sql_dialect *dialect; /* to be set after init where what passes is for an older server */
    bool cuts_secrets; /* to be set after init: passwords do not pass (sql_secrets.h) */
    struct text kept;
    size_t kept_used;
    struct text last; /* statements that pass at the end */
    uint64_t bytes;   /* of SQL that passed */
    size_t longest;   /* of the statements that passed, in bytes */
    bool ended;
};

/* Keep a statement for the end, with what stands behind it there: a newline, or its zero byte.
 * False with the fault (ERR_INTEGRITY) when there are more of them than anybody has. */
bool sql_last_add(struct text *last, const char *sql, char behind, struct fault *fault);

struct stage *sql_filter_init(struct sql_filter *filter, struct sql_promise promise,
                              sql_keep_fn *keep, const void *argument);

/* Write for psql from now on; there must be a guard. */
void sql_filter_for_psql(struct sql_filter *filter);

#endif
