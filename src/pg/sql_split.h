/* sql_split - a stream of SQL text as single statements, by PostgreSQL's own lexer (psqlscan).
 *
 * psql's backslash commands are not SQL: \restrict and \unrestrict lines, which pg_dump writes
 * against CVE-2025-8714, are dropped; any other one is a failure, for no dump of ours holds it, and
 * so is "\;", by which psql sends two statements as one.  Comments between statements are dropped,
 * those inside are kept.  A colon before a name, as in a[1:n], gets a blank behind it, which says
 * the same to PostgreSQL, and nothing any more to psql, which would put a variable there.
 *
 * The lexer counts BEGIN and END to find where a routine's BEGIN ATOMIC body ends, and loses count
 * when a routine, its type or a column has the name begin, as psql does.  So the frame that pg_dump
 * gives such a body is looked at, too: the words BEGIN ATOMIC, and a line that is just END;.  How
 * far psql's count is ahead then, behind the statement, is known as well.
 *
 * Text is cut by bytes, as is right for the encodings of sql_guard.h.
 *
 * Life:   sql_split_init; sql_split_feed any number of times; sql_split_end at the end of the text,
 *         which refuses half a statement; sql_split_free.
 * Limits: a statement of at most SQL_STATEMENT_BYTES_MAX, or what sql_statement_max_set() says, its
 *         last line included; no zero bytes.  Between statements, empty lines and lines that are a
 *         comment pass without the lexer.
 * Threads: one at a time. */
#ifndef PG_SQL_SPLIT_H
#define PG_SQL_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/text.h"

enum { SQL_STATEMENT_BYTES_MAX = 256 * 1024 * 1024 };

/* Called with each statement, its semicolon included, zero-ended.  Returning false ends the
 * split. */
typedef bool sql_statement_fn(void *argument, const char *sql, struct fault *fault);

struct sql_split {
    struct PsqlScanStateData *scan;
    struct PQExpBufferData *statement;
    struct text line;
    bool open;             /* inside a statement, a quote or a comment that goes on */
    bool plain;            /* … but in no quote, comment or parenthesis */
    bool atomic;           /* inside a routine with a BEGIN ATOMIC body */
    bool standard_strings; /* standard_conforming_strings, as the text itself sets it */
    bool line_strings;     /* as it was where the line began, for all of it */
    bool doubtful;         /* the statement may hold a "\;" */
    bool alone;            /* it is split for the second time, to see whether it is one */
    unsigned ahead;        /* how many END psql waits for behind the statement */
};

/* Say how long a statement may be that REPLICA_MEMORY leaves room for, and which REPLICA_MEMORY
 * would do for one of twice that, in bytes.  Holds for all texts from then on; before threads. */
void sql_statement_max_set(size_t bytes_max, uint64_t memory_for_twice);

void sql_split_init(struct sql_split *split);
void sql_split_free(struct sql_split *split);
bool sql_split_feed(struct sql_split *split, const char *data, size_t size,
                    sql_statement_fn *statement, void *argument, struct fault *fault);
bool sql_split_end(struct sql_split *split, sql_statement_fn *statement, void *argument,
                   struct fault *fault);

#endif
